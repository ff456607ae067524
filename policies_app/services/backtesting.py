"""A draft tried on what was decided: which rows, read piece by piece, and what came of it."""

import asyncio
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Max, Min, QuerySet, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from omnigent.ids import SESSION, canonical
from omnigent.policies.judging import judge
from omnigent.policies.types import PolicyRef
from policies_app.models import Decision
from policies_app.services.drafts import backtested
from policies_app.services.replaying import Recorded, Replay
from policies_app.simulation_bodies import BacktestBody

ROWS = 250
"""So many are read at a time; each may hold 64 KiB of input."""
SLICE_SECONDS = 0.005
"""So long the event loop may be kept from others."""
THREADS = 2
JSON = ("steps", "input")
COLUMNS = tuple(Recorded.__dataclass_fields__)
SELECTED = tuple(Cast(name, TextField()) if name in JSON else name for name in COLUMNS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """The part of the log that is asked for, rows `first` to `last`; `left_out` older ones were too many."""

    since: datetime
    rows: QuerySet[Decision]
    first: int
    last: int
    left_out: int


def stretch_of(asked: BacktestBody) -> Stretch:
    """The newest rows, up to the limit."""
    since = timezone.now() - timedelta(days=asked.days)
    rows = Decision.objects.all()
    if asked.session_id is not None:
        rows = rows.filter(session_id=canonical(SESSION, asked.session_id) or "?")
    if asked.phases is not None:
        rows = rows.filter(phase__in=asked.phases)
    recent = rows.filter(created_at__gte=since)
    found = recent.aggregate(first=Min("seq"), last=Max("seq"), total=Count("seq"))
    first, last, total = found["first"] or 1, found["last"] or 0, found["total"]
    if total > asked.limit:
        newest = recent.order_by("-seq").values_list("seq", flat=True)
        first = newest[asked.limit - 1]
    left_out = max(0, total - asked.limit)
    return Stretch(since=since, rows=rows, first=first, last=last, left_out=left_out)


def piece(stretch: Stretch, after: int) -> list[Recorded]:
    """The next rows; none when there are no more."""
    if after >= stretch.last:
        return []
    wanted = stretch.rows.filter(seq__gt=after, seq__lte=stretch.last).order_by("seq")
    return [Recorded(**dict(zip(COLUMNS, row, strict=True))) for row in wanted.values_list(*SELECTED)[:ROWS]]


class Backtest:
    """One draft on its way through the log; belongs to one caller, who closes it."""

    def __init__(self, asked: BacktestBody) -> None:
        self.ref: PolicyRef = backtested(asked.policy)
        self.replay = Replay(asked.replaces)
        self._asked = asked
        self._began = time.monotonic()
        # An operator's handler that hangs must not take the threads that real evaluations need.
        self._threads: Executor = ThreadPoolExecutor(THREADS, thread_name_prefix="backtest")

    @property
    def is_over(self) -> bool:
        """Whether its time is up."""
        return time.monotonic() - self._began >= self._asked.max_seconds

    async def feed(self, rows: list[Recorded]) -> bool:
        """Ask the draft about rows, and let others have the loop now and then; False when time is up."""
        resumed = time.monotonic()
        for row in rows:
            if self.is_over:
                return False
            asked = self.replay.event_of(row)
            if asked is not None:
                event, state = asked
                self.replay.take(row, await judge(event, (self.ref,), state, threads=self._threads))
            if time.monotonic() - resumed >= SLICE_SECONDS:
                await asyncio.sleep(0)
                resumed = time.monotonic()
        return True

    def close(self) -> None:
        """A handler that still runs is left to itself."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def shown(self, stretch: Stretch, *, is_whole: bool) -> dict[str, Any]:
        """What came of it."""
        replay = self.replay
        return {
            "object": "policy_backtest",
            "since": stretch.since.timestamp(),
            "until": None if replay.until is None else replay.until.timestamp(),
            "decisions": replay.seen,
            "evaluated": replay.evaluated,
            "skipped": replay.skipped,
            "continued": replay.continued,
            "redacted": replay.redacted,
            "failed": replay.failed,
            "forgotten_sessions": replay.forgotten,
            "left_out": stretch.left_out,
            "is_partial": not is_whole or stretch.left_out > 0,
            "counts": replay.counts,
            "examples": replay.examples,
            "seconds": round(time.monotonic() - self._began, 3),
        }


def backtest(asked: BacktestBody) -> dict[str, Any]:
    """The whole of it on the caller's thread, for pages; the API goes the asynchronous road.

    Raises INVALID_INPUT for a draft that cannot be tried.
    """
    running = Backtest(asked)
    try:
        stretch = stretch_of(asked)
        after, is_whole = stretch.first - 1, True
        while is_whole and (rows := piece(stretch, after)):
            is_whole = asyncio.run(running.feed(rows))
            after = rows[-1].seq
        return running.shown(stretch, is_whole=is_whole)
    finally:
        running.close()
