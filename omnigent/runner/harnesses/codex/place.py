"""Where a turn runs, and how long things may take there."""

from dataclasses import dataclass
from pathlib import Path

from omnigent.runner.harnesses.codex.wire import Wire
from omnigent.runner.harnesses.engine import EngineSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """How long things may take, and how often the provider is asked again after a passing failure."""

    start_seconds: float = 60.0
    call_seconds: float = 30.0
    silence_seconds: float = 120.0
    pulse_seconds: float = 30.0
    stop_seconds: float = 10.0
    max_retries: int = 7
    backoff_base_seconds: float = 2.0
    backoff_max_seconds: float = 60.0
    has_jitter: bool = True
    retried_statuses: frozenset[int] | None = None

    @classmethod
    def of(cls, settings: EngineSettings) -> "Limits":
        """Those of a session."""
        patience = settings.patience
        return cls(
            silence_seconds=settings.timeout_seconds,
            max_retries=patience.max_retries,
            backoff_base_seconds=patience.backoff_base_seconds,
            backoff_max_seconds=patience.backoff_max_seconds,
            has_jitter=patience.jitter,
            retried_statuses=patience.statuses,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a turn runs."""

    wire: Wire
    thread_id: str
    files: Path
    limits: Limits
