"""GET /v1/sessions: which rows, in which form."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import timezone

from omnigent.protocol import items
from sessions_app.models import Comment, Outbox, ReadState, Session
from tests.error_shape import assert_error, assert_invalid
from tests.factories import add_item, agent_said, ask, label, make_agent, make_child, make_session, user_said

URL = "/v1/sessions"


def listed(reader: Client, **query: object) -> list[str]:
    answer = reader.get(URL, query)
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["data"]]


def test_an_empty_list_has_no_cursors(reader: Client) -> None:
    assert reader.get(URL).json() == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


def test_rows_leave_out_what_is_null(reader: Client) -> None:
    session = make_session(make_agent("helper"))

    (row,) = reader.get(URL).json()["data"]

    assert row == {
        "id": session.public_id,
        "agent_id": session.agent.public_id,
        "agent_name": "helper",
        "status": "idle",
        "created_at": int(session.created_at.timestamp()),
        "updated_at": int(session.updated_at.timestamp()),
        "labels": {},
        "archived": False,
        "owner": "local",
        "pending_elicitations_count": 0,
        "comments_count": 0,
    }


def test_newest_comes_first_and_asc_turns_it_round(reader: Client) -> None:
    agent, now = make_agent(), timezone.now()
    ids = [make_session(agent, created_at=now + timedelta(seconds=second)).public_id for second in range(3)]

    assert listed(reader) == ids[::-1]
    assert listed(reader, order="asc") == ids


def test_sorting_by_update_is_independent_of_creation(reader: Client) -> None:
    agent, now = make_agent(), timezone.now()
    old = make_session(agent, updated_at=now + timedelta(hours=1), created_at=now)
    new = make_session(agent, updated_at=now, created_at=now + timedelta(minutes=1))

    assert listed(reader, sort_by="updated_at") == [old.public_id, new.public_id]
    assert listed(reader, sort_by="created_at") == [new.public_id, old.public_id]


def test_waiting_shows_as_running(reader: Client) -> None:
    make_session(status="waiting")

    assert [row["status"] for row in reader.get(URL).json()["data"]] == ["running"]


def test_a_running_child_makes_its_parent_running(reader: Client) -> None:
    parent = make_session()
    make_child(parent, "a:b", status="running")

    assert [row["status"] for row in reader.get(URL).json()["data"]] == ["running"]


def test_archived_rows_need_to_be_asked_for(reader: Client) -> None:
    active, archived = make_session(), make_session(archived=True)

    assert listed(reader) == [active.public_id]
    assert listed(reader, include_archived="true") == [archived.public_id, active.public_id]
    assert listed(reader, visibility="archived") == [archived.public_id]
    assert listed(reader, visibility="mine") == [active.public_id]


def test_sub_agents_need_to_be_asked_for(reader: Client) -> None:
    parent = make_session()
    child = make_child(parent, "a:b")

    assert listed(reader) == [parent.public_id]
    assert listed(reader, kind="sub_agent") == [child.public_id]
    assert listed(reader, kind="any") == [child.public_id, parent.public_id]


def test_sessions_without_agent_are_never_listed(reader: Client) -> None:
    Session.objects.create(agent=None)

    assert listed(reader, kind="any", include_archived="true") == []


def test_filters_by_agent(reader: Client) -> None:
    one, other = make_session(make_agent("one")), make_session(make_agent("other"))

    assert listed(reader, agent_id=one.agent.public_id) == [one.public_id]
    assert listed(reader, agent_id=one.agent.public_id.removeprefix("ag_")) == [one.public_id]
    assert listed(reader, agent_name="other") == [other.public_id]
    assert listed(reader, agent_id="ag_unknown") == []


@pytest.mark.parametrize(
    ("needle", "hits"),
    [
        ("DEBUG", 1),
        ("100%", 1),
        ("0_0", 0),
        ("needle in a", 1),
        ('quo"ted', 1),
        ("nowhere", 0),
        ("", 3),
        ("content", 0),
        ("\\", 0),
        ("USER", 0),
        ("Ls", 1),
    ],
)
def test_search_is_a_literal_substring_of_title_or_items(reader: Client, needle: str, hits: int) -> None:
    agent = make_agent()
    make_session(agent, title="Debug auth, 100% sure")
    talk = make_session(agent)
    user_said(talk, 'a quo"ted word')
    add_item(
        talk, items.FunctionCall(agent="user", name="content", arguments='{"command":"ls"}', call_id="c")
    )
    add_item(talk, items.FunctionCallOutput(call_id="c", output="a Needle in a haystack"))
    make_session(agent, title="100 and 0x0")

    assert len(listed(reader, search_query=needle)) == hits


def test_a_hit_in_the_text_shows_its_surroundings(reader: Client) -> None:
    agent = make_agent()
    talk = make_session(agent, title="no hit here")
    agent_said(talk, "x" * 100 + "\n  and  the\tNeedle " + "y" * 200)
    user_said(talk, "a needle again")
    titled = make_session(agent, title="needle")

    rows = {row["id"]: row for row in reader.get(URL, {"search_query": "needle"}).json()["data"]}

    assert rows[talk.public_id]["search_snippet"] == "…" + "x" * 51 + " and the Needle " + "y" * 59 + "…"
    assert "search_snippet" not in rows[titled.public_id]


def test_labels_show_and_other_peoples_pins_do_not(reader: Client) -> None:
    session = make_session()
    label(session, env="prod", **{"omnigent.pinned.local": "1", "omnigent.pinned.somebody": "1"})

    (row,) = reader.get(URL).json()["data"]

    assert row["labels"] == {"env": "prod", "omnigent.pinned": "1"}


@pytest.mark.parametrize("key", ["omnigent.pinned.somebody", "omnigent.pinned.local2"])
def test_the_pinned_filter_knows_the_callers_own_pins_only(reader: Client, key: str) -> None:
    pinned, other = make_session(), make_session()
    label(pinned, **{"omnigent.pinned.local": "1"})
    label(other, **{key: "1"})

    assert listed(reader, pinned="true") == [pinned.public_id]
    assert listed(reader, pinned="false") == [other.public_id]
    assert listed(reader) == [other.public_id, pinned.public_id]


def test_comments_and_the_viewers_own_mark_stand_in_the_row(reader: Client) -> None:
    session = make_session()
    at = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    for second in range(2):
        Comment.objects.create(
            session=session,
            path="a.py",
            start_index=0,
            end_index=1,
            body="?",
            created_at=at,
            updated_at=at - timedelta(seconds=second),
        )
    ReadState.objects.create(session=session, user_id="local", last_seen=1700000000, unread=True)
    ReadState.objects.create(session=session, user_id="somebody", last_seen=1, unread=False)

    (row,) = reader.get(URL).json()["data"]

    assert (row["comments_count"], row["comments_updated_at"]) == (2, 1767323045678901)
    assert (row["viewer_last_seen"], row["viewer_unread"]) == (1700000000, True)


def test_a_comment_at_a_full_second_counts_its_microseconds_too(reader: Client) -> None:
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    values = {"path": "a", "start_index": 0, "end_index": 0, "body": "?", "created_at": at}
    Comment.objects.create(session=make_session(), updated_at=at, **values)

    (row,) = reader.get(URL).json()["data"]

    assert row["comments_updated_at"] == 1767323045000000


def test_a_message_on_its_way_makes_a_session_running(reader: Client) -> None:
    session, failed = make_session(), make_session(status="failed")
    for one in (session, failed):
        now = timezone.now()
        Outbox.objects.create(session=one, kind="message", body="{}", created_at=now, deadline=now)

    assert [row["status"] for row in reader.get(URL).json()["data"]] == ["failed", "running"]


def test_questions_count_up_to_the_top(reader: Client) -> None:
    top = make_session()
    child = make_child(top, "a:b")
    grandchild = make_child(child, "c:d")
    ask(top)
    ask(grandchild)

    rows = reader.get(URL, {"kind": "any"}).json()["data"]

    counts = {row["id"]: row["pending_elicitations_count"] for row in rows}
    assert counts == {top.public_id: 2, child.public_id: 1, grandchild.public_id: 1}


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("limit", "0", "greater_than_equal"),
        ("limit", "1001", "less_than_equal"),
        ("limit", "abc", "int_parsing"),
        ("order", "up", "string_pattern_mismatch"),
        ("kind", "robot", "string_pattern_mismatch"),
        ("sort_by", "title", "string_pattern_mismatch"),
        ("include_archived", "maybe", "bool_parsing"),
        ("pinned", "maybe", "bool_parsing"),
        ("visibility", "none", "literal_error"),
        ("search_query", "a\0b", "value_error"),
    ],
)
def test_bad_parameters_are_named(reader: Client, name: str, value: str, kind: str) -> None:
    row = assert_invalid(reader.get(URL, {name: value}), "query", name, kind=kind)

    assert row["input"] == value


def test_the_example_of_a_bad_limit_is_answered_to_the_letter(reader: Client) -> None:
    assert reader.get(URL, {"limit": "0"}).json()["detail"] == [
        {
            "type": "greater_than_equal",
            "loc": ["query", "limit"],
            "msg": "Input should be greater than or equal to 1",
            "input": "0",
            "ctx": {"ge": 1},
        }
    ]


def test_the_largest_page_is_allowed(reader: Client) -> None:
    assert reader.get(URL, {"limit": 1000}).status_code == 200


def test_agent_text_is_searched_too(reader: Client) -> None:
    session = make_session()
    agent_said(session, "the answer is Paris")

    assert listed(reader, search_query="paris") == [session.public_id]


def test_unknown_paths_and_methods_get_the_error_shape(reader: Client) -> None:
    assert_error(reader.get("/v1/nothing"), 404, "not_found", "Not found")
    assert_error(reader.put(URL), 404, "not_found", "Not found")
