"""GET /v1/sessions/{id}/items: the transcript in pages."""

from collections.abc import Iterator

import pytest
from django.test import Client

from omnigent.protocol import items
from sessions_app.models import Item, Session
from tests.error_shape import assert_error, assert_invalid
from tests.factories import add_item, agent_said, make_session, user_said


def url(session: Session) -> str:
    return f"/v1/sessions/{session.public_id}/items"


def walk(reader: Client, session: Session, **query: object) -> Iterator[str]:
    after: dict[str, object] = {}
    while True:
        page = reader.get(url(session), {**query, **after}).json()
        yield from (item["id"] for item in page["data"])
        if not page["has_more"]:
            return
        after = {"after": page["last_id"]}


def test_a_session_without_items_has_an_empty_page(reader: Client) -> None:
    assert reader.get(url(make_session())).json() == {
        "object": "list",
        "data": [],
        "first_id": None,
        "last_id": None,
        "has_more": False,
    }


def test_rows_are_flat_and_carry_their_data(reader: Client) -> None:
    session = make_session()
    item_id = add_item(
        session,
        items.FunctionCall(
            agent="helper", name="sys_os_shell", arguments='{"command":"ls"}', call_id="call_1"
        ),
        response_id="resp_a",
    )

    (row,) = reader.get(url(session)).json()["data"]

    assert row == {
        "id": item_id,
        "response_id": "resp_a",
        "type": "function_call",
        "status": "completed",
        "created_at": row["created_at"],
        "model": "helper",
        "name": "sys_os_shell",
        "arguments": '{"command":"ls"}',
        "call_id": "call_1",
        "data": {
            "model": "helper",
            "name": "sys_os_shell",
            "arguments": '{"command":"ls"}',
            "call_id": "call_1",
            "namespace": None,
        },
    }
    assert isinstance(row["created_at"], int)


def test_the_author_shows_when_a_person_wrote_it(reader: Client) -> None:
    session = make_session()
    user_said(session, "mine")
    Item.objects.filter(session=session).update(created_by="alice")

    (row,) = reader.get(url(session)).json()["data"]

    assert row["created_by"] == "alice"


def test_desc_is_the_exact_reverse(reader: Client) -> None:
    session = make_session()
    ids = [user_said(session, str(number)) for number in range(5)]

    assert list(walk(reader, session)) == ids
    assert list(walk(reader, session, order="desc")) == ids[::-1]


@pytest.mark.parametrize("limit", [1, 2, 5, 1000])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_join_without_loss_or_repeat(reader: Client, limit: int, order: str) -> None:
    session = make_session()
    ids = [agent_said(session, str(number)) for number in range(5)]

    assert list(walk(reader, session, limit=limit, order=order)) == (ids if order == "asc" else ids[::-1])


def test_before_counts_from_the_head(reader: Client) -> None:
    session = make_session()
    ids = [user_said(session, str(number)) for number in range(6)]

    page = reader.get(url(session), {"before": ids[4], "limit": 2}).json()

    assert [item["id"] for item in page["data"]] == ids[:2]
    assert page["has_more"] is True


def test_other_sessions_items_stay_out(reader: Client) -> None:
    mine, other = make_session(), make_session()
    own = user_said(mine, "mine")
    user_said(other, "other")

    assert list(walk(reader, mine)) == [own]


def test_a_cursor_of_another_session_is_stale(reader: Client) -> None:
    mine, other = make_session(), make_session()
    user_said(mine, "mine")
    foreign = user_said(other, "other")

    assert_error(reader.get(url(mine), {"after": foreign}), 400, "stale_cursor")
    assert_error(reader.get(url(mine), {"before": foreign}), 400, "stale_cursor")


def test_cursors_are_checked(reader: Client) -> None:
    session = make_session()

    assert_error(reader.get(url(session), {"after": "item_" + "0" * 32}), 400, "stale_cursor")
    assert_error(reader.get(url(session), {"after": "no id!"}), 404, "not_found", "Not found.")


@pytest.mark.parametrize(
    ("name", "value"), [("limit", "0"), ("limit", "1001"), ("limit", "x"), ("order", "no")]
)
def test_bad_parameters_are_named(reader: Client, name: str, value: str) -> None:
    assert_invalid(reader.get(url(make_session()), {name: value}), "query", name)


def test_an_unknown_session_has_no_items(reader: Client) -> None:
    assert_error(reader.get(f"/v1/sessions/conv_{'0' * 32}/items"), 404, "not_found", "Session not found")
