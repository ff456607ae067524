"""Walking lists by cursor: no loss, no repeat, in both directions, whatever ties there are."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from sessions_app.models import Session
from tests.error_shape import assert_error
from tests.factories import make_agent, make_session

URL = "/v1/sessions"


@pytest.fixture
def ids(db: None) -> list[str]:
    """Twenty sessions, five in each second, newest first."""
    agent, now = make_agent(), timezone.now().replace(microsecond=0)
    made = [
        make_session(agent, created_at=now + timedelta(seconds=number // 5), updated_at=now)
        for number in range(20)
    ]
    return [session.public_id for session in reversed(made)]


def walk(reader: Client, **query: object) -> Iterator[str]:
    after: dict[str, object] = {}
    while True:
        page = reader.get(URL, {**query, **after}).json()
        shown = [row["id"] for row in page["data"]]
        assert (page["first_id"], page["last_id"]) == ((shown[0], shown[-1]) if shown else (None, None))
        yield from shown
        if not page["has_more"]:
            return
        after = {"after": page["last_id"]}


@pytest.mark.parametrize("limit", [1, 3, 7, 20, 1000])
@pytest.mark.parametrize("sort_by", ["created_at", "updated_at"])
def test_ties_walk_without_loss_or_repeat(reader: Client, ids: list[str], limit: int, sort_by: str) -> None:
    assert list(walk(reader, limit=limit, sort_by=sort_by)) == ids
    assert list(walk(reader, limit=limit, sort_by=sort_by, order="asc")) == ids[::-1]


def test_a_page_that_ends_at_the_end_has_no_more(reader: Client, ids: list[str]) -> None:
    assert reader.get(URL, {"limit": 20}).json()["has_more"] is False
    assert reader.get(URL, {"limit": 19}).json()["has_more"] is True


def test_before_counts_from_the_head_of_the_list(reader: Client, ids: list[str]) -> None:
    page = reader.get(URL, {"before": ids[10], "limit": 3}).json()

    assert [row["id"] for row in page["data"]] == ids[:3]
    assert page["has_more"] is True


def test_after_and_before_cut_out_what_lies_between(reader: Client, ids: list[str]) -> None:
    page = reader.get(URL, {"after": ids[4], "before": ids[8]}).json()

    assert [row["id"] for row in page["data"]] == ids[5:8]


def test_the_same_cursor_on_both_sides_leaves_nothing(reader: Client, ids: list[str]) -> None:
    assert reader.get(URL, {"after": ids[4], "before": ids[4]}).json()["data"] == []


def test_the_last_row_as_cursor_gives_an_empty_page(reader: Client, ids: list[str]) -> None:
    page = reader.get(URL, {"after": ids[-1]})

    assert page.status_code == 200
    assert page.json()["data"] == []


def test_a_row_added_meanwhile_does_not_shift_later_pages(reader: Client, ids: list[str]) -> None:
    first = reader.get(URL, {"limit": 5}).json()
    make_session(created_at=timezone.now() + timedelta(hours=1))

    rest = reader.get(URL, {"limit": 100, "after": first["last_id"]}).json()

    assert [row["id"] for row in rest["data"]] == ids[5:]


@pytest.mark.parametrize("sort_by", ["created_at", "updated_at"])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_rows_added_at_the_head_during_a_walk_change_nothing(
    reader: Client, ids: list[str], order: str, sort_by: str
) -> None:
    day = timedelta(days=1 if order == "desc" else -1)
    walked = []
    for session_id in walk(reader, limit=3, order=order, sort_by=sort_by):
        walked.append(session_id)
        make_session(created_at=timezone.now() + day, updated_at=timezone.now() + day)

    assert walked == (ids if order == "desc" else ids[::-1])


def test_rows_deleted_during_a_walk_change_nothing_for_the_others(reader: Client, ids: list[str]) -> None:
    walked = []
    for session_id in walk(reader, limit=3):
        walked.append(session_id)
        if len(walked) % 3 == 1:
            Session.objects.filter(public_id=session_id).delete()

    assert walked == ids


def test_a_cursor_outside_of_the_filter_is_still_good(reader: Client, ids: list[str]) -> None:
    Session.objects.filter(public_id=ids[5]).update(archived=True)

    page = reader.get(URL, {"after": ids[5], "limit": 2}).json()

    assert [row["id"] for row in page["data"]] == ids[6:8]


def test_bare_hex_cursors_are_understood(reader: Client, ids: list[str]) -> None:
    page = reader.get(URL, {"after": ids[0].removeprefix("conv_"), "limit": 1}).json()

    assert page["first_id"] == ids[1]


@pytest.mark.parametrize("side", ["after", "before"])
def test_unknown_and_deleted_cursors_are_stale(reader: Client, ids: list[str], side: str) -> None:
    Session.objects.filter(public_id=ids[3]).delete()
    text = f"pagination cursor '{ids[3]}' no longer exists; restart the enumeration without it"

    assert_error(reader.get(URL, {side: ids[3]}), 400, "stale_cursor", text)
    assert_error(reader.get(URL, {side: "conv_" + "0" * 32}), 400, "stale_cursor")


@pytest.mark.parametrize("text", ["not an id", "ä", "x" * 65, "a/b", "%00"])
def test_malformed_cursors_are_not_found(reader: Client, text: str) -> None:
    assert_error(reader.get(URL, {"after": text}), 404, "not_found", "Not found.")
