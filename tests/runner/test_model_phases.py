"""What the policies see and stop around a model request."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.harnesses.base import (
    Finished,
    ModelRequest,
    ModelSettings,
    SampleEvent,
    TextDelta,
    ToolCall,
    Usage,
)
from omnigent.runner.harnesses.rows import HarnessRow
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import running, settled

Json = dict[str, Any]
ALLOW = {"result": "POLICY_ACTION_ALLOW"}
DENY = {"result": "POLICY_ACTION_DENY", "reason": "too late in the day"}


class Secretive:
    """An adapter that tells a secret, and after that only what it remembers to have said."""

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings

    async def sample(self, request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
        said = [item["content"][0]["text"] for item in request.items if item.get("role") == "assistant"]
        yield TextDelta(f"I said: {' / '.join(said)}" if said else "The secret is 42")
        if not said:
            yield ToolCall(call_id="c1", name="sys_os_shell", arguments='{"command": "touch done"}')
        yield Usage(input_tokens=10, output_tokens=2, cache_read_input_tokens=3, model="secretive-1")
        yield Finished("stop")

    async def close(self) -> None:
        """Nothing to release."""


SECRETIVE = {"scripted": HarnessRow(adapter=f"{__name__}:Secretive", default_model="none")}


@dataclass
class Judge:
    """Says ALLOW, except what it is told to say in a phase the first time it is asked there."""

    once: dict[str, Json]
    events: list[Json] = field(default_factory=list)

    async def __call__(self, body: Json) -> Json:
        self.events.append(body["event"])
        return self.once.pop(body["event"]["type"], ALLOW)


@dataclass
class Held:
    """The first model request waits for a person; `cut` breaks the connection that waits."""

    cut: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    verdict: Json = field(default_factory=lambda: ALLOW)
    ids: list[str] = field(default_factory=list)

    async def __call__(self, body: Json) -> Json | None:
        if body["event"]["type"] != "PHASE_LLM_REQUEST":
            return ALLOW
        self.ids.append(body["_omnigent_elicitation_id"])
        if len(self.ids) == 1:
            await self.cut.wait()
            return None
        await self.answered.wait()
        return self.verdict


async def test_the_policies_see_what_goes_to_the_model_and_what_comes_back(tmp_path: Path) -> None:
    server = FakeServer()
    server.judge = judge = Judge({})
    async with running(tmp_path, server=server, harnesses=SECRETIVE):
        stream = server.subscribe()
        await server.say("go", model_override="big")
        await until(lambda: settled(stream))

    assert [event["type"] for event in judge.events] == ["PHASE_LLM_REQUEST", "PHASE_LLM_RESPONSE"] * 2
    assert judge.events[0]["data"]["last_user_message"] == "go"
    assert judge.events[1] == {
        "type": "PHASE_LLM_RESPONSE",
        "data": {
            "model": "secretive-1",
            "text_preview": "The secret is 42",
            "tool_calls_count": 1,
            "usage": {
                "input_tokens": 10,
                "output_tokens": 2,
                "total_tokens": 12,
                "cache_read_input_tokens": 3,
                "cache_creation_input_tokens": 0,
            },
        },
        "context": {"model": "big", "harness": "scripted"},
    }


async def test_a_denied_model_request_ends_the_turn_with_the_reason_and_asks_no_model(tmp_path: Path) -> None:
    server = FakeServer()
    server.judge = Judge({"PHASE_LLM_REQUEST": DENY})
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await rig.turn("Count to 2", stream)
        ended = stream.types()
        await rig.turn("Count to 3", stream)

    assert ended == ["status running", "in_progress", "failed", "status failed"]
    error = stream.of_type("session.status")[1]["error"]
    assert (error["code"], error["message"]) == ("policy_denied", "Denied by policy: too late in the day")
    assert stream.text() == "1 2 3 \n"


async def test_of_a_denied_answer_no_call_runs_and_the_model_does_not_remember_it(tmp_path: Path) -> None:
    server = FakeServer()
    server.judge = Judge({"PHASE_LLM_RESPONSE": DENY})
    async with running(tmp_path, server=server, harnesses=SECRETIVE) as rig:
        stream = server.subscribe()
        await rig.turn("go", stream)
        ended = stream.types()
        await rig.turn("go on", stream)

    assert ended[-4:] == [
        "function_call completed",
        "function_call_output completed",
        "completed",
        "status idle",
    ]
    assert stream.outputs() == ["Denied by policy: too late in the day"]
    assert not (tmp_path / "done").exists()
    assert not [path for _, path, _ in server.calls if path.endswith("/mcp")]
    assert stream.text().endswith("I said: [Denied by policy: too late in the day]")


@pytest.mark.parametrize("is_allowed", [True, False])
async def test_a_model_request_before_a_person_survives_a_restart_of_the_server(
    tmp_path: Path, is_allowed: bool
) -> None:
    server = FakeServer()
    server.judge = held = Held(verdict=ALLOW if is_allowed else DENY)
    async with running(tmp_path, server=server):
        stream = server.subscribe()
        await server.say("Count to 2")
        await until(lambda: len(held.ids) == 1)
        await (await server.tunnel()).close(1012)
        held.cut.set()
        assert stream.reader is not None
        await stream.reader
        server.subscribe(into=stream, last=stream.ids[-1] if stream.ids else None)
        await until(lambda: len(held.ids) == 2)
        assert not settled(stream)
        held.answered.set()
        await until(lambda: settled(stream))

    assert held.ids[0] == held.ids[1]
    assert stream.text() == ("1 2 \n" if is_allowed else "")
    assert stream.types()[-1] == ("status idle" if is_allowed else "status failed")


async def test_an_interrupt_ends_a_turn_whose_model_request_is_before_a_person(tmp_path: Path) -> None:
    server = FakeServer()
    server.judge = held = Held()
    async with running(tmp_path, server=server):
        stream = server.subscribe()
        await server.say("Count to 2")
        await until(lambda: len(held.ids) == 1)
        held.cut.set()
        await until(lambda: len(held.ids) == 2)
        await server.post({"type": "interrupt"})
        await until(lambda: settled(stream))
        held.answered.set()

    assert stream.types()[-2:] == ["cancelled", "status idle"]
    assert stream.text() == ""
