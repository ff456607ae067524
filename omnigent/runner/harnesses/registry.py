"""The harnesses by name: what each needs, its default model, and how to make it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from omnigent.runner.harnesses.anthropic import Anthropic
from omnigent.runner.harnesses.base import Model, ModelError, ModelSettings
from omnigent.runner.harnesses.openai_chat import OpenAIChat
from omnigent.runner.harnesses.openai_responses import OpenAIResponses
from omnigent.runner.harnesses.scripted import MODEL_NAME, Scripted


@dataclass(frozen=True, kw_only=True, slots=True)
class HarnessRow:
    """One harness. `key_name` and `base_url_name` are environment variables, empty when none is needed."""

    make: Callable[[ModelSettings], Model]
    default_model: str
    key_name: str = ""
    base_url_name: str = ""

    def is_ready(self, environment: Mapping[str, str]) -> bool:
        return not self.key_name or bool(environment.get(self.key_name))


HARNESSES: Final[Mapping[str, HarnessRow]] = MappingProxyType(
    {
        "scripted": HarnessRow(make=Scripted, default_model=MODEL_NAME),
        "openai-responses": HarnessRow(
            make=OpenAIResponses,
            default_model="gpt-5.1",
            key_name="OPENAI_API_KEY",
            base_url_name="OPENAI_BASE_URL",
        ),
        "openai-chat": HarnessRow(
            make=OpenAIChat,
            default_model="gpt-5.1",
            key_name="OPENAI_API_KEY",
            base_url_name="OPENAI_BASE_URL",
        ),
        "anthropic": HarnessRow(
            make=Anthropic,
            default_model="claude-sonnet-4-5",
            key_name="ANTHROPIC_API_KEY",
            base_url_name="ANTHROPIC_BASE_URL",
        ),
    }
)


class Models:
    """The adapters of this process, made on first use from its environment."""

    def __init__(
        self, environment: Mapping[str, str], harnesses: Mapping[str, HarnessRow] = HARNESSES
    ) -> None:
        self._environment = environment
        self._harnesses = harnesses
        self._made: dict[str, Model] = {}

    def get(self, harness: str) -> Model:
        """The adapter of a harness; raises ModelError when there is none or its key is missing."""
        row = self._row(harness)
        if not row.is_ready(self._environment):
            raise ModelError("harness_not_configured", f"{harness}: set {row.key_name} where the host runs.")
        if harness not in self._made:
            self._made[harness] = row.make(self._settings(row))
        return self._made[harness]

    def default_model(self, harness: str) -> str:
        """The model of an agent that names none."""
        row = self._row(harness)
        return (self._environment.get("OMNIGENT_MODEL") if row.key_name else None) or row.default_model

    async def close(self) -> None:
        for model in self._made.values():
            await model.close()

    def _row(self, harness: str) -> HarnessRow:
        try:
            return self._harnesses[harness]
        except KeyError:
            known = ", ".join(self._harnesses)
            raise ModelError(
                "harness_not_configured", f"This runner has no harness {harness!r}; it has {known}."
            ) from None

    def _settings(self, row: HarnessRow) -> ModelSettings:
        extra: dict[str, object] = {}
        pause = self._environment.get("OMNIGENT_SCRIPTED_PAUSE_SECONDS")
        if pause and not row.key_name:
            extra["pause_seconds"] = float(pause)
        return ModelSettings(
            api_key=self._environment.get(row.key_name, "") if row.key_name else "",
            base_url=self._environment.get(row.base_url_name, "") if row.base_url_name else "",
            extra=extra,
        )
