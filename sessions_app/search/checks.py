"""The system check of search: whether PostgreSQL has its index."""

from collections.abc import Sequence

from django.core.checks import CheckMessage, Warning
from django.db import DatabaseError, connection

from sessions_app.models import SearchText
from sessions_app.statements import query

TEXT, TRIGRAM_INDEX = SearchText._meta.db_table, "search_text_trigrams"


def check_trigrams(databases: Sequence[str] | None, **kwargs: object) -> list[CheckMessage]:
    """A PostgreSQL without pg_trgm still searches, by reading: slower, and cut short by the time budget."""
    if not databases or connection.alias not in databases or connection.vendor != "postgresql":
        return []
    try:
        ((is_migrated, has_index),) = query(
            "SELECT to_regclass(%s) IS NOT NULL, to_regclass(%s) IS NOT NULL", [TEXT, TRIGRAM_INDEX]
        )
    except DatabaseError:
        return []
    if has_index or not is_migrated:
        return []
    return [
        Warning(
            "Search has no trigram index.",
            hint="As a role that may: CREATE EXTENSION pg_trgm; "
            f"CREATE INDEX {TRIGRAM_INDEX} ON {TEXT} USING gin (text gin_trgm_ops); then restart the server.",
            id="sessions_app.W001",
        )
    ]
