"""How long a search may take, held by the database itself: a statement is cut short when the time is up."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connection, transaction

from sessions_app.statements import Row

STEPS = 2000
"""Instructions of SQLite's machine between two looks at the clock."""


class Deadline:
    """A moment of the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._at = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds until then; negative afterwards."""
        return self._at - time.monotonic()

    @property
    def is_over(self) -> bool:
        """Whether it has come."""
        return self.left <= 0


class TimeIsUpError(Exception):
    """The statement did not finish in time; what it would have changed is not changed."""


@contextmanager
def limited(deadline: Deadline) -> Iterator[None]:
    """Statements inside end at the deadline with `TimeIsUpError`; for one statement, or few short ones."""
    if deadline.is_over:
        raise TimeIsUpError
    if connection.vendor == "postgresql":
        with _limited_postgresql(deadline):
            yield
        return
    connection.ensure_connection()
    raw: Any = connection.connection
    raw.set_progress_handler(lambda: int(deadline.is_over), STEPS)
    try:
        yield
    except OperationalError as error:
        if "interrupted" in str(error) or "locked" in str(error):
            raise TimeIsUpError from error
        raise
    finally:
        raw.set_progress_handler(None, 0)


@contextmanager
def _limited_postgresql(deadline: Deadline) -> Iterator[None]:
    try:
        with transaction.atomic():
            _set_timeouts(f"{max(1, int(1000 * deadline.left))}ms")
            yield
            _set_timeouts("DEFAULT")
    except OperationalError as error:
        # 57014 is the statement's limit, 55P03 that of a lock; both roll back.
        if getattr(error.__cause__, "sqlstate", None) in ("57014", "55P03"):
            raise TimeIsUpError from error
        raise


def _set_timeouts(value: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL statement_timeout TO {value if value == 'DEFAULT' else repr(value)}")


@contextmanager
def patient(deadline: Deadline) -> Iterator[None]:
    """A writer's transaction that waits for others no longer than the deadline; else `TimeIsUpError`."""
    if connection.vendor == "postgresql":
        with _limited_postgresql(deadline):
            yield
        return
    if connection.in_atomic_block:
        yield
        return
    _begin(max(1, int(1000 * deadline.left)))
    try:
        yield
    except BaseException:
        _execute("ROLLBACK")
        raise
    _execute("COMMIT")


def _begin(milliseconds: int) -> None:
    """Start a writing transaction of SQLite.

    Not by `atomic`: when its BEGIN fails, the cursor stays open in a cycle of garbage, and a thread that
    collects it waits for this one's connection, maybe with the lock that this one is waiting for.
    """
    ((usual,),) = _execute("PRAGMA busy_timeout")
    _execute(f"PRAGMA busy_timeout={milliseconds}")
    try:
        _execute("BEGIN IMMEDIATE")
    except OperationalError as error:
        if "locked" in str(error):
            raise TimeIsUpError from error
        raise
    finally:
        _execute(f"PRAGMA busy_timeout={usual}")


def _execute(sql: str) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql)
        rows: list[Row] = cursor.fetchall()
        return rows
