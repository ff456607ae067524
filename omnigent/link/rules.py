"""When a link redials, how long it waits, and what ends it."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

_REDIRECTS: Final = frozenset({300, 301, 302, 303, 307, 308})


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkEnd:
    """Why `Link.run` returned, and what the process should exit with.

    `status` is that of a refused handshake and `code` that of a close, when one of them ended it; `said` is
    what the server wrote beside it.
    """

    reason: str
    exit_code: int
    status: int | None = None
    code: int | None = None
    said: str = ""


def _one_minute() -> float:
    return 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkRules:
    """When to redial, how long to wait, and what ends the link; the defaults are a runner's.

    A limit of None never ends the link. `fatal_codes` and `fatal_statuses` map to exit codes;
    `first_statuses` only count until the first connection ever. `recycle_limit` is how many
    recycles in a row are free of backoff growth.
    """

    backoff_start: float = 0.5
    backoff_cap: float = 10.0
    jitter: float = 0.5
    stable_seconds: float = 5.0
    recycle_codes: frozenset[int] = frozenset({1001, 1012})
    recycle_statuses: frozenset[int] = frozenset({502})
    recycle_delay: tuple[float, float] = (0.5, 3.0)
    recycle_limit: int | None = None
    fatal_codes: Mapping[int, int] = field(default_factory=lambda: {4001: 1, 4002: 1, 4004: 1, 4500: 1})
    fatal_statuses: Mapping[int, int] = field(default_factory=dict)
    first_statuses: Mapping[int, int] = field(default_factory=dict)
    sign_in_strikes: int = 3
    sign_in_exit: int = 77
    refused_limit: int | None = None
    silence_seconds: Callable[[], float] = _one_minute
    open_timeout: float = 10.0
    close_timeout: float = 5.0
    ping_interval: float | None = 30.0
    ping_timeout: float | None = 90.0


@dataclass(frozen=True, kw_only=True, slots=True)
class LinkClock:
    """Time and chance, so that tests can own them."""

    now: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    uniform: Callable[[float, float], float] = random.uniform


class Redial:
    """The state of redialling: given what happened, the end of the link or the seconds to wait.

    `failures` counts the attempts in vain since the last connection.
    """

    def __init__(self, rules: LinkRules, clock: LinkClock) -> None:
        self._rules = rules
        self._clock = clock
        self._ever_up = False
        self._up_since = 0.0
        self._backoff = rules.backoff_start
        self._strikes = 0
        self._recycles = 0
        self._refused = 0
        self.failures = 0
        self.refused_status: int | None = None

    def up(self) -> None:
        """The connection is open and the hello was sent."""
        self._ever_up = True
        self._up_since = self._clock.now()
        self._strikes = self._refused = self.failures = 0
        self.refused_status = None

    def closed(self, code: int | None, reason: str) -> LinkEnd | float:
        """An open connection ended with this close code."""
        rules = self._rules
        if self._clock.now() - self._up_since >= rules.stable_seconds:
            self._backoff = rules.backoff_start
            self._recycles = 0
        if code is not None and code in rules.fatal_codes:
            return LinkEnd(
                reason=f"closed {code} {reason}".strip(),
                exit_code=rules.fatal_codes[code],
                code=code,
                said=reason,
            )
        return self._recycle() if code in rules.recycle_codes else self._grow()

    def woken(self) -> float:
        """The machine slept and the connection was cut for it: dial at once, with a fresh backoff."""
        self._backoff = self._rules.backoff_start
        self._recycles = 0
        return 0.0

    def refused(self, status: int, said: str = "") -> LinkEnd | float:
        """The handshake was answered with this HTTP status and this text."""
        rules = self._rules
        self.failures += 1
        fatal = rules.fatal_statuses.get(status)
        if fatal is None and not self._ever_up:
            fatal = rules.first_statuses.get(status)
        if fatal is not None:
            return LinkEnd(reason=f"refused with HTTP {status}", exit_code=fatal, status=status, said=said)
        if status in {401, 403} or status in _REDIRECTS:
            self.refused_status = status
            self._strikes += 1
            if not self._ever_up and self._strikes >= rules.sign_in_strikes:
                return LinkEnd(
                    reason=f"not authorised (HTTP {status})",
                    exit_code=rules.sign_in_exit,
                    status=status,
                    said=said,
                )
        else:
            self._strikes = 0
        return self._recycle() if status in rules.recycle_statuses else self._grow()

    def unreachable(self, error: Exception) -> LinkEnd | float:
        """No handshake came about."""
        self._strikes = 0
        self._refused += 1
        self.failures += 1
        if self._rules.refused_limit is not None and self._refused >= self._rules.refused_limit:
            return LinkEnd(reason=f"server unreachable: {error}", exit_code=1)
        return self._grow()

    def _recycle(self) -> float:
        self._recycles += 1
        if self._rules.recycle_limit is not None and self._recycles > self._rules.recycle_limit:
            return self._grow()
        return self._clock.uniform(*self._rules.recycle_delay)

    def _grow(self) -> float:
        delay = self._backoff * self._clock.uniform(1 - self._rules.jitter, 1 + self._rules.jitter)
        self._backoff = min(self._backoff * 2, self._rules.backoff_cap)
        return delay
