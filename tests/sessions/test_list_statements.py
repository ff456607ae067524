"""However many sessions there are and whatever the list is narrowed to, it takes as many statements."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents_app.models import Agent
from omnigent.api.pagination import Page
from sessions_app import listing
from sessions_app.listing import Filters, Viewer
from sessions_app.models import Grant, ReadState, Session
from tests.factories import ask, label, make_agent, make_child, make_session

LARGEST = 4
CONTROL = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "ROLLBACK")


def grow(agent: Agent, count: int) -> Session:
    """More sessions of ann with all that a row shows; bob may read them."""
    session = make_session(agent, owner="ann")
    for number in range(count):
        session = make_session(agent, owner="ann", created_at=timezone.now())
        Grant.objects.create(session=session, user_id="bob", level=1)
        ReadState.objects.create(session=session, user_id="bob", last_seen=number, unread=False)
        label(session, **{"omnigent.pinned.bob": "1", "omni_project": "a"})
        ask(make_child(session, "a:b"))
    return session


def statements(reader: Client, query: dict[str, str]) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert reader.get("/v1/sessions", query).status_code == 200
    return len([entry for entry in captured if not entry["sql"].startswith(CONTROL)])


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"limit": "1000", "kind": "any", "include_archived": "true"},
        {"visibility": "mine", "sort_by": "updated_at"},
        {"project": "a"},
        {"project": "", "pinned": "false"},
        {"agent_name": "x", "order": "asc"},
    ],
    ids=str,
)
def test_filters_cost_no_statements(reader: Client, query: dict[str, str]) -> None:
    agent = make_agent("x")
    grow(agent, 3)
    statements(reader, query)
    few = statements(reader, query)

    grow(agent, 40)

    assert statements(reader, query) == few <= LARGEST


@pytest.mark.parametrize("visibility", ["all", "shared"])
def test_grants_and_cursors_cost_no_statements(db: None, visibility: listing.Visibility) -> None:
    agent = make_agent()
    viewer = Viewer(user_id="bob", sees_all=False, shows_level=True)

    def counted(session: Session) -> int:
        page = Page(limit=20, before=session.public_id)
        with CaptureQueriesContext(connection) as captured:
            listing.read(viewer, Filters(visibility=visibility), page)
        return len(captured)

    few = counted(grow(agent, 3))

    assert counted(grow(agent, 40)) == few < LARGEST
