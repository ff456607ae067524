"""The `scripted` harness: no model, but a program that follows plain requests, the same way every time."""

import asyncio
import hashlib
import re
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from omnigent.ids import ELICITATION, mint
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
from omnigent.runner.harnesses.rows import MODEL_NAME
from omnigent.runner.harnesses.script import (
    AskFirst,
    Call,
    Fail,
    Say,
    Step,
    Summarise,
    Think,
    arguments_text,
    steps_of,
    words,
)

PAUSE_SECONDS: Final = 0.1
REPORT_CHARS: Final = 2000
DIGEST_CHARS: Final = 60
CURRENT_TURN: Final = "current_turn"
_DENIED: Final = "Denied by policy:"
_CALL_ID: Final = re.compile(r"call_(\d+)_(\d+)_[0-9a-f]+")

Item = Mapping[str, Any]


class Scripted:
    """Takes the steps that the turn's messages ask for, from the first one not yet taken.

    Which were taken is read from the ids of the calls in the items: the harness remembers nothing.
    `extra["pause_seconds"]` is the time between two numbers or thoughts.
    """

    def __init__(self, settings: ModelSettings | None = None) -> None:
        extra = settings.extra if settings is not None else {}
        self._pause = float(extra.get("pause_seconds", PAUSE_SECONDS))

    async def close(self) -> None:
        """There is nothing to release."""

    async def sample(self, request: ModelRequest) -> AsyncIterator[SampleEvent]:
        turn = _current_turn(request.items)
        steps = [step for item in turn if _is_user(item) for step in steps_of(_text(item))]
        done = max((number for number, _, _ in _calls(turn)), default=-1)
        produced = 0
        reason = "stop"
        if done >= 0:
            for piece in words(_report(turn, done)):
                produced += 1
                yield TextDelta(piece)
        for number, step in enumerate(steps[done + 1 :], start=done + 1):
            async for event in self._take(step, number, request.items):
                produced += 1
                yield event
            if isinstance(step, Call | AskFirst):
                reason = "tool_calls"
                break
        yield _usage(request, produced)
        yield Finished(reason)

    async def _take(self, step: Step, number: int, items: Sequence[Item]) -> AsyncIterator[SampleEvent]:
        salt = _salt(items)
        if isinstance(step, Fail):
            raise ModelError("scripted_failure", step.message)
        if isinstance(step, Say):
            async for event in self._say(step):
                yield event
        elif isinstance(step, Summarise):
            for piece in words(_digest(items)):
                yield TextDelta(piece)
        elif isinstance(step, Think):
            async for event in self._think(step):
                yield event
        elif isinstance(step, Call):
            for place, (name, arguments) in enumerate(step.calls):
                yield _tool_call(number, place, salt, name, arguments)
        else:
            yield ApprovalRequest(
                elicitation_id=mint(ELICITATION),
                message="The scripted agent asks before it runs a command.",
                preview=step.command,
            )
            yield _tool_call(number, 0, salt, "sys_os_shell", {"command": step.command})

    async def _say(self, step: Say) -> AsyncIterator[SampleEvent]:
        for place, piece in enumerate(step.pieces):
            if step.slowly and place:
                await asyncio.sleep(self._pause)
            yield TextDelta(piece)

    async def _think(self, step: Think) -> AsyncIterator[SampleEvent]:
        end = time.monotonic() + step.seconds
        yield ReasoningDelta(f"Thinking for {step.seconds:g} seconds. ")
        while (left := end - time.monotonic()) > 0:
            await asyncio.sleep(min(self._pause, left))
            yield ReasoningDelta("Hmm. ")
        yield TextDelta(f"I thought for {step.seconds:g} seconds.\n")


def _current_turn(items: Sequence[Item]) -> Sequence[Item]:
    """The items of this turn as the runner marks them, else those after the last finished answer."""
    marked = [item for item in items if item.get(CURRENT_TURN)]
    if marked:
        return marked
    start = 0
    for index, item in enumerate(items):
        following = items[index + 1].get("type") if index + 1 < len(items) else None
        if item.get("role") == "assistant" and following == "message":
            start = index + 1
    return items[start:]


def _is_user(item: Item) -> bool:
    return item.get("type") == "message" and item.get("role") == "user"


def _text(item: Item) -> str:
    content = item.get("content")
    if isinstance(content, str):
        return content
    blocks = [block for block in content or () if isinstance(block, Mapping)]
    return "\n".join(str(block["text"]) for block in blocks if isinstance(block.get("text"), str))


def _digest(items: Sequence[Item]) -> str:
    """A line for each message before the last one: who wrote it, and how it begins."""
    said = [item for item in items if item.get("type") == "message"][:-1]
    lines = [f"- {item.get('role')}: {' '.join(_text(item).split())[:DIGEST_CHARS]}\n" for item in said]
    return f"{len(lines)} messages:\n{''.join(lines)}"


def _calls(turn: Sequence[Item]) -> list[tuple[int, int, str]]:
    """(step, place in it, call id) of the turn's calls."""
    ids = [str(item.get("call_id")) for item in turn if item.get("type") == "function_call"]
    return [
        (int(match[1]), int(match[2]), call_id) for call_id in ids if (match := _CALL_ID.fullmatch(call_id))
    ]


def _report(turn: Sequence[Item], step: int) -> str:
    """What the calls of a step answered."""
    wanted = [call_id for number, _, call_id in sorted(_calls(turn)) if number == step]
    outputs = {
        item.get("call_id"): str(item.get("output", ""))
        for item in turn
        if item.get("type") == "function_call_output"
    }
    names = {item.get("call_id"): item.get("name") for item in turn if item.get("type") == "function_call"}
    shown = [_answer(str(names.get(call_id)), outputs.get(call_id, "")) for call_id in wanted]
    if len(shown) == 1:
        return f"The tool answered:\n{shown[0]}\n"
    return "The tools answered:\n" + "".join(f"{n}. {output}\n" for n, output in enumerate(shown, start=1))


def _answer(name: str, output: str) -> str:
    """What a call answered; of one that was denied also which tool it was."""
    if output.startswith(_DENIED):
        return f"{name} did not run. {_shortened(output)}"
    return _shortened(output.rstrip("\n")) or "(no output)"


def _shortened(output: str) -> str:
    return output if len(output) <= REPORT_CHARS else f"{output[:REPORT_CHARS]}\n(and more)"


def _tool_call(number: int, place: int, salt: str, name: str, arguments: Mapping[str, Any]) -> ToolCall:
    call_id = f"call_{number}_{place}_{salt}"
    return ToolCall(call_id=call_id, name=name, arguments=arguments_text(arguments))


def _salt(items: Sequence[Item]) -> str:
    """The same for the same conversation, different after each turn."""
    turn_start = next((n for n, item in enumerate(items) if item.get(CURRENT_TURN)), len(items))
    seed = "\n".join([str(turn_start), *(_text(item) for item in items[: turn_start + 1])])
    return hashlib.sha256(seed.encode("utf-8", "replace")).hexdigest()[:16]


def _usage(request: ModelRequest, produced: int) -> Usage:
    seen = sum(len(_text(item).split()) + len(str(item.get("output", "")).split()) for item in request.items)
    return Usage(
        input_tokens=seen,
        output_tokens=produced,
        context_tokens=seen + produced,
        model=request.model or MODEL_NAME,
    )
