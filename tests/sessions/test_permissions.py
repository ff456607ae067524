"""/v1/sessions/{id}/permissions: who may share, with whom, and what the server's rules allow."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sessions_app.models import Grant, ReadState, Session, Sharing
from sessions_app.services.access import may_read
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_child, make_session
from tests.sessions.cast import PEOPLE, caller, shared_session, url


@pytest.fixture(autouse=True)
def many_users(settings: Any, db: None) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"


@pytest.fixture
def session() -> Session:
    return shared_session()


def levels(session: Session) -> dict[str, int]:
    return dict(Grant.objects.filter(session=session).values_list("user_id", "level"))


EXPECTED = {"stranger": 404, "reader": 403, "editor": 403, "manager": 200, "owner": 200, "admin": 200}
RUNNERS = {"runner": 403, "other runner": 404}


@pytest.mark.parametrize(("name", "status"), {**EXPECTED, **RUNNERS}.items())
def test_who_may_list(session: Session, name: str, status: int) -> None:
    answer = caller(name).request("GET", url(session, "permissions"))

    assert answer.status_code == status
    if status == 200:
        assert answer.json() == {
            "permissions": [
                {"user_id": user, "conversation_id": session.public_id, "level": level}
                for user, level in (("owner", 4), ("reader", 1), ("editor", 2), ("manager", 3))
            ],
            "next_cursor": None,
        }
    else:
        assert_error(answer, status, "not_found" if status == 404 else "forbidden")


@pytest.mark.parametrize(("name", "status"), {**EXPECTED, **RUNNERS}.items())
def test_who_may_grant(session: Session, name: str, status: int) -> None:
    answer = caller(name).request("PUT", url(session, "permissions"), {"user_id": "new", "level": 2})

    assert answer.status_code == status
    assert ("new" in levels(session)) is (status == 200)
    if status == 200:
        assert answer.json() == {"user_id": "new", "conversation_id": session.public_id, "level": 2}


@pytest.mark.parametrize(
    ("name", "status"), {**EXPECTED, "manager": 204, "owner": 204, "admin": 204, **RUNNERS}.items()
)
def test_who_may_revoke(session: Session, name: str, status: int) -> None:
    Grant.objects.create(session=session, user_id="guest", level=1)

    answer = caller(name).request("DELETE", url(session, "permissions/guest"))

    assert answer.status_code == status
    assert ("guest" in levels(session)) is (status != 204)
    if status == 204:
        assert answer.content == b""


@pytest.mark.parametrize("name", ["reader", "editor", "manager"])
def test_everybody_but_the_owner_may_leave(session: Session, name: str) -> None:
    ReadState.objects.create(session=session, user_id=name, last_seen=1)
    assert caller(name).request("DELETE", url(session, "permissions", name)).status_code == 204

    assert name not in levels(session)
    assert not may_read(caller(name).principal, session.public_id)
    assert not ReadState.objects.exists()
    assert_error(caller(name).request("DELETE", url(session, "permissions", name)), 404, "not_found")


def test_the_owner_may_not_leave(session: Session) -> None:
    assert_error(caller("owner").request("DELETE", url(session, "permissions/owner")), 403, "forbidden")
    assert levels(session)["owner"] == 4


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("name", ["manager", "admin"])
def test_the_owners_row_is_not_touched(session: Session, method: str, name: str) -> None:
    path = url(session, "permissions") if method == "PUT" else url(session, "permissions/owner")
    body = {"user_id": "owner", "level": 1} if method == "PUT" else None

    assert_error(caller(name).request(method, path, body), 403, "forbidden")
    assert levels(session)["owner"] == 4


@pytest.mark.parametrize("name", ["manager", "owner", "admin"])
def test_nobody_changes_their_own_row(session: Session, name: str) -> None:
    before = levels(session)
    answer = caller(name).request("PUT", url(session, "permissions"), {"user_id": name, "level": 3})

    assert_error(answer, 403, "forbidden", "Cannot modify your own permissions")
    assert levels(session) == before


def test_a_grant_is_changed_and_acts_at_once(session: Session) -> None:
    manager = caller("manager")
    manager.request("PUT", url(session, "permissions"), {"user_id": "stranger", "level": 1})
    assert caller("stranger").request("GET", url(session, "comments")).status_code == 200

    manager.request("PUT", url(session, "permissions"), {"user_id": "stranger", "level": 3})
    assert caller("stranger").request("GET", url(session, "permissions")).status_code == 200

    manager.request("DELETE", url(session, "permissions/stranger"))
    assert_error(caller("stranger").request("GET", url(session, "comments")), 404, "not_found")


def test_revoking_twice_is_told_the_same(session: Session) -> None:
    for _ in range(2):
        answer = caller("owner").request("DELETE", url(session, "permissions/reader"))
        assert (answer.status_code, answer.content) == (204, b"")


def test_sharing_is_no_news_of_the_session(session: Session) -> None:
    caller("owner").request("PUT", url(session, "permissions"), {"user_id": "new", "level": 1})
    caller("owner").request("DELETE", url(session, "permissions/new"))

    before = session.updated_at
    session.refresh_from_db()
    assert (session.updated_at, session.seq) == (before, 0)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_a_sub_agent_is_shared_by_its_root(session: Session, method: str) -> None:
    child = make_child(session, "a:b")
    path = url(child, "permissions") if method == "PUT" else url(child, "permissions/reader")
    body = {"user_id": "new", "level": 1} if method == "PUT" else None

    assert_error(caller("owner").request(method, path, body), 400, "invalid_input")
    assert levels(child) == {}


def test_leaving_a_sub_agent_is_refused(session: Session) -> None:
    child = make_child(session, "a:b")

    assert_error(caller("reader").request("DELETE", url(child, "permissions/reader")), 400, "invalid_input")
    assert levels(session)["reader"] == 1


def test_a_sub_agent_shows_the_grants_of_its_root(session: Session) -> None:
    grandchild = make_child(make_child(session, "a:b"), "c:d")

    shown = caller("manager").request("GET", url(grandchild, "permissions")).json()

    assert {row["conversation_id"] for row in shown["permissions"]} == {session.public_id}


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({"user_id": "new", "level": 0}, "level"),
        ({"user_id": "new", "level": 4}, "level"),
        ({"user_id": "new", "level": "1"}, "level"),
        ({"user_id": "new", "level": True}, "level"),
        ({"user_id": "new", "level": 1.5}, "level"),
        ({"user_id": "new"}, "level"),
        ({"level": 1}, "user_id"),
        ({"user_id": "", "level": 1}, "user_id"),
        ({"user_id": "x" * 151, "level": 1}, "user_id"),
        ({"user_id": " a", "level": 1}, "user_id"),
        ({"user_id": "a\nb", "level": 1}, "user_id"),
        ({"user_id": "a\0b", "level": 1}, "user_id"),
        ({"user_id": 5, "level": 1}, "user_id"),
        ({"user_id": "new", "level": 1, "more": 1}, "more"),
        ([], ()),
    ],
)
def test_bad_grants_are_named(session: Session, body: Any, loc: Any) -> None:
    answer = caller("owner").request("PUT", url(session, "permissions"), body)

    assert_invalid(answer, "body", *([loc] if loc else []))


def test_a_lone_surrogate_is_no_user(session: Session) -> None:
    raw = b'{"user_id": "\\ud800", "level": 1}'

    assert_invalid(caller("owner").request("PUT", url(session, "permissions"), raw=raw), "body")


@pytest.mark.parametrize("name", ["Ünïcode 🙂 name", "a/b@example.org", "x" * 150, "100%", "?&#"])
def test_any_name_can_be_granted_and_revoked(session: Session, name: str) -> None:
    owner = caller("owner")
    assert owner.request("PUT", url(session, "permissions"), {"user_id": name, "level": 1}).status_code == 200
    assert levels(session)[name] == 1

    path = f"{url(session, 'permissions')}/" + "".join(f"%{byte:02x}" for byte in name.encode())
    assert owner.request("DELETE", path).status_code == 204
    assert name not in levels(session)


def public(session: Session, level: int) -> Any:
    return caller("owner").request(
        "PUT", url(session, "permissions"), {"user_id": "__public__", "level": level}
    )


def test_the_public_may_read_but_not_more(session: Session) -> None:
    assert public(session, 1).status_code == 200
    assert caller("stranger").request("GET", url(session, "comments")).status_code == 200
    for level in (2, 3):
        assert_error(public(session, level), 400, "invalid_input")
    assert levels(session)["__public__"] == 1


def test_a_higher_ceiling_lets_the_public_edit(session: Session, settings: Any) -> None:
    settings.OMNIGENT_PUBLIC_SHARING_MAX_LEVEL = "edit"

    assert public(session, 2).status_code == 200
    assert_error(public(session, 3), 400, "invalid_input")


RULES = [
    ("on", True, {"new": {1: 200, 2: 200, 3: 200}, "__public__": {1: 200, 2: 400}}),
    ("on", False, {"new": {1: 200, 3: 200}, "__public__": {1: 403, 2: 403}}),
    ("read_only", True, {"new": {1: 200, 2: 403, 3: 403}, "__public__": {1: 200, 2: 400}}),
    ("restricted_read_only", True, {"new": {1: 200, 2: 403}, "__public__": {1: 403, 2: 403}}),
    ("off", True, {"new": {1: 403, 2: 403}, "__public__": {1: 403}}),
]


@pytest.mark.parametrize(("mode", "is_public", "expected"), RULES)
@pytest.mark.parametrize("name", ["manager", "owner", "admin"])
def test_the_servers_rules_hold_for_everybody(
    session: Session, settings: Any, mode: str, is_public: bool, expected: dict[str, Any], name: str
) -> None:
    settings.OMNIGENT_SHARING_MODE = mode
    settings.OMNIGENT_PUBLIC_SHARING = is_public

    for user_id, outcomes in expected.items():
        for level, status in outcomes.items():
            answer = caller(name).request(
                "PUT", url(session, "permissions"), {"user_id": user_id, "level": level}
            )
            assert answer.status_code == status, (user_id, level)


def test_what_was_shared_can_be_withdrawn_when_sharing_is_off(session: Session) -> None:
    Sharing.objects.create(
        pk=1, mode="off", public_enabled=False, public_max_level=1, updated_at=session.created_at
    )

    assert caller("reader").request("GET", url(session, "comments")).status_code == 200
    assert caller("owner").request("DELETE", url(session, "permissions/reader")).status_code == 204
    assert_error(caller("reader").request("GET", url(session, "comments")), 404, "not_found")


def test_pages_are_walked_by_their_cursor(session: Session) -> None:
    for number in range(5):
        Grant.objects.create(session=session, user_id=f"guest {number}/é", level=1)
    seen: list[str] = []
    cursor = None
    while True:
        path = f"permissions?limit=2&cursor={cursor}" if cursor else "permissions?limit=2"
        page = caller("manager").request("GET", url(session, path)).json()
        seen += [row["user_id"] for row in page["permissions"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == ["owner", "reader", "editor", "manager", *(f"guest {number}/é" for number in range(5))]


def test_a_cursor_that_is_gone_is_stale(session: Session) -> None:
    assert_error(caller("owner").request("GET", url(session, "permissions?cursor=gone")), 400, "stale_cursor")
    foreign = make_session(owner="somebody else")
    assert Grant.objects.filter(session=foreign).exists()
    path = url(session, "permissions?cursor=somebody else")
    assert_error(caller("owner").request("GET", path), 400, "stale_cursor")
    assert_error(
        caller("owner").request("GET", url(session, f"permissions?cursor={'x' * 151}")), 404, "not_found"
    )


@pytest.mark.parametrize("limit", ["0", "1001", "abc", ""])
def test_the_limit_is_bounded(session: Session, limit: str) -> None:
    assert_invalid(
        caller("owner").request("GET", url(session, f"permissions?limit={limit}")), "query", "limit"
    )


def test_reading_takes_as_many_statements_for_many_as_for_few(session: Session) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            caller("owner").request("GET", url(session, "permissions"))
        return len(captured)

    few = statements()
    Grant.objects.bulk_create(Grant(session=session, user_id=f"u{n}", level=1) for n in range(90))

    assert statements() == few


def test_a_repeated_request_is_answered_from_its_receipt(session: Session) -> None:
    owner, body = caller("owner"), {"user_id": "new", "level": 1}
    first = owner.request("PUT", url(session, "permissions"), body, key="k")
    owner.request("PUT", url(session, "permissions"), {"user_id": "new", "level": 2})

    assert owner.request("PUT", url(session, "permissions"), body, key="k").content == first.content
    assert levels(session)["new"] == 2
    other = owner.request("PUT", url(session, "permissions"), {"user_id": "new", "level": 3}, key="k")
    assert_error(other, 422, "idempotency_mismatch")
    for _ in range(2):
        gone = owner.request("DELETE", url(session, "permissions/new"), key="k2")
        assert (gone.status_code, gone.content) == (204, b"")


@pytest.mark.parametrize("name", PEOPLE)
def test_a_missing_session_looks_the_same_to_all(name: str) -> None:
    path = f"/v1/sessions/conv_{'0' * 32}/permissions"

    for method, body in (("GET", None), ("PUT", {"user_id": "new", "level": 1})):
        assert_error(caller(name).request(method, path, body), 404, "not_found", "Session not found")
    assert_error(caller(name).request("DELETE", f"{path}/new"), 404, "not_found", "Session not found")


def test_one_user_alone_can_prepare_grants(reader: Client, settings: Any) -> None:
    settings.OMNIGENT_AUTH_MODE = "single-user"
    session = make_session()
    path = url(session, "permissions")

    given = reader.put(path, {"user_id": "new", "level": 1}, content_type="application/json")

    assert given.status_code == 200
    assert [row["user_id"] for row in reader.get(path).json()["permissions"]] == ["local", "new"]
    assert reader.delete(f"{path}/new").status_code == 204


def test_the_owner_lets_somebody_approve_and_takes_it_back(session: Session) -> None:
    path = url(session, "permissions")
    body = {"user_id": "reader", "level": 1, "may_approve": True}

    given = caller("owner").request("PUT", path, body)
    kept = caller("owner").request("PUT", path, {"user_id": "reader", "level": 2})
    taken = caller("owner").request("PUT", path, {**body, "may_approve": False})

    assert given.json()["may_approve"] is True
    assert kept.json()["may_approve"] is True
    assert "may_approve" not in taken.json()


@pytest.mark.parametrize(
    ("name", "user_id", "status"), [("manager", "reader", 403), ("owner", "__public__", 400)]
)
def test_not_everybody_may_be_let_approve(session: Session, name: str, user_id: str, status: int) -> None:
    path = url(session, "permissions")
    body = {"user_id": user_id, "level": 1, "may_approve": True}

    assert caller(name).request("PUT", path, body).status_code == status
