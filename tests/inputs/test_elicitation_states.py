"""The life of a question: open, answered, expired, void, and asked again by a runner that comes back."""

from typing import Any

import pytest

from sessions_app.models import Elicitation, Outbox
from tests.inputs.fake_runner import FakeRunner, began, ended, response
from tests.inputs.rig import Rig
from tests.inputs.waiting import until

REQUEST, RESOLVED = "response.elicitation_request", "response.elicitation_resolved"


def verdict(action: str = "accept", **more: Any) -> dict[str, Any]:
    return {"type": "approval", "data": {"elicitation_id": "elicit_1", "action": action, **more}}


def question(elicitation_id: str = "elicit_1") -> dict[str, Any]:
    params = {"mode": "url", "message": "May I?", "phase": "tool_call", "content_preview": "{}"}
    return {"type": REQUEST, "elicitation_id": elicitation_id, "params": params}


ECHO = {"type": RESOLVED, "elicitation_id": "elicit_1", "action": None}


async def asked(rig: Rig, runner: FakeRunner) -> str:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"), question())
    return session_id


async def state(rig: Rig) -> tuple[str, str, str]:
    row = await rig.run(Elicitation.objects.get)
    return row.status, row.action, row.resolved_by


async def told(rig: Rig, session_id: str) -> list[str]:
    return [kind for kind in await rig.log_types(session_id) if kind in (REQUEST, RESOLVED)]


async def pending(rig: Rig, session_id: str) -> list[str]:
    return [one["elicitation_id"] for one in (await rig.snapshot(session_id))["pending_elicitations"]]


async def test_a_question_expires_when_its_runner_gives_up(rig: Rig, runner: FakeRunner) -> None:
    session_id = await asked(rig, runner)

    await runner.tell(session_id, ECHO)

    assert await state(rig) == ("expired", "cancel", "")
    assert await pending(rig, session_id) == []
    assert await rig.status(session_id) == "running"
    late = (await rig.post(session_id, verdict())).json()
    assert late["resolution"]["action"] == "cancel"
    assert late["resolution"]["resolved_by"] is None
    assert "approval" not in runner.kinds()


@pytest.mark.parametrize("end", ["idle", "failed"])
async def test_a_question_is_void_after_its_turn(rig: Rig, runner: FakeRunner, end: str) -> None:
    session_id = await asked(rig, runner)

    await runner.tell(session_id, *ended("resp_1", "failed" if end == "failed" else "cancelled", end))

    await rig.becomes(session_id, end)
    assert await state(rig) == ("cancelled", "cancel", "")
    assert await told(rig, session_id) == [REQUEST, RESOLVED]
    assert await pending(rig, session_id) == []


async def test_a_question_that_was_answered_elsewhere_is_closed(rig: Rig, runner: FakeRunner) -> None:
    session_id = await asked(rig, runner)

    answer = await rig.post(
        session_id, {"type": "external_elicitation_resolved", "data": {"elicitation_id": "elicit_1"}}
    )

    assert (answer.status_code, answer.json()) == (202, {"queued": False})
    assert await state(rig) == ("cancelled", "cancel", "")
    assert await pending(rig, session_id) == []
    assert await told(rig, session_id) == [REQUEST, RESOLVED]


async def test_a_question_that_is_parked_again_is_shown_again(rig: Rig, runner: FakeRunner) -> None:
    session_id = await asked(rig, runner)
    await rig.door.restart()
    await runner.connect()
    await runner.reading(session_id)

    await runner.tell(session_id, question())

    assert await told(rig, session_id) == [REQUEST, REQUEST]
    assert await pending(rig, session_id) == ["elicit_1"]
    assert (await rig.post(session_id, verdict())).json() == {"queued": False}
    await rig.delivered(session_id)
    assert runner.kinds() == ["message", "approval"]


async def test_an_answered_question_that_is_parked_again_gets_its_verdict(
    rig: Rig, runner: FakeRunner
) -> None:
    """The verdict was delivered to a runner process that then lost it."""
    session_id = await asked(rig, runner)
    await rig.post(session_id, verdict("decline", content={"why": "no"}))
    await rig.delivered(session_id)

    await runner.tell(session_id, question())

    await until(lambda: runner.kinds().count("approval") == 2, "the verdict is sent again")
    first, second = [body["data"] for body in runner.taken if body["type"] == "approval"]
    assert first == second == {"elicitation_id": "elicit_1", "action": "decline", "content": {"why": "no"}}
    assert await told(rig, session_id) == [REQUEST, RESOLVED]
    assert await pending(rig, session_id) == []


async def test_a_void_question_that_is_parked_again_is_open_again(rig: Rig, runner: FakeRunner) -> None:
    session_id = await asked(rig, runner)
    await runner.tell(session_id, ECHO)

    await runner.tell(session_id, question())

    assert await pending(rig, session_id) == ["elicit_1"]
    assert await told(rig, session_id) == [REQUEST, RESOLVED, REQUEST]
    assert (await rig.post(session_id, verdict())).json() == {"queued": False}
    await rig.delivered(session_id)
    assert runner.kinds() == ["message", "approval"]
    assert (await state(rig))[1:] == ("accept", "local")


async def test_void_and_parked_again_in_one_commit_is_open(rig: Rig, runner: FakeRunner) -> None:
    session_id = await asked(rig, runner)
    again = [response("cancelled", "resp_1"), *began("resp_2"), question()]

    await runner.tell(session_id, *again)

    assert await pending(rig, session_id) == ["elicit_1"]
    assert (await state(rig))[0] == "pending"


async def test_a_form_from_elsewhere_waits_for_a_person(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}

    answer = await rig.post(
        session_id, {"type": "mcp_elicitation", "data": {"message": "How many?", "requestedSchema": schema}}
    )

    body = answer.json()
    assert (answer.status_code, body["queued"]) == (202, False)
    [shown] = (await rig.snapshot(session_id))["pending_elicitations"]
    assert shown["elicitation_id"] == body["elicitation_id"]
    expected = {"mode": "form", "message": "How many?", "requestedSchema": schema}
    assert {key: shown["params"][key] for key in expected} == expected
    verdict = {"elicitation_id": body["elicitation_id"], "action": "accept", "content": {"n": 3}}
    assert (await rig.post(session_id, {"type": "approval", "data": verdict})).json() == {"queued": False}
    await rig.delivered(session_id)
    assert runner.taken[-1]["data"] == verdict
    assert await rig.run(Outbox.objects.count) == 0


@pytest.mark.parametrize("elicitation_id", ["elicit_%00", "%00", "x" * 3000, "elicit_ü", "a'b"])
async def test_odd_ids_by_address_are_unknown(rig: Rig, elicitation_id: str) -> None:
    session_id = await rig.session()
    url = f"/v1/sessions/{session_id}/elicitations/{elicitation_id}"

    answer = await rig.http.post(f"{url}/resolve", json={"action": "accept"})
    looked = await rig.http.get(url)

    assert answer.status_code == 404
    assert looked.status_code in (200, 404)
