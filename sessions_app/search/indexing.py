"""Filling the search index: in batches, behind a mark, by whoever searches or by the server's idle loop."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection

from sessions_app.models import Item, SearchProgress, SearchText, Session
from sessions_app.search.limits import Deadline, TimeIsUpError, patient
from sessions_app.search.words import folded, spoken
from sessions_app.statements import Row, query

ROWS = 500
BYTES = 256 * 1024
"""A batch: at most so many items, and no more once their stored JSON passes so many bytes."""

LOCK = 0x6F6D6E69
"""The advisory lock of PostgreSQL that the index's only writer holds, and deletions share."""

ITEM, TEXT = Item._meta.db_table, SearchText._meta.db_table
SESSION, PROGRESS = Session._meta.db_table, SearchProgress._meta.db_table

# Not as NOT EXISTS: for the few items behind the mark PostgreSQL would read the whole other table.
UNREAD = f"(SELECT t.item_id FROM {TEXT} t WHERE t.item_id = item.id) IS NULL"


@dataclass(frozen=True, slots=True)
class Marks:
    """`SearchProgress` as read, with what PostgreSQL says now: the oldest and the next transaction, and the
    last id given to an item before.
    """

    indexed_to: int
    settled_to: int
    horizon: int
    oldest: int
    following: int
    top: int

    @property
    def settled(self) -> int:
        """No item with an id up to this one will appear any more."""
        return self.settled_to if self.oldest >= self.horizon else self.indexed_to


def catch_up(deadline: Deadline) -> bool:
    """Bring the index up to date; false when the time was not enough. What is done stays done."""
    batch = _postgresql_batch if connection.vendor == "postgresql" else _sqlite_batch
    try:
        while not deadline.is_over:
            if batch(deadline):
                return True
    except TimeIsUpError:
        return False
    return False


def exclude_writer() -> None:
    """Until the end of the caller's transaction no text is added: what it deletes stays deleted.

    SQLite has one writer at a time anyway.
    """
    if connection.vendor == "postgresql":
        query("SELECT pg_advisory_xact_lock_shared(%s)::text", [LOCK])


def is_behind() -> str:
    """The SQL of the question whether items are missing from the index; a constant per kind of database."""
    mark = f"COALESCE((SELECT indexed_to FROM {PROGRESS}), 0)"
    if connection.vendor == "postgresql":
        return f"EXISTS (SELECT 1 FROM {ITEM} item WHERE item.id > {mark} AND {UNREAD})"
    return f"COALESCE((SELECT MAX(id) FROM {ITEM}), 0) > {mark}"


def _sqlite_batch(deadline: Deadline) -> bool:
    """Ids become visible in order here, so one mark is enough. True when nothing is left."""
    (start,) = query(f"SELECT COALESCE(MAX(indexed_to), 0) FROM {PROGRESS}", [])[0]
    rows, is_last = _read_sqlite(start)
    if not rows:
        return True
    values = [(pk, session, folded(spoken(data)), session) for pk, session, data in rows]
    with patient(deadline), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT OR IGNORE INTO {PROGRESS} (id, indexed_to, settled_to, horizon) VALUES (1, 0, 0, 0)"
        )
        cursor.execute(f"UPDATE {PROGRESS} SET indexed_to = %s WHERE indexed_to = %s", [rows[-1][0], start])
        if cursor.rowcount != 1:
            return False
        # A session that was deleted since the rows were read must not leave its words behind.
        cursor.executemany(
            f"INSERT OR IGNORE INTO {TEXT} (item_id, session_id, text) "
            f"SELECT %s, %s, %s WHERE EXISTS (SELECT 1 FROM {SESSION} WHERE id = %s)",
            values,
        )
    return is_last


def _read_sqlite(start: int) -> tuple[list[Row], bool]:
    """The next items, and whether they are the last ones."""
    rows: list[Row] = []
    size = 0
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, session_id, data FROM {ITEM} WHERE id > %s ORDER BY id LIMIT {ROWS}", [start]
        )
        while (row := cursor.fetchone()) is not None:
            rows.append(row)
            size += len(row[2])
            if size >= BYTES:
                return rows, False
    return rows, len(rows) < ROWS


def _postgresql_batch(deadline: Deadline) -> bool:
    """One batch under the lock. True when nothing is left."""
    with patient(deadline):
        marks = _marks()
        rows = query(_READ_POSTGRESQL, [ROWS, BYTES, marks.indexed_to, ROWS, BYTES])
        is_last = not rows or not rows[-1][3]
        done = marks.settled if is_last else min(marks.settled, rows[-1][0])
        _insert_postgresql(rows)
        _advance(marks, max(done, marks.indexed_to))
    return is_last


def _marks() -> Marks:
    # The id is read before the snapshot of the statement that asks for transactions is taken: whoever was
    # given an id up to it is then known as a transaction, because rows of sessions are written before items.
    ((_, top),) = query(
        f"SELECT pg_advisory_xact_lock({LOCK})::text, "
        f"COALESCE(pg_sequence_last_value(pg_get_serial_sequence('{ITEM}', 'id')::regclass), 0)",
        [],
    )
    ((indexed_to, settled_to, horizon, oldest, following),) = query(
        "SELECT COALESCE(p.indexed_to, 0), COALESCE(p.settled_to, 0), COALESCE(p.horizon, 0), "
        "pg_snapshot_xmin(now.snapshot)::text::bigint, pg_snapshot_xmax(now.snapshot)::text::bigint "
        f"FROM (SELECT pg_current_snapshot() AS snapshot) now LEFT JOIN {PROGRESS} p ON TRUE",
        [],
    )
    return Marks(indexed_to, settled_to, horizon, oldest, following, top)


# The last column says whether items are left: the batch is full, or its bytes are.
_READ_POSTGRESQL = f"""
SELECT id, session_id, data, number = %s OR total >= %s FROM (
  SELECT id, session_id, data, octet_length(data) AS own,
    ROW_NUMBER() OVER (ORDER BY id) AS number, SUM(octet_length(data)) OVER (ORDER BY id) AS total
  FROM (
    SELECT item.id, item.session_id, item.data FROM {ITEM} item
    WHERE item.id > %s AND {UNREAD}
    ORDER BY item.id LIMIT %s
  ) unread
) counted WHERE total - own < %s ORDER BY id
"""


def _insert_postgresql(rows: Sequence[Row]) -> None:
    if not rows:
        return
    ids, sessions = [row[0] for row in rows], [row[1] for row in rows]
    texts = [folded(spoken(row[2])) for row in rows]
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {TEXT} (item_id, session_id, text) "
            "SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::text[])",
            [ids, sessions, texts],
        )


def _advance(marks: Marks, done: int) -> None:
    settled_to, horizon = marks.settled_to, marks.horizon
    if marks.oldest >= horizon:
        settled_to, horizon = marks.top, marks.following
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {PROGRESS} (id, indexed_to, settled_to, horizon) VALUES (1, %s, %s, %s) "
            "ON CONFLICT (id) DO UPDATE SET indexed_to = EXCLUDED.indexed_to, "
            "settled_to = EXCLUDED.settled_to, horizon = EXCLUDED.horizon",
            [done, settled_to, horizon],
        )
