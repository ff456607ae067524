"""What a parent's followers see of the sub-agents below it, and that it is what a reload would show."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sessions_app.bodies import UpdateSession
from sessions_app.events import log
from sessions_app.models import LogEntry, Session
from sessions_app.process import Process
from sessions_app.services import fleet, updating
from tests.error_shape import assert_error
from tests.factories import make_agent, make_child, make_session
from tests.tunnel.feed import LOCAL, Feed
from tests.tunnel.script import Json, call, output, question, response, status, text, turn

CHILD = "session.child_session.updated"
BEGUN = [status("running"), response("in_progress")]


class Family:
    """Grandparent, parent and child, the child on a runner; each has a follower."""

    def __init__(self) -> None:
        self.top = make_session(make_agent())
        self.middle = make_child(self.top, "planner:plan")
        self.feed = Feed(agent=self.top.agent, parent=self.middle, root=self.top, kind="sub_agent")
        self.child = self.feed.session
        Session.objects.filter(pk=self.child.pk).update(title="researcher:auth")

    def told(self, session: Session) -> list[Json]:
        """A session's log."""
        return [orjson.loads(entry.data) for entry in log.read(session.pk, 0, 100_000)]

    def rows(self, session: Session) -> list[Json]:
        """What its followers were told of its sub-agents."""
        return [event["child"] for event in self.told(session) if event["type"] == CHILD]

    def listed(self, reader: Client, session: Session) -> list[Json]:
        """Its sub-agents, loaded."""
        answer = reader.get(f"/v1/sessions/{session.public_id}/child_sessions")
        data: list[Json] = answer.json()["data"]
        return data


@pytest.fixture
def family(db: None) -> Family:
    return Family()


def stable(rows: list[Json]) -> list[Json]:
    """Without the second of the last change, which moves with items that no edge follows."""
    return [{key: value for key, value in row.items() if key != "updated_at"} for row in rows]


def lost(family: Family) -> None:
    family.feed.each(*BEGUN, question())
    runner_id = family.feed.session.runner_id
    fleet.fail_turn(family.feed.pk, runner_id, code="gone", message="It is gone")


def renamed(family: Family) -> None:
    body = UpdateSession.model_validate({"title": "researcher:other"})
    updating.update(LOCAL, family.child.public_id, body, None, with_usage=True)


SCENES: dict[str, Callable[[Family], Any]] = {
    "message": lambda f: f.feed.message(),
    "whole turn": lambda f: f.feed.take(*turn("child result X")),
    "turn, event by event": lambda f: f.feed.each(*turn("child result X")),
    "waiting": lambda f: f.feed.each(*BEGUN, response("completed"), status("waiting")),
    "failure": lambda f: f.feed.each(*BEGUN, status("failed", error={"code": "c", "message": "m"})),
    "failed from elsewhere": lambda f: f.feed.post("external_session_status", status="failed", output="no"),
    "question": lambda f: f.feed.each(*BEGUN, question()),
    "void question": lambda f: f.feed.each(*BEGUN, question(), response("cancelled"), status("idle")),
    "lost": lost,
    "renamed": renamed,
}


@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
def test_what_was_told_is_what_is_listed(
    reader: Client, family: Family, scene: Callable[[Family], Any]
) -> None:
    before = family.listed(reader, family.middle)

    scene(family)

    told = family.rows(family.middle)
    assert stable(told[-1:]) == stable(family.listed(reader, family.middle)) != stable(before)
    assert {event["conversation_id"] for event in family.told(family.middle) if event["type"] == CHILD} == {
        family.middle.public_id
    }


def test_each_edge_of_a_sub_agent_is_told(family: Family) -> None:
    family.feed.message()
    family.feed.each(*turn("child result X"))

    shown = [(row["busy"], row["current_task_status"]) for row in family.rows(family.middle)]
    assert shown[0] == (True, "in_progress")
    assert shown[-1] == (False, "completed")
    assert family.rows(family.middle)[-1]["last_message_preview"] == "childresultX"


def test_only_the_parent_lists_a_sub_agent(family: Family) -> None:
    family.feed.take(*turn("x"))

    assert family.rows(family.top) == []
    assert family.told(family.top) == []


def test_text_and_items_of_a_sub_agent_stay_with_it(family: Family) -> None:
    family.feed.each(*BEGUN)
    before = [LogEntry.objects.filter(session=one).count() for one in (family.top, family.middle)]

    family.feed.each(text("one "), call(), output(), text("two"))

    after = [LogEntry.objects.filter(session=one).count() for one in (family.top, family.middle)]
    assert after == before


def touched(family: Family, *events: Json) -> list[str]:
    """The statements that a sub-agent's events take."""
    unit = family.feed.unit(*events)
    with CaptureQueriesContext(connection) as captured:
        family.feed.take(*events)
    assert unit.batch
    return [query["sql"] for query in captured]


@pytest.mark.parametrize("events", [[text("x")], [call(), output()]], ids=["text", "items"])
def test_streaming_locks_nobody_above(family: Family, events: list[Json]) -> None:
    family.feed.each(*BEGUN)
    quiet = touched(family, *events)
    edge = touched(family, response("completed"), status("idle"))

    assert not any("RECURSIVE" in sql for sql in quiet)
    assert any("RECURSIVE" in sql for sql in edge)


def test_a_question_is_asked_in_every_session_above(reader: Client, family: Family) -> None:
    family.feed.each(*BEGUN, question())

    for session in (family.top, family.middle):
        [shown] = [e for e in family.told(session) if e["type"] == "response.elicitation_request"]
        assert shown["params"] == {**question()["params"], "target_session_id": family.child.public_id}
        [pending] = reader.get(f"/v1/sessions/{session.public_id}").json()["pending_elicitations"]
        assert {key: shown[key] for key in pending} == pending
        listed = reader.get("/v1/sessions", {"kind": "any"}).json()["data"]
        counts = {row["id"]: row["pending_elicitations_count"] for row in listed}
        assert counts[session.public_id] == 1
    assert [row["pending_elicitations_count"] for row in family.rows(family.top)] == [1]
    assert family.rows(family.middle)[-1]["pending_elicitations_count"] == 1


@pytest.mark.parametrize("end", ["verdict", "runner", "turn"])
def test_the_end_of_a_question_is_told_above(reader: Client, family: Family, end: str) -> None:
    family.feed.each(*BEGUN, question())
    if end == "verdict":
        family.feed.post("approval", elicitation_id="elicit_x", action="accept")
    elif end == "runner":
        family.feed.take({"type": "response.elicitation_resolved", "elicitation_id": "elicit_x"})
    else:
        family.feed.take(response("cancelled"), status("idle"))

    expected = {"verdict": "accept", "runner": None, "turn": "cancel"}[end]
    for session in (family.top, family.middle):
        resolved = [e for e in family.told(session) if e["type"] == "response.elicitation_resolved"]
        assert [(e["elicitation_id"], e["action"]) for e in resolved] == [("elicit_x", expected)]
        assert reader.get(f"/v1/sessions/{session.public_id}").json()["pending_elicitations"] == []
    assert family.rows(family.top)[-1]["pending_elicitations_count"] == 0


def test_a_parent_is_running_in_the_list_while_a_child_runs(reader: Client, family: Family) -> None:
    def shown() -> str:
        rows = reader.get("/v1/sessions", {"kind": "any"}).json()["data"]
        return str(next(row["status"] for row in rows if row["id"] == family.middle.public_id))

    assert shown() == "idle"
    family.feed.take(*BEGUN)
    assert shown() == "running"
    family.feed.take(response("completed"), status("idle"))
    assert shown() == "idle"


def test_a_family_in_one_commit(family: Family) -> None:
    """Parent and child report together: the parent's own events and the copies get numbers of one log."""
    Session.objects.filter(pk=family.middle.pk).update(runner_id=family.feed.session.runner_id)
    family.feed.each(*BEGUN, question())

    numbers = list(LogEntry.objects.filter(session=family.middle).values_list("seq", flat=True))

    assert sorted(numbers) == list(range(1, len(numbers) + 1))
    family.middle.refresh_from_db()
    assert family.middle.seq == len(numbers)


async def test_a_child_that_is_created_is_announced_once(http: httpx.AsyncClient, process: Process) -> None:
    agent = await process.pool.run(make_agent)
    parent = await process.pool.run(make_session, agent)
    url = f"/v1/sessions/{parent.public_id}/child_sessions"
    body = {"agent_id": agent.public_id, "parent_session_id": parent.public_id, "title": "a:b"}
    items = [{"type": "message", "data": {"role": "user", "content": [{"type": "input_text", "text": "Go"}]}}]

    answer = await http.post("/v1/sessions", json={**body, "initial_items": items})

    assert answer.status_code == 201, answer.content
    entries = await process.pool.run(log.read, parent.pk, 0, 100)
    created, updated = [orjson.loads(entry.data) for entry in entries]
    assert created == {
        "type": "session.created",
        "sequence_number": None,
        "conversation_id": parent.public_id,
        "child_session_id": answer.json()["id"],
        "agent_id": agent.public_id,
        "parent_session_id": parent.public_id,
    }
    listed = (await http.get(url)).json()["data"]
    assert (updated["type"], [updated["child"]]) == (CHILD, listed)
    assert updated["child"]["last_message_preview"] == "Go"
    assert_error(await http.post("/v1/sessions", json=body), 409, "conflict")
    assert len(await process.pool.run(log.read, parent.pk, 0, 100)) == 2
    assert len((await http.get(url)).json()["data"]) == 1


async def test_children_that_are_created_at_once_are_all_announced(
    http: httpx.AsyncClient, process: Process
) -> None:
    agent = await process.pool.run(make_agent)
    parent = await process.pool.run(make_session, agent)
    bodies = [
        {"agent_id": agent.public_id, "parent_session_id": parent.public_id, "title": f"a:{number}"}
        for number in range(8)
    ]

    answers = await asyncio.gather(*(http.post("/v1/sessions", json=body) for body in bodies))

    assert {answer.status_code for answer in answers} == {201}
    entries = await process.pool.run(log.read, parent.pk, 0, 100)
    assert [entry.seq for entry in entries] == list(range(1, 17))
    announced = {orjson.loads(entry.data)["child_session_id"] for entry in entries}
    assert announced == {answer.json()["id"] for answer in answers}
