"""The database before serving: brought up to date on request, refused when it is not."""

import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

LOCK_KEY = zlib.crc32(b"omnigent.migrate")


def migrate() -> None:
    """Apply what is missing. Replicas that start together do it one after the other."""
    with one_at_a_time():
        if missing_migrations():
            call_command("migrate", verbosity=0, interactive=False)


def missing_migrations() -> list[str]:
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """A cluster-wide lock on PostgreSQL; SQLite's server is alone behind its lock file."""
    if connection.vendor != "postgresql":
        yield
        return
    with connection.cursor() as db:
        db.execute("SELECT pg_advisory_lock(%s)", [LOCK_KEY])
        try:
            yield
        finally:
            db.execute("SELECT pg_advisory_unlock(%s)", [LOCK_KEY])
