"""For everything that makes events: the old snapshot plus the events is the new snapshot."""

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from omnigent.accounts.identity import Principal
from sessions_app.bodies import UpdateSession
from sessions_app.events import log
from sessions_app.models import Session
from sessions_app.services import fleet, launching, outbox, spending, updating, verdicts
from sessions_app.services.receipts import Receipts
from sessions_app.services.tick import tick_of
from sessions_app.services.turns import fail, forgive
from tests.factories import make_agent, make_child, make_host, make_session
from tests.stream.posted import INPUTS
from tests.stream.replaying import replay, seen, take
from tests.tunnel.feed import LOCAL, Feed
from tests.tunnel.script import USAGE, call, item_done, output, question, response, row, status, text, turn

pytestmark = pytest.mark.django_db

Json = dict[str, Any]


def verify(feed: Feed, action: Callable[[], object]) -> list[Json]:
    """Do it and require that its events tell all of it; gives the events."""
    return verify_session(feed.session, action)


def verify_session(session: Session, action: Callable[[], object]) -> list[Json]:
    """The same of a session, whoever does it."""
    before, head = take(session), row(session.pk).seq
    action()
    told = [orjson.loads(entry.data) for entry in log.read(session.pk, head)]
    assert replay(before, told) == seen(take(session))
    return told


@pytest.fixture
def feed(db: None) -> Feed:
    return Feed(agent=make_agent(model="spec-model"))


@pytest.fixture
def busy(feed: Feed) -> Feed:
    """In the middle of a response."""
    feed.message()
    feed.take(status("running"), response("in_progress"), text("one "))
    return feed


@pytest.mark.parametrize("state", ["idle", "busy", "failed"])
@pytest.mark.parametrize("given", INPUTS.values(), ids=INPUTS.keys())
def test_inputs(feed: Feed, state: str, given: tuple[str, Json]) -> None:
    if state != "idle":
        feed.message()
        feed.take(status("running"), response("in_progress"))
    if state == "failed":
        feed.take(status("failed", error={"code": "c", "message": "m"}))
    kind, data = given

    verify(feed, lambda: feed.post(kind, **data))


BEGUN = [status("running"), response("in_progress")]
TURNS: dict[str, list[Json]] = {
    "plain": turn("Hello there."),
    "tool": [
        status("running"), response("in_progress"), text("a"), call(state="in_progress"), call(), output(),
        text("b"), response("completed", usage=USAGE), status("waiting"),
    ],
    "failure": [
        status("running"), response("in_progress"), text("a"),
        response("failed", error={"code": "c", "message": "m"}),
        status("failed", error={"code": "c", "message": "m", "title": "t"}), status("idle"),
    ],
    "failed status alone": [status("running"), response("in_progress"), status("failed")],
    "question": [*BEGUN, question(), response("cancelled"), status("idle")],
    "open question": [status("running"), response("in_progress"), question(), question("elicit_y")],
    "follow-up": [*turn("one")[:-1], status("running"), *turn("two", "resp_b")[1:]],
    "own start": turn("unasked"),
    "model": [{"type": "session.model", "model": "other"}],
    "bad item": [*BEGUN, item_done({"type": "function_call", "status": "completed"})],
}  # fmt: skip


@pytest.mark.parametrize("one_by_one", [True, False], ids=["one by one", "at once"])
@pytest.mark.parametrize("events", TURNS.values(), ids=TURNS.keys())
def test_what_runners_send(feed: Feed, events: list[Json], one_by_one: bool) -> None:
    feed.message()
    if one_by_one:
        for event in events:
            verify(feed, lambda event=event: feed.take(event))
    else:
        verify(feed, lambda: feed.take(*events))


def test_an_idle_edge_that_is_held_back(busy: Feed) -> None:
    busy.post("message", role="user", content=[{"type": "input_text", "text": "more"}])

    verify(busy, lambda: busy.take(response("completed"), status("idle")))
    busy.session.outbox.all().delete()
    verify(busy, lambda: busy.take(status("running"), response("in_progress", "resp_b")))


@pytest.mark.parametrize("action", ["accept", "decline", "cancel"])
def test_verdicts(busy: Feed, action: str) -> None:
    busy.take(question())

    verify(
        busy,
        lambda: verdicts.resolve(
            LOCAL,
            busy.session.public_id,
            elicitation_id="elicit_x",
            action=action,
            content=None,
            receipts=Receipts(None, b""),
        ),
    )


@pytest.mark.parametrize("asked", [True, False], ids=["with a question", "without"])
def test_a_runner_that_is_lost(busy: Feed, asked: bool) -> None:
    if asked:
        busy.take(question())

    told = verify(
        busy, lambda: fleet.fail_turn(busy.pk, busy.session.runner_id, code="gone", message="It is gone")
    )

    assert "response.failed" in [event["type"] for event in told]


def test_a_runner_that_leaves(busy: Feed) -> None:
    verify(busy, lambda: fleet.settle_idle_shutdown(runner_id=busy.session.runner_id))


def test_a_session_that_is_stopped(busy: Feed) -> None:
    told = verify(busy, lambda: launching.record_stop(session_pk=busy.pk, runner_id=busy.session.runner_id))

    assert "response.cancelled" in [event["type"] for event in told]


@pytest.mark.parametrize("state", ["idle", "busy"])
def test_a_launch_that_fails(feed: Feed, state: str) -> None:
    if state == "busy":
        feed.message()
    runner_id = feed.session.runner_id

    verify(
        feed,
        lambda: launching.record_failure(
            session_pk=feed.pk, runner_id=runner_id, code="workspace_missing", message="No such directory"
        ),
    )


def test_a_launch(feed: Feed) -> None:
    host = make_host()
    Session.objects.filter(pk=feed.pk).update(host_id=host.public_id)

    verify(feed, lambda: launching.prepare(feed.pk))


def test_a_refused_message(feed: Feed) -> None:
    feed.post("message", role="user", content=[{"type": "input_text", "text": "Hi"}])
    delivery = outbox.claim(session_pk=feed.pk, holder="elsewhere", seconds=60)
    assert delivery is not None

    verify(feed, lambda: outbox.refused(delivery=delivery, code="refused", message="No"))
    verify(feed, lambda: on_row(feed, forgive))


def on_row(feed: Feed, change: Callable[..., object], *args: object) -> None:
    with tick_of([feed.pk]) as tick:
        change(tick, tick.sessions[feed.pk], *args)


def test_a_turn_that_fails(busy: Feed) -> None:
    verify(busy, lambda: on_row(busy, fail, {"code": "c", "message": "m", "cause": "why"}))


CHANGES = [
    {"title": "Another title"},
    {"title": ""},
    {"reasoning_effort": "high"},
    {"reasoning_effort": "default"},
    {"model_override": "big-model"},
    {"model_override": "default"},
    {"labels": {"a": "b"}},
]


@pytest.mark.parametrize("change", CHANGES, ids=[str(change) for change in CHANGES])
def test_changes_of_a_session(busy: Feed, change: Json) -> None:
    body = UpdateSession.model_validate(change)

    verify(
        busy,
        lambda: updating.update(
            Principal(user_id="local", is_admin=True), busy.session.public_id, body, None, with_usage=True
        ),
    )


@pytest.mark.parametrize("one_by_one", [True, False], ids=["one by one", "at once"])
@pytest.mark.parametrize("events", TURNS.values(), ids=TURNS.keys())
def test_what_a_sub_agent_does_shows_in_every_session_above(
    db: None, events: list[Json], one_by_one: bool
) -> None:
    top = make_session(make_agent())
    middle = make_child(top, "a:b")
    feed = Feed(agent=top.agent, parent=middle, root=top, kind="sub_agent")
    feed.message()

    def act(*batch: Json) -> None:
        feed.take(*batch)
        spending.settle()

    for batch in [[event] for event in events] if one_by_one else [events]:
        verify_session(top, lambda batch=batch: verify_session(middle, lambda: act(*batch)))


def test_a_void_question_that_is_asked_again(busy: Feed) -> None:
    verify(busy, lambda: busy.take(question()))
    verify(busy, lambda: busy.take({"type": "response.elicitation_resolved", "elicitation_id": "elicit_x"}))
    verify(busy, lambda: busy.take(question()))
    verify(busy, lambda: busy.post("approval", elicitation_id="elicit_x", action="accept"))
    verify(busy, lambda: busy.take(question()))
