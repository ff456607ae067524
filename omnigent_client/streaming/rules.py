"""How long a stream waits for a sign of life, and how it goes about reconnecting."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

STABLE_SECONDS = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamRules:
    """All durations in seconds.

    A connection that says nothing for `silence_seconds` is dead; the server sends a heartbeat every 15.
    Waits between connections double from `first_wait` to `longest_wait`, with jitter. The first connection is
    tried `first_attempts` times; a broken one for `give_up_after`, None for ever.
    """

    silence_seconds: float = 45.0
    first_wait: float = 0.2
    longest_wait: float = 15.0
    first_attempts: int = 4
    give_up_after: float | None = 600.0
    chance: Callable[[], float] = random.random
    now: Callable[[], float] = time.monotonic


class Patience:
    """What remains of it: fed with what happens to the connections of one stream."""

    def __init__(self, rules: StreamRules) -> None:
        self._rules = rules
        self._failures = 0
        self._alive_at = rules.now()
        self._connected_at = rules.now()
        self._asked: float | None = None
        self.was_connected = False
        self.reason = ""

    @property
    def is_exhausted(self) -> bool:
        """Whether it has been tried often or long enough."""
        if not self.was_connected:
            return self._failures >= self._rules.first_attempts
        limit = self._rules.give_up_after
        return limit is not None and self._rules.now() - self._alive_at > limit

    def connected(self) -> None:
        """The server accepted a connection."""
        self.was_connected = True
        self._connected_at = self._rules.now()

    def delivered(self) -> None:
        """A whole frame came; a connection that keeps doing this for a while is a good one."""
        now = self._rules.now()
        self._alive_at = now
        if now - self._connected_at >= STABLE_SECONDS:
            self._failures = 0

    def broke(self, reason: str, *, asked: float | None = None) -> None:
        """A connection ended or did not come about; `asked` is the wait that the server wants."""
        self._failures += 1
        self._asked = asked
        self.reason = reason

    def next_wait(self) -> float | None:
        """Seconds before the next connection; None when it is time to give up."""
        if self.is_exhausted:
            return None
        if self._asked is not None:
            return min(self._asked, self._rules.longest_wait)
        ceiling = min(self._rules.first_wait * 2.0 ** min(self._failures - 1, 32), self._rules.longest_wait)
        return ceiling * (0.5 + self._rules.chance() / 2)
