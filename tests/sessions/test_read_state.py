"""PUT /v1/sessions/{id}/read-state."""

from typing import Any

import pytest

from omnigent.api.validation import validate
from sessions_app.bodies import UpdateSession
from sessions_app.models import ReadState, Session
from sessions_app.services import updating
from tests.error_shape import assert_error, assert_invalid
from tests.sessions.cast import caller, shared_session, url

MARK = {"last_seen": 1795306411, "unread": False}


@pytest.fixture(autouse=True)
def many_users(settings: Any, db: None) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"


@pytest.fixture
def session() -> Session:
    return shared_session()


def marks() -> dict[str, tuple[int, bool]]:
    return {row.user_id: (row.last_seen, row.unread) for row in ReadState.objects.all()}


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("stranger", 404), ("reader", 204), ("editor", 204), ("manager", 204), ("owner", 204), ("admin", 204),
        ("runner", 403), ("other runner", 404),
    ],
)  # fmt: skip
def test_every_reader_has_a_mark_of_their_own(session: Session, name: str, status: int) -> None:
    answer = caller(name).request("PUT", url(session, "read-state"), MARK)

    assert answer.status_code == status
    assert marks() == ({name: (MARK["last_seen"], False)} if status == 204 else {})
    if status == 204:
        assert answer.content == b""


def test_the_last_mark_counts_and_others_keep_theirs(session: Session) -> None:
    for name, mark in (("owner", MARK), ("reader", MARK), ("owner", {"last_seen": 5, "unread": True})):
        assert caller(name).request("PUT", url(session, "read-state"), mark).status_code == 204

    assert marks() == {"owner": (5, True), "reader": (MARK["last_seen"], False)}


def test_reading_is_no_news_of_the_session(session: Session) -> None:
    before = session.updated_at
    caller("owner").request("PUT", url(session, "read-state"), MARK)

    session.refresh_from_db()
    assert (session.updated_at, session.seq) == (before, 0)


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({**MARK, "more": 1}, "more"),
        ({"last_seen": 1}, "unread"),
        ({"unread": True}, "last_seen"),
        ({**MARK, "last_seen": -1}, "last_seen"),
        ({**MARK, "last_seen": 2**53 + 1}, "last_seen"),
        ({**MARK, "last_seen": 10**30}, "last_seen"),
        ({**MARK, "last_seen": "1"}, "last_seen"),
        ({**MARK, "last_seen": 1.5}, "last_seen"),
        ({**MARK, "last_seen": True}, "last_seen"),
        ({**MARK, "unread": "yes"}, "unread"),
        ({**MARK, "unread": None}, "unread"),
    ],
)
def test_bad_marks_are_named(session: Session, body: dict[str, Any], loc: str) -> None:
    assert caller("owner").request("PUT", url(session, "read-state"), body).status_code == 422
    assert_invalid(caller("owner").request("PUT", url(session, "read-state"), body), "body")
    assert marks() == {}


def test_the_largest_mark_is_kept(session: Session) -> None:
    caller("owner").request("PUT", url(session, "read-state"), {"last_seen": 2**53, "unread": True})

    assert marks() == {"owner": (2**53, True)}


def test_archiving_drops_the_mark_of_who_archives(session: Session) -> None:
    for name in ("owner", "reader"):
        caller(name).request("PUT", url(session, "read-state"), MARK)
    body = validate(UpdateSession, {"archived": True}, where="body")

    updating.update(caller("owner").principal, session.public_id, body, None, with_usage=False)

    assert set(marks()) == {"reader"}


def test_a_mark_goes_with_its_session(session: Session) -> None:
    caller("owner").request("PUT", url(session, "read-state"), MARK)
    Session.objects.all().delete()

    assert marks() == {}
    assert_error(caller("owner").request("PUT", url(session, "read-state"), MARK), 404, "not_found")
