"""Where a turn runs, and how long things may take there."""

from dataclasses import dataclass
from pathlib import Path

from omnigent.runner.harnesses.codex.wire import Wire


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where a turn runs."""

    wire: Wire
    thread_id: str
    files: Path
    limits: Limits
