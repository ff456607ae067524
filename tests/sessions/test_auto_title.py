"""POST /v1/sessions/{id}/auto-title and /agent-title."""

from typing import Any

import orjson
import pytest

from omnigent.protocol import items
from sessions_app.models import LogEntry, Session
from sessions_app.services.messages import seed_title
from sessions_app.services.tick import tick_of
from tests.error_shape import assert_error, assert_invalid
from tests.factories import agent_said, make_child, user_said
from tests.sessions.cast import PEOPLE, Answered, caller, shared_session, url

ROUTES = ("auto-title", "agent-title")
WORDS = "Please   fix the\nlogin page, it shows the wrong name after a second login attempt"
SEED = "Please fix the login page, it shows the wrong name after a…"


@pytest.fixture(autouse=True)
def many_users(settings: Any, db: None) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"


@pytest.fixture
def session() -> Session:
    """A session that is named after its first message."""
    made = shared_session()
    user_said(made, WORDS)
    with tick_of([made.pk]) as tick:
        content = [{"type": "input_text", "text": WORDS}]
        seed_title(tick, tick.sessions[made.pk], items.Message(role="user", content=content))
    made.refresh_from_db()
    assert made.title == SEED
    return made


def propose(session: Session, route: str, title: Any, name: str = "editor", key: str = "") -> Answered:
    return caller(name).request("POST", url(session, route), {"title": title}, key=key)


def title_of(session: Session) -> str:
    return Session.objects.values_list("title", flat=True).get(pk=session.pk)


@pytest.mark.parametrize("route", ROUTES)
def test_the_beginning_of_the_first_message_gives_way(session: Session, route: str) -> None:
    answer = propose(session, route, " Fix the login page ")

    assert (answer.status_code, answer.json()) == (
        200,
        {"renamed": True, "title": "Fix the login page", "reason": None},
    )
    assert title_of(session) == "Fix the login page"
    last = LogEntry.objects.filter(session=session).order_by("-seq").values_list("data", flat=True)[0]
    event = orjson.loads(last)
    assert (event["type"], event["title"]) == ("session.title", "Fix the login page")
    before = session.updated_at
    session.refresh_from_db()
    assert session.updated_at > before


@pytest.mark.parametrize("route", ROUTES)
def test_an_untitled_session_is_named(route: str) -> None:
    session = shared_session()
    agent_said(session, "I speak first")
    user_said(session, "Hello")

    assert propose(session, route, "Greetings").json()["renamed"] is True


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("title", ["", "Chosen"])
def test_without_a_first_message_nothing_is_known(route: str, title: str) -> None:
    session = shared_session(title=title)
    agent_said(session, "I speak first")
    user_said(session, "  \n ")

    assert propose(session, route, "Guess").json() == {
        "renamed": False,
        "title": title or None,
        "reason": "no_seed",
    }


@pytest.mark.parametrize("route", ROUTES)
def test_a_persons_title_stays(session: Session, route: str) -> None:
    Session.objects.update(title="Mine")

    assert propose(session, route, "Theirs").json() == {
        "renamed": False,
        "title": "Mine",
        "reason": "title_changed",
    }
    assert title_of(session) == "Mine"
    assert LogEntry.objects.filter(session=session).count() == 1


@pytest.mark.parametrize("route", ROUTES)
def test_a_sub_agents_title_is_its_parents(session: Session, route: str) -> None:
    child = make_child(session, "a:b")
    user_said(child, "Go")

    assert propose(child, route, "Better").json() == {
        "renamed": False,
        "title": "a:b",
        "reason": "not_top_level",
    }


def test_a_client_proposes_once_and_an_agent_again(session: Session) -> None:
    assert propose(session, "auto-title", "One").json()["renamed"] is True
    assert propose(session, "auto-title", "Two").json()["reason"] == "title_changed"
    assert propose(session, "agent-title", "Three").json()["renamed"] is True
    assert propose(session, "agent-title", "Four").json()["renamed"] is True
    assert propose(session, "auto-title", "Five").json()["reason"] == "title_changed"
    assert title_of(session) == "Four"


def test_the_same_proposal_again_changes_nothing(session: Session) -> None:
    propose(session, "auto-title", "One")
    count = LogEntry.objects.filter(session=session).count()

    assert propose(session, "auto-title", "One").json() == {"renamed": True, "title": "One", "reason": None}
    assert LogEntry.objects.filter(session=session).count() == count


ALLOWED = {"stranger": 404, "reader": 403, "editor": 200, "manager": 200, "owner": 200, "admin": 200}


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize(("name", "status"), {**ALLOWED, "runner": 200, "other runner": 404}.items())
def test_who_may_propose(session: Session, route: str, name: str, status: int) -> None:
    assert propose(session, route, "Title", name).status_code == status
    assert (title_of(session) == "Title") is (status == 200)


def test_the_cast_is_complete() -> None:
    assert set(ALLOWED) == set(PEOPLE)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("title", ["", "x", "x" * 101, None, 5, ["ab"], "a\0b"])
def test_a_title_has_two_to_a_hundred_characters(session: Session, route: str, title: Any) -> None:
    assert_invalid(propose(session, route, title), "body", "title")
    assert title_of(session) == SEED


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("title", ["a\nb", "a\rb", "ab\n", "a\u2028b", "a\tb", "  ", " x ", "a\x1bb"])
def test_a_title_is_one_line_of_words(session: Session, route: str, title: str) -> None:
    assert_error(propose(session, route, title), 400, "invalid_input")
    assert title_of(session) == SEED


@pytest.mark.parametrize("title", ["🙂🙂", "ß" * 100, "日本語のタイトル", "ab"])
def test_any_script_will_do(session: Session, title: str) -> None:
    assert propose(session, "auto-title", title).json()["title"] == title


def test_unknown_keys_are_refused(session: Session) -> None:
    answer = caller("editor").request("POST", url(session, "auto-title"), {"title": "ab", "force": True})

    assert_invalid(answer, "body", "force", kind="extra_forbidden")


def test_a_repeated_request_gives_the_first_answer(session: Session) -> None:
    first = propose(session, "auto-title", "One", key="k")
    Session.objects.update(title="Mine")

    assert propose(session, "auto-title", "One", key="k").content == first.content
    assert title_of(session) == "Mine"
