"""Searching sessions: what is found, what is shown of it, who finds it, and what happens when time is up."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from omnigent.api.pagination import Page
from omnigent.protocol import items
from sessions_app import listing
from sessions_app.listing import Filters, Viewer
from sessions_app.models import Grant, SearchText, Session
from sessions_app.services.item_forms import NewItem
from sessions_app.services.sessions import delete_session
from sessions_app.services.tick import tick_of
from tests.factories import add_item, agent_said, make_agent, make_child, make_session, user_said

URL = "/v1/sessions"
CONTROL = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "ROLLBACK", "SET")


def search(reader: Client, text: str, **query: object) -> dict[str, Any]:
    answer = reader.get(URL, {"search_query": text, **query})
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def hits(reader: Client, text: str, **query: object) -> list[str]:
    body = search(reader, text, **query)
    assert "search_partial" not in body
    return [row["id"] for row in body["data"]]


def say(session: Session, *texts: str) -> None:
    """Many user messages in one transaction."""
    with tick_of([session.pk]) as tick:
        for text in texts:
            content = [{"type": "input_text", "text": text}]
            data = items.Message(role="user", content=content)
            tick.add_item(tick.sessions[session.pk], NewItem(data=data, response_id="seed"))


@pytest.fixture
def talk(db: None) -> Session:
    """A session with one item of each kind that speaks."""
    session = make_session(title="Straße nach Łódź")
    user_said(session, 'Where is the ÉCOLE? 100% sure, a_b, c:\\temp\\new "quoted" text')
    agent_said(session, "The answer is Παρίσι; \u017fpecial; x=1 && y==2")
    add_item(
        session, items.FunctionCall(agent="a", name="shellword", arguments='{"cmd":"ls -la"}', call_id="c")
    )
    add_item(
        session,
        items.FunctionCallOutput(call_id="callword", output="total 42\nDRWXR-XR-X 日本語テキスト 🎉🎉🎉"),
    )
    return session


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("ÉCOLE", id="as written"),
        pytest.param("école", id="another case"),
        pytest.param("100% SURE", id="percent"),
        pytest.param("a_b", id="underscore"),
        pytest.param("\\temp\\", id="backslash"),
        pytest.param('"quoted"', id="quotes"),
        pytest.param("παρίσι", id="greek"),
        pytest.param("special", id="long s"),
        pytest.param("STRASSE", id="sharp s of a title"),
        pytest.param("łÓDŹ", id="polish title"),
        pytest.param("LS -LA", id="tool arguments"),
        pytest.param("42\ndrwx", id="tool output over two lines"),
        pytest.param("日本語", id="three characters"),
        pytest.param("本語", id="two characters"),
        pytest.param("語", id="one character"),
        pytest.param("🎉🎉🎉", id="emoji"),
        pytest.param("&& y==", id="no letters to speak of"),
        pytest.param("==", id="punctuation"),
        pytest.param(" ", id="a blank"),
    ],
)
def test_a_literal_substring_is_found_in_any_case(reader: Client, talk: Session, text: str) -> None:
    make_session(title="nothing")

    assert talk.public_id in hits(reader, text)


@pytest.mark.parametrize(
    "text",
    [
        "100%sure",
        "1__",
        "axb",
        "a%b",
        "temp\\\\new",
        "shellword",
        "callword",
        "user",
        "no such",
        "NEAR(a b)",
        "*",
    ],
)
def test_nothing_else_is_found(reader: Client, talk: Session, text: str) -> None:
    assert hits(reader, text) == []


def test_an_empty_query_is_no_filter(reader: Client, talk: Session) -> None:
    assert hits(reader, "") == [talk.public_id]


def test_the_snippet_shows_the_earliest_hit_as_it_was_written(reader: Client) -> None:
    session = make_session(title="needle")
    user_said(session, "no hit")
    agent_said(session, "w" * 100 + " \n\t before the STRASSE Needle behind " + "z" * 200)
    agent_said(session, "needle again")

    (row,) = search(reader, "straße needle")["data"]

    before = "w" * 49 + " before the "
    assert row["search_snippet"] == f"…{before[-60:]}STRASSE Needle behind {'z' * 52}…"


@pytest.mark.parametrize(
    ("said", "text", "shown"),
    [
        ("just this", "just", "just this"),
        ("a  b", "a  b", "a b"),
        ("x" * 300, "x" * 200, "x" * 160 + "…"),
        ("ﬁne ﬁsh", "ish", "ﬁne ﬁsh"),
        ("one\ntwo", "e\nt", "one two"),
    ],
)
def test_short_and_long_snippets(reader: Client, said: str, text: str, shown: str) -> None:
    user_said(make_session(), said)

    (row,) = search(reader, text)["data"]

    assert row["search_snippet"] == shown


def test_a_hit_in_the_title_alone_has_no_snippet(reader: Client, talk: Session) -> None:
    (row,) = search(reader, "nach")["data"]

    assert "search_snippet" not in row


def test_a_hit_among_blanks_alone_has_no_snippet(reader: Client) -> None:
    user_said(make_session(), " \n ")

    (row,) = search(reader, " ")["data"]

    assert "search_snippet" not in row


def test_a_new_title_is_found_and_the_old_one_is_not(reader: Client) -> None:
    session = make_session(title="before")
    with tick_of([session.pk]) as tick:
        tick.sessions[session.pk].title = "Änderung"

    assert hits(reader, "änderung") == [session.public_id]
    assert hits(reader, "before") == []


def test_items_are_found_as_they_come(reader: Client) -> None:
    session = make_session()
    for number in range(3):
        user_said(session, f"word{number}")
        assert hits(reader, f"WORD{number}") == [session.public_id]


def test_deleted_sessions_leave_nothing_behind(reader: Client) -> None:
    session = make_session()
    say(make_child(session, "a:b"), "needle")
    say(session, "needle")
    assert len(hits(reader, "needle", kind="any")) == 2

    delete_session(session_pk=session.pk)

    assert hits(reader, "needle", kind="any") == []
    assert not SearchText.objects.exists()
    say(make_session(), "the needle is back")
    assert len(hits(reader, "needle")) == 1


def test_filters_apply_to_hits(reader: Client) -> None:
    agent = make_agent("finder")
    found, archived = make_session(agent), make_session(agent, archived=True)
    child = make_child(found, "a:b")
    for session in (found, archived, child, make_session()):
        say(session, "needle")

    assert hits(reader, "needle", agent_name="finder") == [found.public_id]
    assert hits(reader, "needle", visibility="archived") == [archived.public_id]
    assert hits(reader, "needle", kind="sub_agent") == [child.public_id]


@pytest.fixture
def many(db: None) -> list[str]:
    """Two hundred sessions, six items each that all hold a word: more hits than the index is asked for."""
    agent, now = make_agent(), timezone.now()
    made = []
    for number in range(200):
        session = make_session(agent, created_at=now + timedelta(seconds=number // 7))
        say(session, *(f"common {number} {item}" for item in range(6)))
        made.append(session.public_id)
    return made[::-1]


@pytest.mark.parametrize("text", ["common", "co"])
@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [7, 130])
def test_pages_of_many_hits_walk_without_loss_or_repeat(
    reader: Client, many: list[str], text: str, order: str, limit: int
) -> None:
    walked: list[str] = []
    page: dict[str, Any] = {"has_more": True, "last_id": ""}
    while page["has_more"]:
        page = search(reader, text, order=order, limit=limit, after=page["last_id"])
        walked += [row["id"] for row in page["data"]]
        make_session(
            title="common newcomer", created_at=timezone.now() + timedelta(days=1 if order == "desc" else -1)
        )

    assert walked == (many if order == "desc" else many[::-1])


def test_many_hits_before_a_cursor(reader: Client, many: list[str]) -> None:
    assert hits(reader, "common", before=many[5]) == many[:5]
    assert hits(reader, "common", before=many[150], after=many[140]) == many[141:150]


def test_hits_that_a_stranger_may_not_read_do_not_count(many: list[str]) -> None:
    mine = make_session(owner="ann", created_at=timezone.now() - timedelta(days=1))
    say(mine, "common ground")
    shared = Session.objects.get(public_id=many[100])
    Grant.objects.create(session=shared, user_id="ann", level=1)
    viewer = Viewer(user_id="ann", sees_all=False, shows_level=True)

    for text, expected in (("common", [shared, mine]), ("ground", [mine]), ("co", [shared, mine])):
        page = listing.read(viewer, Filters(search=text), Page(limit=2))
        assert [row["id"] for row in page["data"]] == [session.public_id for session in expected]
        assert page["has_more"] is False
        assert "search_partial" not in page


@pytest.mark.parametrize("text", ["needle", "zq"])
def test_a_search_without_time_says_that_it_is_partial(reader: Client, settings: Any, text: str) -> None:
    say(make_session(title="zq"), "needle")
    settings.OMNIGENT_SEARCH_SECONDS = 0.0

    body = search(reader, text)

    assert body == {**body, "data": [], "has_more": False, "search_partial": True}


def test_a_search_that_could_not_catch_up_shows_what_is_indexed(reader: Client, settings: Any) -> None:
    old, new = make_session(), make_session()
    say(old, "needle in the index")
    assert hits(reader, "needle") == [old.public_id]
    # More than one batch, and an amount of text that takes longer than the budget to take in.
    say(new, *(f"{number} " + "lorem ipsum dolor " * 3000 for number in range(150)), "needle")
    settings.OMNIGENT_SEARCH_SECONDS = 0.05

    body = search(reader, "needle")

    assert [row["id"] for row in body["data"]] == [old.public_id]
    assert body["search_partial"] is True
    settings.OMNIGENT_SEARCH_SECONDS = 30.0
    assert hits(reader, "needle") == [new.public_id, old.public_id]


def statements(reader: Client, text: str) -> int:
    search(reader, text)
    with CaptureQueriesContext(connection) as captured:
        search(reader, text)
    return len([query for query in captured if not query["sql"].startswith(CONTROL)])


@pytest.mark.parametrize("text", ["common 7", "common", "absent", "co", "zq"])
def test_statements_do_not_grow_with_the_store(reader: Client, text: str) -> None:
    agent = make_agent()
    for number in range(10):
        say(make_session(agent), *(f"common {number} {item}" for item in range(10)))
    few = statements(reader, text)

    for number in range(50):
        say(make_session(agent), *(f"common {number} {item}" for item in range(30)))

    assert few <= 5
    assert statements(reader, text) <= 5
