"""The assistant's text: judged before it is stored, replaced in the conversation and blank in the log."""

from typing import Any

import pytest

from tests.inputs.fake_runner import began, ended, text, turn
from tests.policing.policed import Policed, ask, deny
from tests.policing.tool_runner import ToolRunner

SENTINEL = "[Denied by policy: leak]"
DELTA = "response.output_text.delta"


async def reading(rig: Policed, runner: ToolRunner, answer: Any = None, **params: Any) -> str:
    """A session in a turn, in which no assistant may say `secret`."""
    session_id = await rig.bound(runner)
    params = {"phases": ["response"], "word": "secret", **params}
    await rig.attach(session_id, "gate", answer=answer or deny("leak"), **params)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    return session_id


async def spoken(rig: Policed, session_id: str) -> list[str]:
    """What the assistant has said, as the conversation has it."""
    rows = await rig.items(session_id)
    return [row["content"][0]["text"] for row in rows if row.get("role") == "assistant"]


async def anywhere(rig: Policed, session_id: str, word: str) -> bool:
    """Whether a word is still in the conversation or in the log."""
    return word in str(await rig.items(session_id)) + str(await rig.log(session_id))


async def test_text_that_nobody_minds_is_stored_as_it_is(rig: Policed, runner: ToolRunner) -> None:
    session_id = await reading(rig, runner)

    await runner.tell(session_id, *turn("resp_1", "all ", "is well"))

    assert await spoken(rig, session_id) == ["all is well"]


@pytest.mark.parametrize("deltas", [("the secret is 1",), ("the sec", "ret is 1")])
async def test_denied_text_is_replaced_and_its_deltas_are_blank(
    rig: Policed, runner: ToolRunner, deltas: tuple[str, ...]
) -> None:
    session_id = await reading(rig, runner)

    for event in turn("resp_1", *deltas):
        await runner.tell(session_id, event)

    await rig.becomes(session_id, "idle")
    assert await spoken(rig, session_id) == [SENTINEL]
    log = await rig.log(session_id)
    assert [event["delta"] for kind, event in log if kind == DELTA] == [""] * len(deltas)
    done = [event["item"] for kind, event in log if kind == "response.output_item.done"]
    assert SENTINEL in str(done)
    for delta in deltas:
        assert not await anywhere(rig, session_id, delta)


async def test_denied_text_in_one_commit_is_replaced_as_well(rig: Policed, runner: ToolRunner) -> None:
    session_id = await reading(rig, runner)

    await runner.tell(session_id, *turn("resp_1", "the secret ", "is 1"))

    assert await spoken(rig, session_id) == [SENTINEL]
    assert not await anywhere(rig, session_id, "the secret")


async def test_each_piece_of_text_between_calls_is_judged_by_itself(rig: Policed, runner: ToolRunner) -> None:
    session_id = await reading(rig, runner)
    call = {
        "type": "function_call",
        "call_id": "c1",
        "name": "look",
        "arguments": "{}",
        "status": "completed",
    }
    made = {"type": "response.output_item.done", "item": call}

    events = [*began("resp_1"), text("the secret"), made, text("all is well"), *ended("resp_1")]
    await runner.tell(session_id, *events)

    assert await spoken(rig, session_id) == [SENTINEL, "all is well"]


@pytest.mark.parametrize("has_deltas", [True, False])
async def test_a_whole_message_of_the_runner_is_judged_as_well(
    rig: Policed, runner: ToolRunner, has_deltas: bool
) -> None:
    session_id = await reading(rig, runner)
    content = [{"type": "output_text", "text": "the secret is 1"}]
    message = {"type": "message", "role": "assistant", "content": content}
    done = {"type": "response.output_item.done", "item": message}

    deltas = [text("the secret is 1")] if has_deltas else []
    await runner.tell(session_id, *began("resp_1"), *deltas, done, *ended("resp_1"))

    assert await spoken(rig, session_id) == [SENTINEL]
    assert not await anywhere(rig, session_id, "the secret")


@pytest.mark.parametrize("last", ["cancelled", "failed", "lost"])
async def test_text_of_a_turn_that_ends_badly_is_judged_as_well(
    rig: Policed, runner: ToolRunner, last: str
) -> None:
    session_id = await reading(rig, runner)
    await runner.tell(session_id, *began("resp_1"), text("the secret is 1"))

    ends: dict[str, list[dict[str, Any]]] = {
        "cancelled": ended("resp_1", "cancelled"),
        "failed": ended("resp_1", "failed", "failed"),
        "lost": ended("resp_1")[1:],
    }
    await runner.tell(session_id, *ends[last])

    assert await spoken(rig, session_id) == [SENTINEL]
    assert not await anywhere(rig, session_id, "the secret")


async def test_text_from_before_a_restart_of_the_server_is_judged_with_the_rest(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await reading(rig, runner)
    await runner.tell(session_id, *began("resp_1"), text("the sec"))

    await rig.door.restart()
    await runner.connect()
    await runner.reading(session_id)
    await runner.tell(session_id, text("ret is 1"), *ended("resp_1"))

    assert await spoken(rig, session_id) == [SENTINEL]
    assert not await anywhere(rig, session_id, "the sec")


async def test_a_question_about_text_is_a_denial(rig: Policed, runner: ToolRunner) -> None:
    session_id = await reading(rig, runner, ask("sure?"))

    await runner.tell(session_id, *turn("resp_1", "the secret is 1"))

    assert await spoken(rig, session_id) == ["[Denied by policy: gate: sure?]"]
    assert await rig.pending(session_id) == []


async def test_a_denied_model_answer_silences_the_text_of_its_turn_only(
    rig: Policed, runner: ToolRunner
) -> None:
    session_id = await reading(rig, runner, phases=["llm_response"])
    await runner.tell(session_id, *began("resp_1"), text("nothing bad"))
    event = {"type": "PHASE_LLM_RESPONSE", "data": {"model": "m", "text_preview": "the secret"}}

    assert (await rig.verdict(session_id, event))["result"] == "POLICY_ACTION_DENY"
    await runner.tell(session_id, *ended("resp_1"))
    await rig.say(session_id, "again")
    await rig.delivered(session_id)
    await runner.tell(session_id, *turn("resp_2", "all is well"))

    assert await spoken(rig, session_id) == [SENTINEL, "all is well"]
    assert not await anywhere(rig, session_id, "nothing bad")


def message(words: str) -> list[dict[str, Any]]:
    return [{"type": "output_text", "text": words}]


POSTED: dict[str, dict[str, Any]] = {
    "message": {"type": "message", "data": {"role": "assistant", "content": message("the secret is 1")}},
    "external message": {
        "type": "external_assistant_message",
        "data": {"agent": "helper", "text": "the secret is 1"},
    },
    "external item": {
        "type": "external_conversation_item",
        "data": {
            "item_type": "message",
            "item_data": {"role": "assistant", "agent": "helper", "content": message("the secret is 1")},
        },
    },
}


@pytest.mark.parametrize("kind", POSTED)
@pytest.mark.parametrize("road", ["alone", "batch", "key"])
async def test_posted_text_of_an_assistant_is_judged(rig: Policed, kind: str, road: str) -> None:
    session_id = await rig.session()
    await rig.attach(session_id, "gate", answer=deny("leak"), phases=["response"], word="secret")
    body = POSTED[kind]

    answer = await rig.post(
        session_id, [body] if road == "batch" else body, key="k" if road == "key" else None
    )

    assert answer.status_code == 202, answer.text
    assert await spoken(rig, session_id) == [SENTINEL]
    assert not await anywhere(rig, session_id, "the secret")
