"""The harnesses by name: where each is found, what it needs, and its default model.

An adapter's module is loaded when a session first uses it: the vendors' libraries take seconds to import,
and a runner has to be connected in a fraction of one.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import Final, cast

from omnigent.runner.harnesses.base import Model, ModelError, ModelSettings
from omnigent.runner.harnesses.scripted import MODEL_NAME


@dataclass(frozen=True, kw_only=True, slots=True)
class HarnessRow:
    """One harness. `adapter` is `module:class`, made from ModelSettings.

    `key_name` and `base_url_name` are environment variables, empty when none is needed.
    """

    adapter: str
    default_model: str
    key_name: str = ""
    base_url_name: str = ""

    def is_ready(self, environment: Mapping[str, str]) -> bool:
        return not self.key_name or bool(environment.get(self.key_name))

    def make(self, settings: ModelSettings) -> Model:
        module, _, name = self.adapter.partition(":")
        return cast("Model", getattr(import_module(module), name)(settings))


HARNESSES: Final[Mapping[str, HarnessRow]] = MappingProxyType(
    {
        "scripted": HarnessRow(
            adapter="omnigent.runner.harnesses.scripted:Scripted", default_model=MODEL_NAME
        ),
        "openai-responses": HarnessRow(
            adapter="omnigent.runner.harnesses.openai_responses:OpenAIResponses",
            default_model="gpt-5.6-terra",
            key_name="OPENAI_API_KEY",
            base_url_name="OPENAI_BASE_URL",
        ),
        "openai-chat": HarnessRow(
            adapter="omnigent.runner.harnesses.openai_chat:OpenAIChat",
            default_model="gpt-5.6-terra",
            key_name="OPENAI_API_KEY",
            base_url_name="OPENAI_BASE_URL",
        ),
        "anthropic": HarnessRow(
            adapter="omnigent.runner.harnesses.anthropic:Anthropic",
            default_model="claude-sonnet-5-5",
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
        self._making = asyncio.Lock()

    async def get(self, harness: str) -> Model:
        """The adapter of a harness; raises ModelError when there is none or its key is missing."""
        row = self._row(harness)
        if not row.is_ready(self._environment):
            raise ModelError("harness_not_configured", f"{harness}: set {row.key_name} where the host runs.")
        async with self._making:
            if harness not in self._made:
                self._made[harness] = await asyncio.to_thread(row.make, self._settings(row))
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
