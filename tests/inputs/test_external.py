"""Items and text that come from elsewhere: stored or shown, without a turn."""

import asyncio
from typing import Any

import pytest

from tests.error_shape import assert_error
from tests.inputs.fake_runner import Answer, FakeRunner
from tests.inputs.rig import Rig, said

CALL = {"name": "look", "arguments": "{}", "call_id": "call_1", "model": "helper"}
STORED: dict[str, dict[str, Any]] = {
    "function_call": CALL,
    "error": {"source": "tool", "code": "E", "message": "m"},
    "reasoning": {"summary": [{"type": "summary_text", "text": "thinking"}]},
    "compaction": {"summary": "so far", "last_item_id": "item_1", "token_count": 3},
    "native_tool": {"item": {"any": ["thing"]}},
    "resource_event": {"event_type": "session.resource.created", "resource_id": "r", "resource_type": "file"},
    "routing_decision": {"model": "m", "applied": True, "rationale": "r"},
    "terminal_command": {"kind": "input", "input": "ls"},
}


def external(item_type: str, item_data: Any, **more: Any) -> dict[str, Any]:
    """An item from elsewhere."""
    return {
        "type": "external_conversation_item",
        "data": {"item_type": item_type, "item_data": item_data, **more},
    }


def message(role: str, words: str) -> dict[str, Any]:
    """Item data of a message."""
    return {"role": role, "content": [{"type": "input_text", "text": words}]}


@pytest.mark.parametrize("kind", sorted(STORED))
async def test_an_item_is_stored_and_shown(rig: Rig, kind: str) -> None:
    session_id = await rig.session()

    answer = await rig.post(session_id, {"type": kind, "data": STORED[kind]})

    assert answer.status_code == 202
    [item] = await rig.items(session_id)
    assert answer.json() == (
        {"queued": True} if kind == "compaction" else {"queued": True, "item_id": item["id"]}
    )
    assert item["type"] == kind
    assert {key: item[key] for key in STORED[kind]} == STORED[kind]
    [(event, shown)] = await rig.log(session_id)
    assert (event, shown["item"]["id"]) == ("response.output_item.done", item["id"])
    assert await rig.status(session_id) == "idle"


async def test_a_call_can_be_judged_without_being_stored(rig: Rig) -> None:
    session_id = await rig.session()

    answer = await rig.post(session_id, {"type": "function_call", "data": {**CALL, "evaluate_policy": True}})

    assert answer.json()["verdict"] == "allow"
    assert await rig.items(session_id) == []


@pytest.mark.parametrize("kind", sorted({*STORED} - {"compaction"}))
async def test_any_item_can_come_from_elsewhere(rig: Rig, kind: str) -> None:
    session_id = await rig.session()

    answer = await rig.post(session_id, external(kind, STORED[kind], response_id="resp_x"))

    [item] = await rig.items(session_id)
    assert answer.json() == {"queued": False, "item_id": item["id"]}
    assert (item["type"], item["response_id"]) == (kind, "resp_x")


async def test_a_users_message_from_elsewhere_is_shown_as_input(rig: Rig) -> None:
    session_id = await rig.session()

    await rig.post(session_id, external("message", message("user", "typed there")))
    await rig.post(session_id, external("message", message("assistant", "answered there")))

    assert await rig.log_types(session_id) == ["session.input.consumed", "response.output_item.done"]
    assert [item["role"] for item in await rig.items(session_id)] == ["user", "assistant"]
    assert await rig.status(session_id) == "idle"


async def test_a_source_id_is_stored_once(rig: Rig) -> None:
    session_id = await rig.session()
    body = external("message", message("assistant", "x"), source_id="line 1")

    answers = await asyncio.gather(*(rig.post(session_id, body) for _ in range(8)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["item_id"] for answer in answers}) == 1
    assert len(await rig.items(session_id)) == 1
    assert await rig.log_types(session_id) == ["response.output_item.done"]


async def test_long_source_ids_are_told_apart(rig: Rig) -> None:
    session_id = await rig.session()
    sources = ["x" * 500 + tail for tail in ("a", "b")]

    for source_id in (*sources, *sources):
        answer = await rig.post(
            session_id, external("message", message("assistant", "x"), source_id=source_id)
        )
        assert answer.status_code == 202

    assert len(await rig.items(session_id)) == 2


async def test_a_source_id_is_no_stable_id(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    key = "a" * 32
    await rig.post(session_id, external("message", message("user", "x"), source_id=key))

    answer = await rig.post(session_id, said("y", stable_id=key))

    assert answer.status_code == 202
    assert len(await rig.items(session_id)) == 2


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(external("message", message("assistant", "x"), response_id="r" * 129), id="item"),
        pytest.param(
            {
                "type": "external_assistant_message",
                "data": {"agent": "a", "text": "t", "response_id": "r" * 129},
            },
            id="message",
        ),
    ],
)
async def test_an_endless_response_id_is_refused(rig: Rig, body: dict[str, Any]) -> None:
    session_id = await rig.session()

    answer = assert_error(await rig.post(session_id, body), 400, "invalid_input")

    assert "response_id" in answer["error"]["message"]
    assert await rig.items(session_id) == []


async def test_an_assistant_message_from_elsewhere(rig: Rig) -> None:
    session_id = await rig.session()

    answer = await rig.post(
        session_id,
        {
            "type": "external_assistant_message",
            "data": {"agent": "helper", "text": "hi", "response_id": "resp_x"},
        },
    )

    [item] = await rig.items(session_id)
    assert answer.json() == {"queued": False, "item_id": item["id"]}
    assert (item["role"], item["model"], item["response_id"]) == ("assistant", "helper", "resp_x")
    assert item["content"] == [{"type": "output_text", "text": "hi"}]


async def test_text_from_elsewhere_is_shown_and_not_stored(rig: Rig) -> None:
    session_id = await rig.session()
    data = {"delta": "ab", "message_id": "m", "index": 0, "final": True}

    answer = await rig.post(session_id, {"type": "external_output_text_delta", "data": data})

    assert answer.json() == {"queued": False}
    [(kind, event)] = await rig.log(session_id)
    assert kind == "response.output_text.delta"
    assert {key: event[key] for key in data} == data
    assert await rig.items(session_id) == []


async def test_a_tool_result_reaches_the_turn(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")

    answer = await rig.post(
        session_id, {"type": "function_call_output", "data": {"call_id": "c", "output": "o"}}
    )

    assert (answer.status_code, answer.json()) == (202, {"queued": True, "item_id": "c"})
    await rig.delivered(session_id)
    body = runner.taken[-1]
    assert (body["type"], body["call_id"], body["output"]) == ("tool_result", "c", "o")
    assert len(await rig.items(session_id)) == 1


async def test_a_tool_result_without_a_runner_is_refused(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.session()
    gone = await rig.bound(runner)
    await runner.disconnect()
    before = await rig.counts()
    body = {"type": "function_call_output", "data": {"call_id": "c", "output": "o"}}

    assert_error(await rig.post(session_id, body), 503, "runner_unavailable")
    assert_error(await rig.post(gone, body), 503, "runner_unavailable")

    assert await rig.counts() == before


async def test_a_tool_result_that_nobody_waits_for_is_ignored(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    runner.plan.append(Answer(status=404, is_taken=False))

    answer = await rig.post(
        session_id, {"type": "function_call_output", "data": {"call_id": "c", "output": "o"}}
    )

    assert answer.status_code == 202
    await rig.delivered(session_id)
    assert await rig.status(session_id) == "idle"
