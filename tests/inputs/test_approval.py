"""Verdicts: in-band and by address, one of them wins, and both sides learn which."""

import asyncio
from typing import Any

import httpx
import pytest

from sessions_app.models import Elicitation, ElicitationStatus, Session
from tests.error_shape import assert_error, assert_invalid
from tests.factories import ask
from tests.inputs.fake_runner import LOSE_AFTER, FakeRunner, began, ended
from tests.inputs.rig import Rig
from tests.inputs.waiting import until


def verdict(elicitation_id: Any, action: Any = "accept", **more: Any) -> dict[str, Any]:
    """An in-band verdict."""
    return {"type": "approval", "data": {"elicitation_id": elicitation_id, "action": action, **more}}


def question(elicitation_id: str) -> dict[str, Any]:
    """A question as a runner asks it."""
    params = {"mode": "url", "message": "May I?", "phase": "tool_call", "content_preview": "{}"}
    return {"type": "response.elicitation_request", "elicitation_id": elicitation_id, "params": params}


async def asked(rig: Rig, runner: FakeRunner) -> tuple[str, str]:
    """A session in the middle of a turn that waits for a verdict: (session, elicitation)."""
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"), question("elicit_1"))
    return session_id, "elicit_1"


async def resolve(
    rig: Rig, session_id: str, elicitation_id: str, body: Any, **headers: str
) -> httpx.Response:
    url = f"/v1/sessions/{session_id}/elicitations/{elicitation_id}/resolve"
    return await rig.http.post(url, json=body, headers=headers)


def resolutions(log: list[tuple[str, dict[str, Any]]]) -> list[str | None]:
    return [event["action"] for kind, event in log if kind == "response.elicitation_resolved"]


async def test_a_question_is_shown_while_it_is_open(rig: Rig, runner: FakeRunner) -> None:
    session_id, elicitation_id = await asked(rig, runner)

    shown = await rig.snapshot(session_id)

    assert shown["status"] == "running"
    assert [one["elicitation_id"] for one in shown["pending_elicitations"]] == [elicitation_id]


@pytest.mark.parametrize("action", ["accept", "decline", "cancel"])
async def test_a_verdict_reaches_the_runner(rig: Rig, runner: FakeRunner, action: str) -> None:
    session_id, elicitation_id = await asked(rig, runner)

    answer = await rig.post(session_id, verdict(elicitation_id, action, content={"a": 1, "b": ["x"]}))

    assert (answer.status_code, answer.json()) == (202, {"queued": False})
    await rig.delivered(session_id)
    body = runner.taken[-1]
    data = {"elicitation_id": elicitation_id, "action": action, "content": {"a": 1, "b": ["x"]}}
    assert (body["type"], body["data"]) == ("approval", data)
    assert resolutions(await rig.log(session_id)) == [action]
    assert (await rig.snapshot(session_id))["pending_elicitations"] == []
    row = await rig.run(Elicitation.objects.get)
    assert (row.status, row.action, row.resolved_by) == (ElicitationStatus.DELIVERED, action, "local")


async def test_a_verdict_by_address_does_the_same(rig: Rig, runner: FakeRunner) -> None:
    session_id, elicitation_id = await asked(rig, runner)

    answer = await resolve(rig, session_id, elicitation_id, {"action": "accept", "content": {"ok": True}})

    assert (answer.status_code, answer.json()) == (202, {"queued": False})
    await rig.delivered(session_id)
    assert runner.taken[-1]["data"]["content"] == {"ok": True}


async def test_accept_and_decline_at_once_have_one_winner(rig: Rig, runner: FakeRunner) -> None:
    session_id, elicitation_id = await asked(rig, runner)

    answers = await asyncio.gather(
        rig.post(session_id, verdict(elicitation_id, "accept")),
        resolve(rig, session_id, elicitation_id, {"action": "decline"}),
        rig.post(session_id, verdict(elicitation_id, "cancel")),
        resolve(rig, session_id, elicitation_id, {"action": "accept"}),
    )

    assert {answer.status_code for answer in answers} == {202}
    told = [answer.json().get("resolution") for answer in answers]
    assert told.count(None) == 1
    [won] = resolutions(await rig.log(session_id))
    losers = [one for one in told if one is not None]
    assert [one["action"] for one in losers] == [won] * 3
    assert all(one["resolved_by"] == "local" and one["resolved_at"] > 0 for one in losers)
    actions = ("accept", "decline", "cancel", "accept")
    assert actions[told.index(None)] == won
    await rig.delivered(session_id)
    assert [body["data"]["action"] for body in runner.taken if body["type"] == "approval"] == [won]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(verdict("elicit_unknown"), id="unknown id"),
        pytest.param(verdict(None), id="no id"),
        pytest.param(verdict(7), id="id of a wrong type"),
        pytest.param(verdict("x" * 5000), id="endless id"),
        pytest.param(verdict("elicit_1", "maybe"), id="bad action"),
        pytest.param(verdict("elicit_1", ["accept"]), id="action of a wrong type"),
        pytest.param({"type": "approval"}, id="no data"),
    ],
)
async def test_an_in_band_verdict_about_nothing_has_no_effect(
    rig: Rig, runner: FakeRunner, body: Any
) -> None:
    session_id, _ = await asked(rig, runner)
    before = await rig.log(session_id)

    answer = await rig.post(session_id, body)

    assert (answer.status_code, answer.json()) == (202, {"queued": False})
    assert await rig.log(session_id) == before
    assert len((await rig.snapshot(session_id))["pending_elicitations"]) == 1


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        pytest.param({}, ("body", "action"), id="no action"),
        pytest.param({"action": "maybe"}, ("body", "action"), id="bad action"),
        pytest.param({"action": None}, ("body", "action"), id="null"),
        pytest.param({"action": "accept\n"}, ("body", "action"), id="newline"),
        pytest.param([], ("body",), id="list"),
        pytest.param({"action": "accept", "content": "x"}, ("body", "content"), id="content string"),
        pytest.param(
            {"action": "accept", "content": {"a": {}}}, ("body", "content"), id="content object in object"
        ),
        pytest.param({"action": "accept", "content": {"a": "\0"}}, ("body", "content"), id="NUL"),
    ],
)
async def test_a_bad_verdict_by_address_is_invalid(
    rig: Rig, runner: FakeRunner, body: Any, loc: tuple[str, ...]
) -> None:
    session_id, elicitation_id = await asked(rig, runner)

    assert_invalid(await resolve(rig, session_id, elicitation_id, body), *loc)

    assert len((await rig.snapshot(session_id))["pending_elicitations"]) == 1


async def test_an_unknown_question_is_not_found_by_address(rig: Rig, runner: FakeRunner) -> None:
    session_id, _ = await asked(rig, runner)

    answer = await resolve(rig, session_id, "elicit_unknown", {"action": "accept"})

    assert_error(answer, 404, "not_found")


async def test_another_sessions_question_is_unknown_here(rig: Rig, runner: FakeRunner) -> None:
    session_id, elicitation_id = await asked(rig, runner)
    other = await rig.bound(runner)

    assert_error(await resolve(rig, other, elicitation_id, {"action": "accept"}), 404, "not_found")
    assert (await rig.post(other, verdict(elicitation_id))).json() == {"queued": False}

    assert len((await rig.snapshot(session_id))["pending_elicitations"]) == 1


async def test_a_repeated_verdict_under_a_key_is_told_the_same(rig: Rig, runner: FakeRunner) -> None:
    session_id, elicitation_id = await asked(rig, runner)
    key = {"Idempotency-Key": "k"}

    answers = [await resolve(rig, session_id, elicitation_id, {"action": "accept"}, **key) for _ in range(2)]

    assert [answer.json() for answer in answers] == [{"queued": False}] * 2
    other = await resolve(rig, session_id, elicitation_id, {"action": "decline"}, **key)
    assert_error(other, 422, "idempotency_mismatch")


async def test_a_verdict_that_meets_a_lost_tunnel_is_taken_once(rig: Rig, runner: FakeRunner) -> None:
    session_id, elicitation_id = await asked(rig, runner)
    runner.plan.append(LOSE_AFTER)

    await rig.post(session_id, verdict(elicitation_id))
    await until(lambda: runner.line is None, "the tunnel is lost")
    await runner.connect()

    await rig.delivered(session_id)
    assert runner.kinds() == ["message", "approval"]


async def test_the_runners_echo_does_not_change_the_verdict(rig: Rig, runner: FakeRunner) -> None:
    session_id, elicitation_id = await asked(rig, runner)
    await rig.post(session_id, verdict(elicitation_id, "decline"))
    echo = {"type": "response.elicitation_resolved", "elicitation_id": elicitation_id, "action": None}

    await runner.tell(session_id, echo, *ended("resp_1", "cancelled"))

    await rig.becomes(session_id, "idle")
    assert resolutions(await rig.log(session_id)) == ["decline", None]
    late = (await rig.post(session_id, verdict(elicitation_id))).json()
    assert late["resolution"]["action"] == "decline"


async def test_an_interrupted_turn_takes_its_question_with_it(rig: Rig, runner: FakeRunner) -> None:
    session_id, elicitation_id = await asked(rig, runner)
    await rig.post(session_id, {"type": "interrupt"})
    await rig.delivered(session_id)

    await runner.tell(session_id, *ended("resp_1", "cancelled"))

    shown = await rig.becomes(session_id, "idle")
    assert shown["pending_elicitations"] == []
    assert resolutions(await rig.log(session_id)) == ["cancel"]
    late = (await rig.post(session_id, verdict(elicitation_id))).json()
    assert late["resolution"]["action"] == "cancel"
    assert "approval" not in runner.kinds()


async def test_an_open_question_survives_a_restart(rig: Rig, runner: FakeRunner) -> None:
    session_id, elicitation_id = await asked(rig, runner)

    await rig.door.restart()
    assert len((await rig.snapshot(session_id))["pending_elicitations"]) == 1
    await runner.connect()
    answer = await rig.post(session_id, verdict(elicitation_id))

    assert answer.json() == {"queued": False}
    await rig.delivered(session_id)
    assert runner.kinds() == ["message", "approval"]


async def test_a_question_of_no_turn_can_be_answered(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    row = await rig.run(lambda: ask(Session.objects.get(public_id=session_id)))

    answer = await resolve(rig, session_id, row.public_id, {"action": "accept"})

    assert (answer.status_code, answer.json()) == (202, {"queued": False})
