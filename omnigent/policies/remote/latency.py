"""How long the latest calls took."""

import math
from collections import deque
from dataclasses import dataclass

RING_SIZE = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class LatencySummary:
    """Milliseconds over the latest calls, at most 256; None before the first."""

    count: int = 0
    last: float | None = None
    mean: float | None = None
    p95: float | None = None


class Latency:
    """A ring of durations. May be read from other threads."""

    def __init__(self) -> None:
        self._ring: deque[float] = deque(maxlen=RING_SIZE)

    def record(self, milliseconds: float) -> None:
        """Add a call; the oldest is forgotten."""
        self._ring.append(milliseconds)

    def summary(self) -> LatencySummary:
        """The figures now."""
        durations = list(self._ring)
        if not durations:
            return LatencySummary()
        nearest_rank = math.ceil(0.95 * len(durations)) - 1
        return LatencySummary(
            count=len(durations),
            last=durations[-1],
            mean=math.fsum(durations) / len(durations),
            p95=sorted(durations)[nearest_rank],
        )
