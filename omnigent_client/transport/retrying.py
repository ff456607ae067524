"""When a request is sent again, and after how long."""

import random
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from omnigent_client.errors import (
    ApiError,
    IdempotencyInFlightError,
    RunnerUnavailableError,
)

TRANSIENT_STATUSES = frozenset({502, 503, 504})


@dataclass(frozen=True, kw_only=True, slots=True)
class RetryRules:
    """How stubborn a request is. All durations in seconds.

    `attempts` counts the first one. Waits double from `first_wait` to `longest_wait`, with jitter; what the
    server asks for by `Retry-After` is waited for instead, up to `longest_wait`. An earlier attempt that the
    server is still working on is asked about again for `in_flight_seconds`.
    """

    attempts: int = 4
    first_wait: float = 0.25
    longest_wait: float = 10.0
    in_flight_seconds: float = 120.0
    chance: Callable[[], float] = random.random

    def wait_before(self, attempt: int, asked: float | None = None) -> float:
        """Seconds before attempt number `attempt`, counted from 1; the second one is the first that waits."""
        if asked is not None:
            return min(asked, self.longest_wait)
        ceiling = min(self.first_wait * 2.0 ** min(attempt - 2, 32), self.longest_wait)
        return ceiling * (0.5 + self.chance() / 2)


def is_transient(error: ApiError | httpx.TransportError) -> bool:
    """Whether the same request may succeed in a moment.

    Reading is safe to repeat, and so is writing because every write carries an idempotency key. A refusal is
    final, and so is a 503 that names a missing runner or host: waiting does not bring one.
    """
    if isinstance(error, ApiError):
        return error.status in TRANSIENT_STATUSES and not isinstance(error, RunnerUnavailableError)
    return not isinstance(error, httpx.UnsupportedProtocol | httpx.LocalProtocolError)


def is_under_way(error: ApiError | httpx.TransportError) -> bool:
    """Whether the server still works on an earlier attempt."""
    return isinstance(error, IdempotencyInFlightError)
