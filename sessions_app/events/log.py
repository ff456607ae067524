"""The durable log of a session: append rows, read from a cursor, prune."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache

from django.db import connection
from django.db.models import Q

from omnigent.protocol import sse
from sessions_app import statements
from sessions_app.models import LogEntry, Session, Status

COLUMNS = ("session_id", "seq", "type", "data", "created_at")

QUIET = frozenset(
    {
        "response.output_text.delta",
        "response.reasoning.started",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
        "response.function_call_output.delta",
        "response.heartbeat",
        "response.retry",
        "session.changed_files.invalidated",
    }
)
"""What changes nothing that a list shows of the session."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One committed event; `data` is the JSON text of its frame."""

    session_id: int
    seq: int
    type: str
    data: bytes

    @property
    def changes_row(self) -> bool:
        """Whether the session's row in lists may look different after it."""
        return self.type not in QUIET

    def frame(self) -> bytes:
        """The event as every subscriber receives it."""
        return sse.encode(self.type, self.data, self.seq)


def insert(entries: Sequence[Entry], now: datetime) -> None:
    """Write log rows; the numbers were allocated on the session rows of the same transaction."""
    stamp = connection.ops.adapt_datetimefield_value(now)
    rows = [(entry.session_id, entry.seq, entry.type, entry.data.decode(), stamp) for entry in entries]
    statements.insert(LogEntry, COLUMNS, rows)


@cache
def _read_text() -> str:
    table = connection.ops.quote_name(LogEntry._meta.db_table)
    return f"SELECT seq, type, data FROM {table} WHERE session_id = %s AND seq > %s ORDER BY seq LIMIT %s"


def read(session_id: int, after: int, limit: int = 500) -> list[Entry]:
    """Up to `limit` entries past `after`, in order."""
    rows = statements.query(_read_text(), (session_id, after, limit))
    return [Entry(session_id, seq, type_, data.encode()) for seq, type_, data in rows]


def prune(older_than: datetime, session_ids: Iterable[int]) -> int:
    """Delete rows past the retention and raise their sessions' floor; a running turn is never touched."""
    removed = 0
    for session_id in session_ids:
        last = (
            LogEntry.objects.filter(session_id=session_id, created_at__lt=older_than)
            .order_by("-seq")
            .values_list("seq", flat=True)
            .first()
        )
        if last is None:
            continue
        settled = Session.objects.filter(pk=session_id, log_floor__lt=last, open_seq__isnull=True).exclude(
            status__in=[Status.RUNNING, Status.WAITING]
        )
        if settled.update(log_floor=last):
            removed += LogEntry.objects.filter(Q(session_id=session_id, seq__lte=last)).delete()[0]
    return removed
