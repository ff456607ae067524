"""The scripted harness by itself."""

from typing import Any

import pytest

from omnigent.runner.harnesses.base import (
    ApprovalRequest,
    Finished,
    ModelError,
    ModelRequest,
    ModelSettings,
    ReasoningDelta,
    SampleEvent,
    TextDelta,
    ToolCall,
    Usage,
)
from omnigent.runner.harnesses.script import ABILITIES
from omnigent.runner.harnesses.scripted import Scripted

Json = dict[str, Any]


def user(text: str) -> Json:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def sample(*items: Json) -> list[SampleEvent]:
    model = Scripted(ModelSettings(extra={"pause_seconds": 0.001}))
    request = ModelRequest(model="", instructions="", items=items)
    return [event async for event in model.sample(request)]


def text_of(events: list[SampleEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def calls_of(events: list[SampleEvent]) -> list[tuple[str, str]]:
    return [(event.name, event.arguments) for event in events if isinstance(event, ToolCall)]


@pytest.mark.parametrize(
    ("request_text", "call"),
    [
        ("Run the shell command: ls -l | wc", ("sys_os_shell", '{"command": "ls -l | wc"}')),
        ("RUN THE SHELL COMMAND: LS", ("sys_os_shell", '{"command": "LS"}')),
        ("Read the file a b.txt", ("sys_os_read", '{"path": "a b.txt"}')),
        (
            "Write go to the market to list.txt",
            ("sys_os_write", '{"path": "list.txt", "content": "go to the market\\n"}'),
        ),
        ("  run the shell command:   true  ", ("sys_os_shell", '{"command": "true"}')),
    ],
)
async def test_a_request_becomes_a_call(request_text: str, call: tuple[str, str]) -> None:
    events = await sample(user(request_text))

    assert calls_of(events) == [call]
    assert events[-1] == Finished("tool_calls")


async def test_the_same_conversation_gives_the_same_events() -> None:
    items = [user("Call 3 tools at once")]

    assert await sample(*items) == await sample(*items)


async def test_calls_at_once_have_ids_of_their_own() -> None:
    events = await sample(user("Call 3 tools at once"))

    assert len({event.call_id for event in events if isinstance(event, ToolCall)}) == 3


@pytest.mark.parametrize("request_text", ["Count to 4", "count to 4 slowly", "Count to 4."])
async def test_counting_gives_one_number_per_delta(request_text: str) -> None:
    events = await sample(user(request_text))

    assert [event.text for event in events if isinstance(event, TextDelta)] == ["1 ", "2 ", "3 ", "4 ", "\n"]


async def test_thinking_gives_reasoning_and_then_text() -> None:
    events = await sample(user("Think for 0.01 seconds"))

    kinds = [type(event) for event in events]
    assert kinds.index(ReasoningDelta) < kinds.index(TextDelta)


async def test_failing_raises_with_the_text_given() -> None:
    with pytest.raises(ModelError, match="no luck today"):
        await sample(user("Fail with no luck today"))


async def test_asking_first_comes_before_the_call() -> None:
    events = await sample(user("Ask me before running: rm -r x"))

    assert isinstance(events[0], ApprovalRequest)
    assert events[0].preview == "rm -r x"
    assert calls_of(events) == [("sys_os_shell", '{"command": "rm -r x"}')]


async def test_anything_else_is_echoed_with_what_it_can_do() -> None:
    text = text_of(await sample(user("Who are you?")))

    assert text == f"You said: Who are you?\n\n{ABILITIES}"
    assert "no model" in text


async def test_an_empty_message_is_answered() -> None:
    assert ABILITIES in text_of(await sample({"type": "message", "role": "user", "content": []}))


async def test_requests_continue_after_the_tool_has_answered() -> None:
    request = user("Run the shell command: echo a\nCount to 2")
    first = next(event for event in await sample(request) if isinstance(event, ToolCall))
    call = {
        "type": "function_call",
        "call_id": first.call_id,
        "name": first.name,
        "arguments": first.arguments,
    }
    output = {"type": "function_call_output", "call_id": first.call_id, "output": "a\n"}

    events = await sample(request, call, output)

    assert text_of(events) == "The tool answered:\na\n1 2 \n"
    assert events[-1] == Finished("stop")


async def test_an_earlier_turn_is_not_repeated() -> None:
    answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "ok"}]}

    events = await sample(user("Fail with x"), answer, user("Count to 1"))

    assert text_of(events) == "1 \n"


async def test_usage_comes_before_the_end() -> None:
    events = await sample(user("Count to 3"))

    assert isinstance(events[-2], Usage)
    assert (events[-2].input_tokens, events[-2].output_tokens) == (3, 4)


async def test_a_summary_has_a_line_for_each_message() -> None:
    answer = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]}
    asked = user("Summarise the conversation so far. Keep what is decided.")

    events = await sample(user("Run the shell command: ls"), answer, asked)

    assert text_of(events) == "2 messages:\n- user: Run the shell command: ls\n- assistant: Done.\n"
    assert calls_of(events) == []
