"""The two database configurations: SQLite in WAL mode by default, PostgreSQL by URL."""

from pathlib import Path
from typing import Any

import dj_database_url

BUSY_TIMEOUT_SECONDS = 20


def sqlite(path: Path, *, synchronous: str) -> dict[str, Any]:
    """WAL, so that readers never wait for the writer, and BEGIN IMMEDIATE, so that two writers queue for the
    busy timeout instead of failing when the second one wants to upgrade its read lock.
    """
    pragmas = (
        "journal_mode=WAL",
        f"synchronous={synchronous}",
        "cache_size=-16000",
        "mmap_size=134217728",
        "temp_store=MEMORY",
        "journal_size_limit=67108864",
    )
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path),
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "timeout": BUSY_TIMEOUT_SECONDS,
            "transaction_mode": "IMMEDIATE",
            "init_command": ";".join(f"PRAGMA {pragma}" for pragma in pragmas),
        },
    }


def from_url(url: str) -> dict[str, Any]:
    """A server database. Connections live as long as the pool thread that opened them and are checked when
    they are taken up again, so that a restart of the database costs a reconnect and no error.
    """
    config: dict[str, Any] = dict(dj_database_url.parse(url))
    config["CONN_MAX_AGE"] = None
    config["CONN_HEALTH_CHECKS"] = True
    return config
