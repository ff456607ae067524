"""What each harness is and needs; nothing here imports a vendor's library."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from types import MappingProxyType
from typing import Final

MODEL_NAME: Final = "scripted"


@dataclass(frozen=True, kw_only=True, slots=True)
class HarnessRow:
    """One harness. `adapter` is `module:class`, made from ModelSettings, or from EngineSettings when the
    harness is an engine: `samples_with` then names the harness of the same vendor that writes summaries.

    `key_name` and `base_url_name` are environment variables, `package` an importable name, `program` one on
    the PATH; empty when none is needed. `install` is the command that brings package and program.
    """

    adapter: str
    default_model: str
    key_name: str = ""
    base_url_name: str = ""
    samples_with: str = ""
    package: str = ""
    program: str = ""
    install: str = ""

    def missing(self, environment: Mapping[str, str]) -> str:
        """What somebody has to do before it can run here; empty when nothing."""
        if self.package and find_spec(self.package) is None:
            return f"the Python package {self.package} is not installed: {self.install}"
        if self.program and shutil.which(self.program, path=environment.get("PATH")) is None:
            return f"the program {self.program} is not on the PATH: {self.install}"
        if self.key_name and not environment.get(self.key_name):
            return f"set {self.key_name} where the host runs."
        return ""

    def is_ready(self, environment: Mapping[str, str]) -> bool:
        return not self.missing(environment)


_OPENAI: Final = {
    "default_model": "gpt-5.6-terra",
    "key_name": "OPENAI_API_KEY",
    "base_url_name": "OPENAI_BASE_URL",
}
_ANTHROPIC: Final = {
    "default_model": "claude-sonnet-5-5",
    "key_name": "ANTHROPIC_API_KEY",
    "base_url_name": "ANTHROPIC_BASE_URL",
}
_IN: Final = "omnigent.runner.harnesses"

HARNESSES: Final[Mapping[str, HarnessRow]] = MappingProxyType(
    {
        "scripted": HarnessRow(adapter=f"{_IN}.scripted:Scripted", default_model=MODEL_NAME),
        "openai-responses": HarnessRow(adapter=f"{_IN}.openai_responses:OpenAIResponses", **_OPENAI),
        "openai-chat": HarnessRow(adapter=f"{_IN}.openai_chat:OpenAIChat", **_OPENAI),
        "anthropic": HarnessRow(adapter=f"{_IN}.anthropic:Anthropic", **_ANTHROPIC),
    }
)
