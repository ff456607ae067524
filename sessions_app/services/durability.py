"""What a commit waits for: inputs for the disk; streamed text, and work that may be done twice, for the
operating system only.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, connections, transaction


@contextmanager
def durable_transaction() -> Iterator[None]:
    """A transaction that is on the disk once it is committed, whatever the connection does otherwise."""
    _set_synchronous(settings.OMNIGENT_SQLITE_SYNCHRONOUS)
    with transaction.atomic():
        database = connections[DEFAULT_DB_ALIAS]
        if database.vendor == "postgresql":
            with database.cursor() as cursor:
                cursor.execute("SET LOCAL synchronous_commit TO DEFAULT")
        yield


@contextmanager
def streamed_transaction() -> Iterator[None]:
    """A transaction that survives the process, but perhaps not a power cut."""
    _set_synchronous(settings.OMNIGENT_WRITER_SYNCHRONOUS)
    with transaction.atomic():
        yield


@contextmanager
def repeatable_transaction() -> Iterator[None]:
    """A transaction that survives the process; where a power cut takes it, what it is about is done again.

    The connection waits for the disk again afterwards: others of its transactions are inputs.
    """
    _set_synchronous(settings.OMNIGENT_WRITER_SYNCHRONOUS)
    try:
        with transaction.atomic():
            database = connections[DEFAULT_DB_ALIAS]
            if database.vendor == "postgresql" and not settings.OMNIGENT_WRITER_SYNCHRONOUS_COMMIT:
                with database.cursor() as cursor:
                    cursor.execute("SET LOCAL synchronous_commit TO off")
            yield
    finally:
        _set_synchronous(settings.OMNIGENT_SQLITE_SYNCHRONOUS)


def _set_synchronous(level: str) -> None:
    """SQLite takes the level before a transaction. Setting it anew costs 2 us this way.

    Afterwards would be too late: whoever is waked by the commit would then wait for this thread.
    """
    database = connections[DEFAULT_DB_ALIAS]
    if database.vendor != "sqlite" or database.in_atomic_block:
        return
    with database.wrap_database_errors:
        database.ensure_connection()
        database.connection.execute(f"PRAGMA synchronous={level}")
