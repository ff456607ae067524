"""A circuit breaker: after failures in a row it refuses at once, and after a pause lets one probe through."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from omnigent.policies.remote.errors import RemotePolicyError


class BreakerOpen(RemotePolicyError):
    """The endpoint failed too often lately and is not asked for now."""


class BreakerState(StrEnum):
    """`half_open`: the pause is over and the next call, or the one under way, is the probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


@dataclass(slots=True)
class Passage:
    """One call through the breaker. A call that says nothing counts for neither side."""

    failure: str | None = None
    succeeded: bool = False


class Breaker:
    """`failures` in a row open it for `pause_seconds`; `clock` gives seconds that never run backwards."""

    def __init__(self, *, failures: int, pause_seconds: float, clock: Callable[[], float]) -> None:
        self._limit = failures
        self._pause = pause_seconds
        self._clock = clock
        self._opened_at: float | None = None
        self._probing = False
        self.failures_in_a_row = 0
        self.last_failure: str | None = None

    @property
    def state(self) -> BreakerState:
        """What the next call would meet."""
        if self._opened_at is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self.seconds_to_probe > 0 else BreakerState.HALF_OPEN

    @property
    def seconds_to_probe(self) -> float:
        """How long it stays open; 0 when it is not."""
        if self._opened_at is None:
            return 0.0
        return max(0.0, self._opened_at + self._pause - self._clock())

    @contextmanager
    def passage(self) -> Iterator[Passage]:
        """Enclose one call; raises BreakerOpen instead of letting it happen."""
        is_probe = self._enter()
        passage = Passage()
        try:
            yield passage
        finally:
            if is_probe:
                self._probing = False
            if passage.failure is not None:
                self._failed(passage.failure, is_probe=is_probe)
            elif passage.succeeded:
                self._opened_at, self.failures_in_a_row = None, 0

    def _enter(self) -> bool:
        if self._opened_at is None:
            return False
        if self.seconds_to_probe > 0 or self._probing:
            raise BreakerOpen(
                f"circuit breaker open after {self.failures_in_a_row} failures in a row: {self.last_failure}"
            )
        self._probing = True
        return True

    def _failed(self, cause: str, *, is_probe: bool) -> None:
        self.failures_in_a_row += 1
        self.last_failure = cause
        # Calls that began before it opened and fail now do not prolong the pause.
        if is_probe or (self._opened_at is None and self.failures_in_a_row >= self._limit):
            self._opened_at = self._clock()
