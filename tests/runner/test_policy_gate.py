"""What the runner takes for the verdict when the server answers, stays silent, or goes away."""

import asyncio
import json
import re
from typing import Any

import httpx
import pytest

from omnigent.runner.policy_gate import PolicyGate, Verdict
from tests.runner.api_rig import Answer, Server, Waits, make_api

CLOSED = ["PHASE_REQUEST", "PHASE_TOOL_CALL"]
OPEN = ["PHASE_TOOL_RESULT", "PHASE_LLM_REQUEST", "PHASE_LLM_RESPONSE"]
MODES = [*((phase, False) for phase in CLOSED), *((phase, True) for phase in OPEN)]


def verdict(result: object, **more: str) -> httpx.Response:
    return httpx.Response(200, json={"result": result, **more})


async def ask(server: Server, phase: str = "PHASE_LLM_REQUEST", waits: Waits | None = None) -> Verdict:
    gate = PolicyGate(make_api(server, waits), session_id="conv_1")
    return await gate.ask({"type": phase, "data": {}})


def bodies(server: Server) -> list[dict[str, Any]]:
    return [json.loads(request.content) for request in server.seen("evaluate")]


@pytest.mark.parametrize(("phase", "is_allowed"), MODES)
async def test_a_server_that_is_away_closes_tool_calls_and_requests_only(
    phase: str, is_allowed: bool
) -> None:
    waits = Waits()
    got = await ask(Server(evaluate=[httpx.ConnectError("refused")]), phase, waits)

    assert got.is_allowed is is_allowed
    assert 100 < waits.now <= 120


@pytest.mark.parametrize(("phase", "is_allowed"), MODES)
async def test_a_server_that_refuses_closes_tool_calls_and_requests_only(
    phase: str, is_allowed: bool
) -> None:
    server = Server(evaluate=[httpx.Response(500)])

    assert (await ask(server, phase)).is_allowed is is_allowed
    assert len(bodies(server)) == 1


@pytest.mark.parametrize("phase", ["PHASE_LLM_RESPONSE", "PHASE_TOOL_RESULT"])
async def test_a_phase_without_people_is_not_waited_for_longer_than_its_time(phase: str) -> None:
    async def silence(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    gate = PolicyGate(make_api(silence), session_id="conv_1", machine_seconds=0.05)

    assert (await gate.ask({"type": phase, "data": {}})).is_allowed


@pytest.mark.parametrize("cut", [httpx.ReadError("cut"), httpx.Response(504)])
async def test_a_question_that_may_be_before_a_person_is_asked_again_under_its_id_without_end(
    cut: Answer,
) -> None:
    waits = Waits()
    server = Server(evaluate=[*[cut] * 200, verdict("POLICY_ACTION_DENY", reason="Ann said no")])

    got = await ask(server, waits=waits)

    assert got == Verdict(is_allowed=False, reason="Ann said no")
    assert waits.now > 200
    assert len(bodies(server)) == 201
    (elicitation_id,) = {body["_omnigent_elicitation_id"] for body in bodies(server)}
    assert re.fullmatch("elicit_evaluate_[0-9a-f]{32}", elicitation_id)


async def test_a_server_that_goes_away_after_the_question_is_waited_for_as_well() -> None:
    waits = Waits()
    away: list[Answer] = [httpx.ReadError("cut"), *[httpx.ConnectError("refused")] * 200]
    server = Server(evaluate=[*away, verdict("POLICY_ACTION_ALLOW")])

    assert (await ask(server, waits=waits)).is_allowed
    assert waits.now > 200


async def test_a_question_that_gets_lost_before_a_person_answers_is_not_allowed() -> None:
    server = Server(evaluate=[httpx.ReadError("cut"), httpx.Response(404, text="no such session")])

    assert not (await ask(server)).is_allowed


async def test_each_question_has_an_id_of_its_own_and_machines_have_none() -> None:
    server = Server(evaluate=[verdict("POLICY_ACTION_ALLOW")])
    for phase in ["PHASE_LLM_REQUEST", "PHASE_LLM_REQUEST", "PHASE_LLM_RESPONSE"]:
        await ask(server, phase)

    first, second, machine = bodies(server)
    assert first["_omnigent_elicitation_id"] != second["_omnigent_elicitation_id"]
    assert "_omnigent_elicitation_id" not in machine
    assert machine["event"]["type"] == "PHASE_LLM_RESPONSE"


@pytest.mark.parametrize(
    ("result", "is_allowed"),
    [
        ("POLICY_ACTION_ALLOW", True),
        ("POLICY_ACTION_UNSPECIFIED", True),
        ("POLICY_ACTION_DENY", False),
        ("POLICY_ACTION_ASK", False),
        ("POLICY_ACTION_MAYBE", False),
        (["POLICY_ACTION_ALLOW"], False),
        (None, False),
    ],
)
@pytest.mark.parametrize("phase", [*CLOSED, *OPEN])
async def test_only_allowing_verdicts_allow(phase: str, result: object, is_allowed: bool) -> None:
    assert (await ask(Server(evaluate=[verdict(result)]), phase)).is_allowed is is_allowed
