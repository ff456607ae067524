"""Calls that a native harness reports before it makes them: a verdict or a question, and nothing stored."""

from typing import Any

import orjson
import pytest

from tests.error_shape import assert_error
from tests.policing.policed import Policed, ask, deny


def reported(name: str = "Bash", call_id: str = "call_1", **arguments: Any) -> dict[str, Any]:
    """A call as a harness reports it: its arguments are JSON text."""
    data = {"agent": "helper", "name": name, "call_id": call_id, "evaluate_policy": True, "model": "m"}
    return {"type": "function_call", "data": {**data, "arguments": orjson.dumps(arguments).decode()}}


async def verdict(rig: Policed, session_id: str, **call: Any) -> dict[str, Any]:
    """What the harness is told."""
    answer = await rig.post(session_id, reported(**call))
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def test_a_call_is_allowed_or_denied_and_never_stored(rig: Policed) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "gate", answer=deny("no"), tools=["Write"])

    assert await verdict(rig, session_id, command="ls") == {"verdict": "allow"}
    assert await verdict(rig, session_id, name="Write") == {"verdict": "deny", "reason": "no"}
    batch = (await rig.post(session_id, [reported("Write"), reported("Read", "call_2")])).json()
    assert [one["verdict"] for one in batch] == ["deny", "allow"]
    assert await rig.items(session_id) == []


async def test_policies_see_the_arguments_of_a_reported_call(rig: Policed) -> None:
    session_id = await rig.session()
    sleep = "omnigent.policies.block_long_sleep"
    await rig.attach(session_id, "awake", sleep, max_seconds=5)

    assert (await verdict(rig, session_id, command="sleep 1"))["verdict"] == "allow"
    assert (await verdict(rig, session_id, command="sleep 100"))["verdict"] == "deny"


async def test_the_arguments_are_an_object_wherever_their_text_is_one(rig: Policed) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "sees", "tells", part="data.arguments")

    told = await verdict(rig, session_id, command="ls", more=[1])

    assert orjson.loads(told["reason"]) == {"command": "ls", "more": [1]}


@pytest.mark.parametrize(("action", "word"), [("accept", "allow"), ("decline", "deny"), ("cancel", "deny")])
async def test_a_call_that_is_asked_about_waits_for_its_verdict(rig: Policed, action: str, word: str) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "care", answer=ask("sure?"), more={"ask_timeout": 100.0})

    first = await verdict(rig, session_id, command="ls")
    again = await verdict(rig, session_id, command="ls")

    assert first["verdict"] == again["verdict"] == "pending"
    assert first["elicitation_id"] == again["elicitation_id"]
    assert 90 <= first["ask_timeout"] <= 100
    assert await rig.settle(session_id, action) == first["elicitation_id"]
    assert (await verdict(rig, session_id, command="ls"))["verdict"] == word


async def test_an_approval_of_a_reported_call_is_for_one_call_only(rig: Policed) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "care", answer=ask("sure?"))
    first = await verdict(rig, session_id, command="ls")
    await rig.settle(session_id)
    assert (await verdict(rig, session_id, command="ls"))["verdict"] == "allow"

    other = await verdict(rig, session_id, command="ls", call_id="call_2")

    assert other["verdict"] == "pending"
    assert other["elicitation_id"] != first["elicitation_id"]


async def test_a_failing_policy_denies_a_reported_call(rig: Policed) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "broken", "raises")

    assert (await verdict(rig, session_id))["verdict"] == "deny"


@pytest.mark.parametrize("missing", ["name", "call_id"])
async def test_a_report_that_cannot_be_read_is_refused(rig: Policed, missing: str) -> None:
    session_id = await rig.session()
    body = reported()
    del body["data"][missing]

    assert_error(await rig.post(session_id, body), 400, "invalid_input")
