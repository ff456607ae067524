"""The migrations of search: titles that are there already are folded, and the index stands or is missed."""

import pytest
from django.core.checks import run_checks
from django.db import connection

from sessions_app.models import Session
from tests.factories import make_session
from tests.migrating import migrate, restored

__all__ = ["restored"]  # a fixture

APP = "sessions_app"


def test_titles_of_old_are_folded(restored: None) -> None:
    session, untitled = make_session(title="Große ÄNDERUNG"), make_session()
    migrate(APP, "0006_search_index")
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {Session._meta.db_table} SET folded_title = ''")

    migrate(APP, "0007_fold_titles")

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
