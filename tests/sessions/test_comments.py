"""/v1/sessions/{id}/comments."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sessions_app.models import Comment, Session
from sessions_app.services.comments import MAX_COMMENTS
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_child, make_session
from tests.sessions.cast import PEOPLE, Answered, caller, shared_session, url

NEW: dict[str, Any] = {
    "path": "src/app.py",
    "start_index": 3,
    "end_index": 9,
    "body": "Name this better",
    "anchor_content": "import x",
}


@pytest.fixture(autouse=True)
def many_users(settings: Any, db: None) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"


@pytest.fixture
def session() -> Session:
    return shared_session()


def write(session: Session, name: str = "editor", **fields: Any) -> dict[str, Any]:
    answer = caller(name).request("POST", url(session, "comments"), {**NEW, **fields})
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def listed(session: Session, query: str = "") -> Any:
    return caller("reader").request("GET", url(session, f"comments{query}")).json()


def send(session: Session, name: str = "editor", **body: Any) -> Answered:
    return caller(name).request("POST", url(session, "comments/send"), body)


def test_a_comment_has_these_fields(session: Session) -> None:
    made = write(session)

    row = Comment.objects.get()
    assert made == {
        "id": row.public_id,
        "conversation_id": session.public_id,
        **NEW,
        "status": "draft",
        "created_at": int(row.created_at.timestamp()),
        "updated_at": round(row.updated_at.timestamp() * 1_000_000),
        "created_by": "editor",
    }
    assert listed(session) == [made]


WRITERS = {"stranger": 404, "reader": 403, "editor": 200, "manager": 200, "owner": 200, "admin": 200}
RUNNERS = {"runner": 200, "other runner": 404}


@pytest.mark.parametrize(("name", "status"), {**WRITERS, **RUNNERS}.items())
def test_who_may_do_what(session: Session, name: str, status: int) -> None:
    made = write(session)
    one = url(session, "comments", made["id"])
    someone = caller(name)

    assert someone.request("GET", url(session, "comments")).status_code == (404 if status == 404 else 200)
    assert someone.request("PATCH", one, {"status": "addressed"}).status_code == status
    assert send(session, name, comment_ids=[made["id"]]).status_code == status
    assert someone.request("POST", url(session, "comments"), NEW).status_code == status
    assert someone.request("DELETE", one).status_code == status


def test_refusals_hold_nothing_of_the_comment(session: Session) -> None:
    made = write(session, body="secret words")
    one = url(session, "comments", made["id"])

    for name in ("stranger", "reader"):
        for method, body in (("PATCH", {"status": "addressed"}), ("DELETE", None)):
            assert b"secret" not in caller(name).request(method, one, body).content


@pytest.mark.parametrize("name", PEOPLE)
def test_only_the_author_rewords(session: Session, name: str) -> None:
    made = write(session)
    one = url(session, "comments", made["id"])

    answer = caller(name).request("PATCH", one, {"body": "Other words", "status": "addressed"})

    expected = {"stranger": 404, "editor": 200}.get(name, 403)
    assert answer.status_code == expected
    stored = Comment.objects.get()
    assert (stored.body, stored.status) == (
        ("Other words", "addressed") if expected == 200 else (NEW["body"], "draft")
    )


def test_a_change_moves_the_microseconds(session: Session) -> None:
    made = write(session)
    one = url(session, "comments", made["id"])
    stamps = [made["updated_at"]]
    for status in ("addressed", "draft", "addressed"):
        changed = caller("owner").request("PATCH", one, {"status": status}).json()
        assert (changed["status"], changed["created_at"]) == (status, made["created_at"])
        stamps.append(changed["updated_at"])

    assert stamps == sorted(set(stamps))


def test_an_empty_change_is_none(session: Session) -> None:
    made = write(session)

    assert caller("owner").request("PATCH", url(session, "comments", made["id"]), {}).json() == made


def test_an_unknown_status_is_refused(session: Session) -> None:
    made = write(session)

    for status in ("done", "", "x" * 5000):
        answer = caller("editor").request("PATCH", url(session, "comments", made["id"]), {"status": status})
        assert_error(answer, 400, "invalid_input")


def test_a_deleted_comment_is_gone(session: Session) -> None:
    made = write(session)
    one = url(session, "comments", made["id"])

    assert caller("editor").request("DELETE", one).json() == {"deleted": True}
    assert listed(session) == []
    assert_error(caller("editor").request("DELETE", one), 404, "not_found")
    assert_error(caller("editor").request("PATCH", one, {"status": "draft"}), 404, "not_found")


@pytest.mark.parametrize("comment_id", ["unknown", "x" * 200, "comment_" + "0" * 32])
def test_a_foreign_comment_is_not_found(session: Session, comment_id: str) -> None:
    other = shared_session_of_others()
    for wanted in (comment_id, other["id"]):
        path = url(session, "comments", wanted)
        assert_error(caller("owner").request("PATCH", path, {"status": "draft"}), 404, "not_found")
        assert_error(caller("owner").request("DELETE", path), 404, "not_found")
    assert_error(send(session, comment_ids=[other["id"]]), 404, "not_found")
    assert Comment.objects.get().status == "draft"


def shared_session_of_others() -> dict[str, Any]:
    return write(make_session(owner="somebody else"), "somebody else")


def test_the_list_is_in_order_and_narrowed_by_path(session: Session) -> None:
    made = [write(session, path=path)["id"] for path in ("a.py", "b.py", "a.py")]

    assert [row["id"] for row in listed(session)] == made
    assert [row["id"] for row in listed(session, "?path=a.py")] == [made[0], made[2]]
    assert listed(session, "?path=c.py") == []


def test_comments_of_a_sub_agent_are_its_own(session: Session) -> None:
    child = make_child(session, "a:b")
    made = write(child)

    assert (listed(session), [row["id"] for row in listed(child)]) == ([], [made["id"]])


@pytest.mark.parametrize(
    ("fields", "loc"),
    [
        ({"path": ""}, "path"),
        ({"path": "x" * 4097}, "path"),
        ({"path": "a\0b"}, "path"),
        ({"path": None}, "path"),
        ({"start_index": -1}, "start_index"),
        ({"start_index": 1.5}, "start_index"),
        ({"start_index": "1"}, "start_index"),
        ({"end_index": 2**53 + 1}, "end_index"),
        ({"end_index": 10**40}, None),
        ({"start_index": 10, "end_index": 9}, None),
        ({"body": ""}, "body"),
        ({"body": "x" * 65537}, "body"),
        ({"body": 5}, "body"),
        ({"anchor_content": "x" * 65537}, "anchor_content"),
        ({"anchor_content": ["x"]}, "anchor_content"),
    ],
)
def test_bad_comments_are_named(session: Session, fields: dict[str, Any], loc: str | None) -> None:
    answer = caller("editor").request("POST", url(session, "comments"), {**NEW, **fields})

    assert_invalid(answer, "body", *([loc] if loc else []))
    assert not Comment.objects.exists()


@pytest.mark.parametrize("path", ["../x", "a/../b", "a/..", "..", "a\\..\\b"])
def test_a_path_does_not_climb(session: Session, path: str) -> None:
    answer = caller("editor").request("POST", url(session, "comments"), {**NEW, "path": path})

    assert_error(answer, 400, "invalid_input", "Parent path segments are not permitted")


def test_extremes_are_kept_as_they_are(session: Session) -> None:
    extreme = {
        "path": "ünï/🙂/" + "x" * 4000,
        "start_index": 0,
        "end_index": 2**53,
        "body": "\u202e🙂\u0301" * 15000,
        "anchor_content": "",
    }

    made = write(session, **extreme)

    assert {name: made[name] for name in extreme} == extreme
    assert write(session, anchor_content=None)["anchor_content"] is None


def test_sending_formats_in_the_order_asked_and_settles(session: Session) -> None:
    one = write(session, body="First\nthing", anchor_content="a = 1\nb = 2")
    two = write(session, path="b.py", body="Second thing", anchor_content=None)

    sent = send(session, comment_ids=[two["id"], one["id"], two["id"]], instruction="Be quick.").json()

    assert sent["sent_comment_ids"] == [two["id"], one["id"]]
    assert sent["formatted_message"] == (
        "Be quick.\n\n"
        "1. b.py, characters 3 to 9\n"
        "   The comment:\n"
        "   Second thing\n\n"
        "2. src/app.py, characters 3 to 9\n"
        "   The text there:\n"
        "   > a = 1\n"
        "   > b = 2\n"
        "   The comment:\n"
        "   First\n"
        "   thing"
    )
    assert {row["status"] for row in listed(session)} == {"addressed"}
    assert all(
        row["updated_at"] > made["updated_at"] for row, made in zip(listed(session), (one, two), strict=True)
    )


def test_sending_has_an_instruction_of_its_own(session: Session) -> None:
    made = write(session)

    assert send(session, comment_ids=[made["id"]]).json()["formatted_message"].startswith("Please ")


def test_comments_can_stay_drafts_until_they_arrived(session: Session) -> None:
    made = write(session)

    assert send(session, comment_ids=[made["id"]], mark_addressed=False).status_code == 200
    assert listed(session) == [made]


def test_one_unknown_comment_settles_none(session: Session) -> None:
    made = write(session)

    assert_error(send(session, comment_ids=[made["id"], "unknown"]), 404, "not_found")
    assert listed(session) == [made]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"comment_ids": []},
        {"comment_ids": "x"},
        {"comment_ids": [1]},
        {"comment_ids": ["x" * 65]},
        {"comment_ids": ["x"] * (MAX_COMMENTS + 1)},
        {"comment_ids": ["x"], "instruction": 1},
        {"comment_ids": ["x"], "instruction": "x" * 65537},
        {"comment_ids": ["x"], "mark_addressed": "no"},
    ],
)
def test_bad_sends_are_refused(session: Session, body: dict[str, Any]) -> None:
    assert_invalid(send(session, **body), "body")


def test_a_session_holds_so_many_comments_and_no_more(session: Session) -> None:
    made = Comment(session=session, path="a", start_index=0, end_index=0, body="b")
    made.created_at = made.updated_at = session.created_at
    rows = [Comment(**{**fields(made), "public_id": f"comment_{n}"}) for n in range(MAX_COMMENTS)]
    Comment.objects.bulk_create(rows)

    assert_error(caller("editor").request("POST", url(session, "comments"), NEW), 400, "invalid_input")


def fields(row: Comment) -> dict[str, Any]:
    names = ("session", "path", "start_index", "end_index", "body", "created_at", "updated_at")
    return {name: getattr(row, name) for name in names}


def test_the_list_takes_as_many_statements_for_many_as_for_few(session: Session) -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            listed(session)
        return len(captured)

    write(session)
    few = statements()
    for _ in range(20):
        write(session)

    assert statements() == few


def test_a_repeated_write_is_done_once(session: Session) -> None:
    editor = caller("editor")
    first = editor.request("POST", url(session, "comments"), NEW, key="k")

    assert editor.request("POST", url(session, "comments"), NEW, key="k").content == first.content
    assert Comment.objects.count() == 1
    one = url(session, "comments", first.json()["id"])
    for _ in range(2):
        assert editor.request("DELETE", one, key="d").json() == {"deleted": True}


def test_one_user_alone_writes_without_a_name(reader: Client, settings: Any) -> None:
    settings.OMNIGENT_AUTH_MODE = "single-user"
    path = url(make_session(), "comments")

    made = reader.post(path, NEW, content_type="application/json").json()
    changed = reader.patch(f"{path}/{made['id']}", {"body": "x"}, content_type="application/json").json()

    assert (made["created_by"], changed["body"]) == (None, "x")
    assert reader.delete(f"{path}/{made['id']}").json() == {"deleted": True}
