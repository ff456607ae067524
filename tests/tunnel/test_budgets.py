"""How many statements the hot writes take, whatever the number of sessions, tokens and rows."""

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from policies_app.models import DefaultPolicy
from sessions_app.flows.policing.desk import PolicyDesk
from sessions_app.flows.policing.rounds import gathered
from sessions_app.models import Elicitation
from sessions_app.services import access, commit, gating
from sessions_app.services.policing.chains import GUARDS
from tests.factories import user_said
from tests.statements import CONTROL
from tests.tunnel.feed import LOCAL, Feed
from tests.tunnel.script import Json, call, output, question, response, status, text, turn

pytestmark = pytest.mark.django_db


def statements(action: Callable[[], object]) -> list[str]:
    with CaptureQueriesContext(connection) as captured:
        action()
    return [query["sql"][:90] for query in captured if not query["sql"].startswith(CONTROL)]


@pytest.fixture
def feeds(db: None) -> list[Feed]:
    """Sessions in the middle of a response, with a past."""
    feeds = [Feed(title="named") for _ in range(30)]
    for feed in feeds:
        for number in range(5):
            user_said(feed.session, str(number))
        feed.message()
        feed.take(status("running"), response("in_progress"), text("a"))
    return feeds


def commit_all(feeds: list[Feed], *events: Json, times: int = 1) -> None:
    units = [feed.unit(*events) for _ in range(times) for feed in feeds]
    assert [outcome for outcome in commit.commit(units) if outcome is not None] == []


@pytest.mark.parametrize("sessions", [1, 30])
@pytest.mark.parametrize("tokens", [1, 40])
def test_a_tick_of_deltas(feeds: list[Feed], sessions: int, tokens: int) -> None:
    commit_all(feeds[:1], text("warm"))
    units = [feed.unit(*[text("x")] * tokens) for feed in feeds[:sessions] for _ in range(2)]

    assert len(statements(lambda: commit.commit(units))) <= 2


TICKS = {
    "calls": [call(), output()],
    "many calls": [event for number in range(6) for event in (call(f"c{number}"), output(f"c{number}"))],
    "the end": [text("b"), response("completed"), status("idle")],
    "a failure": [response("failed", error={"code": "c", "message": "m"}), status("failed")],
    "an edge": [status("running")],
    "a follow-up": [response("completed"), status("running"), response("in_progress", "resp_b"), text("c")],
    "a whole turn": turn("more", "resp_b"),
}


@pytest.mark.parametrize("sessions", [1, 30])
@pytest.mark.parametrize("events", TICKS.values(), ids=TICKS.keys())
def test_a_tick_with_items_or_status(feeds: list[Feed], sessions: int, events: list[Json]) -> None:
    units = [feed.unit(*events) for feed in feeds[:sessions]]

    taken = statements(lambda: commit.commit(units))

    assert len(taken) <= 6, taken


@pytest.mark.parametrize("events", TICKS.values(), ids=TICKS.keys())
def test_a_tick_of_everything_together(feeds: list[Feed], events: list[Json]) -> None:
    units = [feed.unit(text("x")) for feed in feeds[:10]]
    units += [feed.unit(*events) for feed in feeds[10:20]]
    units += [feed.unit(call(), response("completed"), status("idle")) for feed in feeds[20:]]

    taken = statements(lambda: commit.commit(units))

    assert len(taken) <= 6, taken


def test_a_question(feeds: list[Feed]) -> None:
    asked = feeds[0].unit(question())

    taken = statements(lambda: commit.commit([asked]))

    assert len(taken) <= 6, taken


@pytest.mark.parametrize("sessions", [1, 10])
@pytest.mark.parametrize("questions", [1, 3])
def test_the_end_of_open_questions(feeds: list[Feed], sessions: int, questions: int) -> None:
    for feed in feeds[:sessions]:
        feed.take(*[question(f"elicit_{number}") for number in range(questions)])
    units = [feed.unit(response("completed"), status("idle")) for feed in feeds[:sessions]]

    taken = statements(lambda: commit.commit(units))

    assert len(taken) <= 6, taken
    assert not Elicitation.objects.filter(status="pending").exists()


@pytest.mark.parametrize("source", [None, "s1"], ids=["plain", "with a source"])
def test_an_external_item(feeds: list[Feed], source: str | None) -> None:
    feed = feeds[0]
    item = {"name": "f", "arguments": "{}", "call_id": "c"}
    data = {"item_type": "function_call", "item_data": item, **({"source_id": source} if source else {})}

    taken = statements(lambda: feed.post("external_conversation_item", **data))

    assert len(taken) <= 5, taken


@pytest.mark.parametrize("state", ["busy", "idle", "failed"])
def test_a_message(feeds: list[Feed], state: str) -> None:
    feed = feeds[0]
    if state != "busy":
        feed.take(response("completed"), status("idle" if state == "idle" else "failed"))
    content = [{"type": "input_text", "text": "Hi"}]

    taken = statements(lambda: feed.post("message", role="user", content=content, stable_id="a" * 32))

    assert len(taken) <= 9, taken


def test_an_evaluation_reads_twice_however_many_policies_there_are(feeds: list[Feed]) -> None:
    for number in range(5):
        DefaultPolicy.objects.create(
            name=f"policy {number}",
            type="python",
            handler="omnigent.policies.ask_on_os_tools",
            created_at=timezone.now(),
        )
    desk = PolicyDesk()

    def evaluate() -> int:
        gate = gating.open_gate(LOCAL, feeds[0].session.public_id)
        return len(gathered(desk.chains, gate.session_pk)[1])

    assert evaluate() == 5 + len(GUARDS)
    assert access.is_single_user()
    assert len(statements(evaluate)) <= 2
