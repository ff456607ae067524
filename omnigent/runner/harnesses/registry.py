"""The harnesses by name: where each is found, what it needs, and its default model.

An adapter's module is loaded when a session first uses it: the vendors' libraries take seconds to import,
and a runner has to be connected in a fraction of one.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any, Final

from omnigent.runner.harnesses.base import Model, ModelError, ModelSettings
from omnigent.runner.harnesses.engine import Engine, EngineSettings
from omnigent.runner.harnesses.patience import Patience
from omnigent.runner.harnesses.rows import HARNESSES, HarnessRow
from omnigent.runner.native.program import NativeProgram

SILENCE: Final = "OMNIGENT_MODEL_SILENCE_SECONDS"
SILENCE_SECONDS: Final = 120.0
OURS: Final = Patience()


class Models:
    """The adapters of this process, made on first use from its environment."""

    def __init__(
        self, environment: Mapping[str, str], harnesses: Mapping[str, HarnessRow] = HARNESSES
    ) -> None:
        self._environment = environment
        self._harnesses = harnesses
        self._made: dict[tuple[str, Patience], Model] = {}
        self._making = asyncio.Lock()

    def has_engine(self, harness: str) -> bool:
        """Whether a vendor's own loop runs the turns; raises ModelError for an unknown harness."""
        return bool(self._row(harness).samples_with)

    def is_native(self, harness: str) -> bool:
        """Whether a vendor's program in a terminal has the turns; raises ModelError as `has_engine`."""
        return bool(self._row(harness).terminal)

    async def get(self, harness: str, patience: Patience = OURS) -> Model:
        """The adapter of a harness, of an engine the one that samples beside it; raises ModelError when there
        is none or its key is missing.
        """
        row = self._row(harness)
        if row.samples_with:
            return await self.get(row.samples_with, patience)
        self._check(harness, row)
        async with self._making:
            if (harness, patience) not in self._made:
                adapter = await asyncio.to_thread(_adapter, row)
                self._made[harness, patience] = adapter(self._settings(row, patience))
            return self._made[harness, patience]

    async def engine(self, harness: str, settings: EngineSettings) -> Engine:
        """A new engine for one session; raises ModelError when what it needs is missing here."""
        engine: Engine = await self._for_session(harness, settings)
        return engine

    async def program(self, harness: str, settings: EngineSettings) -> NativeProgram:
        """A new native program for one session; raises ModelError as `engine` does."""
        program: NativeProgram = await self._for_session(harness, settings)
        return program

    async def _for_session(self, harness: str, settings: EngineSettings) -> Any:
        row = self._row(harness)
        self._check(harness, row)
        keyed = replace(
            settings,
            api_key=self._key(row),
            base_url=self._base_url(row),
            timeout_seconds=settings.patience.silence_seconds or self._silence_seconds(),
        )
        adapter = await asyncio.to_thread(_adapter, row)
        return adapter(keyed)

    def default_model(self, harness: str) -> str:
        """The model of an agent that names none."""
        return self._row(harness).model_with(self._environment)

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

    def _check(self, harness: str, row: HarnessRow) -> None:
        missing = row.missing(self._environment)
        if missing:
            raise ModelError("harness_not_configured", f"{harness}: {missing}")

    def _settings(self, row: HarnessRow, patience: Patience) -> ModelSettings:
        extra: dict[str, object] = {}
        pause = self._environment.get("OMNIGENT_SCRIPTED_PAUSE_SECONDS")
        if pause and not row.key_name:
            extra["pause_seconds"] = float(pause)
        return ModelSettings(
            api_key=self._key(row),
            base_url=self._base_url(row),
            timeout_seconds=patience.silence_seconds or self._silence_seconds(),
            max_retries=patience.max_retries,
            backoff_base_seconds=patience.backoff_base_seconds,
            backoff_max_seconds=patience.backoff_max_seconds,
            has_jitter=patience.jitter,
            retried_statuses=patience.statuses,
            extra=extra,
        )

    def _silence_seconds(self) -> float:
        """For how long a provider may send nothing; raises ModelError for a setting that is no number."""
        text = self._environment.get(SILENCE)
        try:
            seconds = float(text or SILENCE_SECONDS)
        except ValueError:
            seconds = 0.0
        if not 0 < seconds < float("inf"):
            raise ModelError("harness_not_configured", f"{SILENCE}: {text!r} is not a number above 0.")
        return seconds

    def _key(self, row: HarnessRow) -> str:
        return self._environment.get(row.key_name, "") if row.key_name else ""

    def _base_url(self, row: HarnessRow) -> str:
        return self._environment.get(row.base_url_name, "") if row.base_url_name else ""


def _adapter(row: HarnessRow) -> Any:
    """The class that a row names; importing it may take seconds."""
    module, _, name = row.adapter.partition(":")
    return getattr(import_module(module), name)
