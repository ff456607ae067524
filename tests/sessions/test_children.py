"""GET /v1/sessions/{id}/child_sessions."""

import pytest
from django.test import Client
from django.utils import timezone

from sessions_app.models import Session, Turn
from tests.error_shape import assert_error, assert_invalid
from tests.factories import agent_said, ask, label, make_child, make_session


def url(session: Session) -> str:
    return f"/v1/sessions/{session.public_id}/child_sessions"


def test_a_row_has_every_key(reader: Client) -> None:
    parent = make_session()
    child = make_child(parent, "researcher:auth")
    agent_said(child, "  a\n result " + "x" * 200)
    label(child, env="prod")
    ask(child)

    (row,) = reader.get(url(parent)).json()["data"]

    child.refresh_from_db()
    assert row == {
        "id": child.public_id,
        "object": "child_session",
        "parent_session_id": parent.public_id,
        "title": "researcher:auth",
        "task_summary": None,
        "tool": "researcher",
        "session_name": "auth",
        "kind": "sub_agent",
        "created_at": int(child.created_at.timestamp()),
        "updated_at": int(child.updated_at.timestamp()),
        "agent_id": parent.agent.public_id,
        "agent_name": parent.agent.name,
        "current_task_id": None,
        "current_task_status": None,
        "busy": False,
        "labels": {"env": "prod"},
        "last_task_error": None,
        "last_message_preview": ("a result " + "x" * 200)[:150],
        "pending_elicitations_count": 1,
        "routed_model": None,
        "routing_decision_id": None,
    }


@pytest.mark.parametrize(
    ("title", "tool", "name"),
    [("a:b", "a", "b"), ("ui:a:b", "a", "b"), ("plain", "plain", None), ("a:b:c", "a", "b:c")],
)
def test_titles_split_into_tool_and_name(reader: Client, title: str, tool: str, name: str | None) -> None:
    parent = make_session()
    make_child(parent, title)

    (row,) = reader.get(url(parent)).json()["data"]

    assert (row["tool"], row["session_name"]) == (tool, name)


@pytest.mark.parametrize(
    ("status", "shown", "busy"),
    [("running", "in_progress", True), ("waiting", "in_progress", True), ("idle", "completed", False)],
)
def test_task_status_follows_the_session(reader: Client, status: str, shown: str, busy: bool) -> None:
    parent = make_session()
    child = make_child(parent, "a:b", status=status)
    Turn.objects.create(session=child, opened_at=timezone.now())

    (row,) = reader.get(url(parent)).json()["data"]

    assert (row["current_task_status"], row["busy"]) == (shown, busy)


def test_a_failed_child_says_why(reader: Client) -> None:
    parent = make_session()
    make_child(parent, "a:b", status="failed", last_task_error={"code": "c", "message": "m"})

    (row,) = reader.get(url(parent)).json()["data"]

    assert (row["current_task_status"], row["last_task_error"]) == ("failed", {"code": "c", "message": "m"})


def test_only_direct_active_children_are_listed(reader: Client) -> None:
    parent = make_session()
    child = make_child(parent, "a:b")
    make_child(child, "c:d")
    make_child(parent, "e:f", archived=True)
    make_child(make_session(), "g:h")

    assert [row["id"] for row in reader.get(url(parent)).json()["data"]] == [child.public_id]


def test_the_filter_needs_both_parts(reader: Client) -> None:
    parent = make_session()
    one, two = make_child(parent, "a:b"), make_child(parent, "a:c")

    def listed(**query: str) -> list[str]:
        return [row["id"] for row in reader.get(url(parent), query).json()["data"]]

    assert listed(tool="a", session_name="c") == [two.public_id]
    assert listed(tool="a") == [two.public_id, one.public_id]


def test_pages_walk_in_both_directions(reader: Client) -> None:
    parent, now = make_session(), timezone.now()
    ids = [make_child(parent, f"a:{number}", created_at=now).public_id for number in range(5)]

    def walk(order: str) -> list[str]:
        seen: list[str] = []
        query: dict[str, str] = {"limit": "2", "order": order}
        while True:
            page = reader.get(url(parent), query).json()
            seen += [row["id"] for row in page["data"]]
            if not page["has_more"]:
                return seen
            query["after"] = page["last_id"]

    assert walk("asc") == ids
    assert walk("desc") == ids[::-1]


def test_cursors_must_be_children_of_this_session(reader: Client) -> None:
    parent = make_session()
    foreign = make_child(make_session(), "a:b")
    make_child(parent, "a:b")

    assert_error(reader.get(url(parent), {"after": foreign.public_id}), 400, "stale_cursor")


@pytest.mark.parametrize("limit", ["0", "1001"])
def test_the_limit_is_bounded(reader: Client, limit: str) -> None:
    assert_invalid(reader.get(url(make_session()), {"limit": limit}), "query", "limit")
