"""What each harness is and needs; nothing here imports a vendor's library."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType
from typing import Final

from omnigent.runner.harnesses.programs import located

MODEL_NAME: Final = "scripted"


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a harness cannot run here: `state` in the word of a host's readiness, `advice` for people."""

    state: str
    advice: str


@dataclass(frozen=True, kw_only=True, slots=True)
class HarnessRow:
    """One harness. `adapter` is `module:class`, made from ModelSettings, or from EngineSettings when the
    harness is an engine: `samples_with` then names the harness of the same vendor that writes summaries.
    With `terminal`, the program that gives it one, the adapter is a NativeProgram instead.

    `key_name` and `base_url_name` are environment variables, `package` an importable name, `program` one on
    the PATH; empty when none is needed. `login` is a file in the home directory that stands in for the key.
    `install` is the command that brings package and program.
    """

    adapter: str
    default_model: str
    key_name: str = ""
    base_url_name: str = ""
    samples_with: str = ""
    terminal: str = ""
    package: str = ""
    program: str = ""
    login: str = ""
    install: str = ""

    def lack(self, environment: Mapping[str, str]) -> Lack | None:
        """The first thing that it has not here."""
        if self.package and find_spec(self.package) is None:
            return Lack(
                "package-missing", f"the Python package {self.package} is not installed: {self.install}"
            )
        if self.program and located(self.program, environment) is None:
            return Lack("binary-missing", f"the program {self.program} is not on the PATH: {self.install}")
        if self.terminal and located(self.terminal, environment) is None:
            return Lack("binary-missing", f"the program {self.terminal} is not on the PATH: install it")
        if self.key_name and not environment.get(self.key_name) and not self._has_login(environment):
            return Lack("needs-auth", f"set {self.key_name} where the host runs.")
        return None

    def _has_login(self, environment: Mapping[str, str]) -> bool:
        home = environment.get("HOME")
        return bool(self.login and home) and Path(home or "", self.login).is_file()

    def missing(self, environment: Mapping[str, str]) -> str:
        """What somebody has to do before it can run here; empty when nothing."""
        lack = self.lack(environment)
        return lack.advice if lack is not None else ""

    def model_with(self, environment: Mapping[str, str]) -> str:
        """The model of an agent that names none."""
        return (environment.get("OMNIGENT_MODEL") if self.key_name else None) or self.default_model

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
        "openai-agents": HarnessRow(
            adapter=f"{_IN}.openai_agents.engine:OpenAIAgents",
            samples_with="openai-responses",
            package="agents",
            install="pip install --no-deps -r requirements-harness-openai-agents.txt",
            **_OPENAI,
        ),
        "codex": HarnessRow(
            adapter=f"{_IN}.codex.engine:Codex",
            samples_with="openai-responses",
            program="codex",
            login=".codex/auth.json",
            install="npm install -g @openai/codex@0.169.0",
            **_OPENAI,
        ),
        "claude-sdk": HarnessRow(
            adapter=f"{_IN}.claude_sdk.engine:ClaudeSdk",
            samples_with="anthropic",
            package="claude_agent_sdk",
            login=".claude/.credentials.json",
            install="pip install -r requirements-harness-claude.txt",
            **_ANTHROPIC,
        ),
        "claude-native": HarnessRow(
            adapter=f"{_IN}.claude_native.program:ClaudeNative",
            samples_with="anthropic",
            terminal="tmux",
            program="claude",
            login=".claude/.credentials.json",
            install="npm install -g @anthropic-ai/claude-code@2.1.197",
            **_ANTHROPIC,
        ),
        "codex-native": HarnessRow(
            adapter=f"{_IN}.codex_native.program:CodexNative",
            samples_with="openai-responses",
            terminal="tmux",
            program="codex",
            login=".codex/auth.json",
            install="npm install -g @openai/codex@0.169.0",
            **_OPENAI,
        ),
    }
)
