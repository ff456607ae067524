"""The operators' pages of sessions, runners and hosts."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.factories import ask, make_agent, make_host, make_runner, make_session, user_said


@pytest.mark.parametrize("name", ["session", "runner", "host", "lease"])
def test_lists_cost_the_same_however_long_they_are(reader: Client, name: str) -> None:
    def build(number: int) -> None:
        ask(make_session(make_agent(f"a{number}"), title=f"t{number}"))
        make_host()
        make_runner(f"token{number}")

    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert reader.get(f"/admin/sessions_app/{name}/").status_code == 200
        return len(captured)

    build(0)
    statements()
    few = statements()
    for number in range(1, 8):
        build(number)

    assert statements() == few


def test_a_session_shows_its_transcript(reader: Client) -> None:
    session = make_session(title="Look here")
    user_said(session, "What a transcript")

    page = reader.get(f"/admin/sessions_app/session/{session.pk}/change/").content.decode()

    assert "What a transcript" in page
    assert 'name="_save"' not in page


def test_sessions_can_be_searched(reader: Client) -> None:
    make_session(title="needle")
    make_session(title="hay")

    page = reader.get("/admin/sessions_app/session/", {"q": "needle"}).content.decode()

    assert "needle" in page
    assert ">hay<" not in page
