"""The migrations of search: titles that are there already are folded, and the index stands or is missed."""

from collections.abc import Iterator

import pytest
from django.core.checks import run_checks
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from sessions_app.models import Session
from tests.factories import make_session

APP = "sessions_app"


def migrate(name: str) -> None:
    """Go to a migration, forwards or back."""
    executor = MigrationExecutor(connection)
    targets = [key for key in executor.loader.graph.leaf_nodes() if key[0] != APP]
    executor.migrate([*targets, (APP, name)])


@pytest.fixture
def restored(transactional_db: None) -> Iterator[None]:
    """The newest migrations again after the test: other tests use the same database."""
    yield
    executor = MigrationExecutor(connection)
    executor.migrate(executor.loader.graph.leaf_nodes())


def test_titles_of_old_are_folded(restored: None) -> None:
    session, untitled = make_session(title="Große ÄNDERUNG"), make_session()
    migrate("0006_search_index")
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {Session._meta.db_table} SET folded_title = ''")

    migrate("0007_fold_titles")

    stored = dict(Session.objects.values_list("pk", "folded_title"))
    assert stored == {session.pk: "grosse änderung", untitled.pk: ""}


@pytest.mark.postgres
def test_a_missing_index_is_a_warning_with_what_to_run(db: None) -> None:
    def warnings() -> list[str | None]:
        return [found.hint for found in run_checks(databases=["default"]) if found.id == "sessions_app.W001"]

    assert warnings() == []
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX search_text_trigrams")

    (hint,) = warnings()

    assert hint is not None
    assert "CREATE EXTENSION pg_trgm" in hint
