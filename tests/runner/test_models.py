"""What a turn makes of a model's events, with an adapter written for the test."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from omnigent.runner.harnesses.base import (
    Finished,
    ModelRequest,
    ModelSettings,
    ReasoningDelta,
    Retry,
    SampleEvent,
    TextDelta,
    ToolCall,
    Usage,
)
from omnigent.runner.harnesses.rows import HarnessRow
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import running, settled
from tests.runner.stream import Stream

WEATHER = {"type": "function", "name": "weather", "description": "d", "parameters": {"type": "object"}}


class Player:
    """An adapter that plays what the model's name says."""

    def __init__(self, settings: ModelSettings) -> None:
        self.settings = settings

    def sample(self, request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
        return PLAYS[request.model](request)

    async def close(self) -> None:
        """Nothing to release."""


HARNESSES = {"scripted": HarnessRow(adapter=f"{__name__}:Player", default_model="none")}


def has_output(request: ModelRequest) -> bool:
    return any(item["type"] == "function_call_output" for item in request.items)


async def retries(request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
    yield Retry(attempt=1, max_attempts=7, delay_seconds=2.0, code="429", message="slow down")
    yield TextDelta("done")
    yield Finished("stop")


async def summarises(request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
    yield ReasoningDelta("a", summary=True)
    yield ReasoningDelta("b", summary=True)
    yield TextDelta("text")
    yield ReasoningDelta("c")
    yield Finished("stop")


async def breaks(request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
    yield TextDelta("half")
    raise RuntimeError("a bug in the adapter")


async def dirty(request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
    yield TextDelta("nul\x00 and \ud83d alone")
    yield Finished("stop")


async def counts(request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
    if not has_output(request):
        yield ToolCall(call_id="c1", name="sys_os_shell", arguments='{"command": "true"}')
    yield Usage(input_tokens=10, output_tokens=2, reasoning_tokens=1, context_tokens=12, model="m")
    yield Finished("stop")


async def garbles(request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
    if not has_output(request):
        yield ToolCall(call_id="c1", name="sys_os_shell", arguments='{"command": ')
        yield ToolCall(call_id="c2", name="sys_os_shell", arguments="[1]")
        yield ToolCall(call_id="c3", name="sys_os_read", arguments="")
    yield Finished("stop")


async def asks_client(request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
    if has_output(request):
        yield TextDelta(str(request.items[-1]["output"]))
    else:
        assert request.tools[-1].name == "weather"
        yield ToolCall(call_id="c1", name="weather", arguments='{"city": "Oslo"}')
    yield Finished("stop")


async def hangs(request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
    try:
        yield TextDelta("waiting")
        await asyncio.Event().wait()
    finally:
        Path(request.instructions).write_text("closed")


PLAYS: Mapping[str, Callable[[ModelRequest], AsyncGenerator[SampleEvent, None]]] = MappingProxyType(
    {
        play.__name__: play
        for play in (retries, summarises, breaks, dirty, counts, garbles, asks_client, hangs)
    }
)


async def watch(tmp_path: Path, name: str, server: FakeServer | None = None) -> Stream:
    async with running(tmp_path, server=server, harnesses=HARNESSES) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("go", model_override=name)
        await until(lambda: settled(stream))
    return stream


def outputs(stream: Stream) -> dict[str, str]:
    items = [event["item"] for event in stream.of_type("response.output_item.done")]
    return {item["call_id"]: item["output"] for item in items if item["type"] == "function_call_output"}


async def test_a_retry_is_shown(tmp_path: Path) -> None:
    retry = (await watch(tmp_path, "retries")).of_type("response.retry")[0]

    assert (retry["attempt"], retry["max_attempts"], retry["delay_seconds"]) == (1, 7, 2.0)
    assert retry["error"] == {"code": "429", "message": "slow down"}


async def test_each_stretch_of_reasoning_is_opened(tmp_path: Path) -> None:
    stream = await watch(tmp_path, "summarises")

    assert stream.types()[2:-2] == [
        "reasoning.started",
        "reasoning_summary_text.delta",
        "output_text.delta",
        "reasoning.started",
        "reasoning_text.delta",
    ]


async def test_a_bug_in_an_adapter_fails_the_turn_only(tmp_path: Path) -> None:
    async with running(tmp_path, harnesses=HARNESSES) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("go", model_override="breaks")
        await until(lambda: settled(stream))
        before = len(stream.events)
        await rig.server.say("go", model_override="retries")
        await until(lambda: settled(stream, before))

    error = stream.of_type("response.failed")[0]["response"]["error"]
    assert (error["code"], error["message"]) == ("RuntimeError", "a bug in the adapter")
    assert stream.text() == "halfdone"


async def test_text_that_cannot_be_stored_is_cleaned(tmp_path: Path) -> None:
    assert (await watch(tmp_path, "dirty")).text() == "nul\ufffd and \ufffd alone"


async def test_usage_adds_up_over_the_samples_of_a_turn(tmp_path: Path) -> None:
    usage = (await watch(tmp_path, "counts")).of_type("response.completed")[0]["response"]["usage"]

    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (20, 4, 24)
    assert usage["output_tokens_details"] == {"reasoning_tokens": 2}
    assert (usage["context_tokens"], usage["model"]) == (12, "m")


async def test_calls_with_bad_arguments_are_answered_without_the_server(tmp_path: Path) -> None:
    server = FakeServer()
    answers = outputs(await watch(tmp_path, "garbles", server))

    assert answers["c1"].startswith("Error: the arguments are not valid JSON")
    assert answers["c2"] == "Error: the arguments must be a JSON object"
    assert answers["c3"] == "Error: path: a string is required"
    assert len([path for _, path, _ in server.calls if path.endswith("/mcp")]) == 1


async def test_a_tool_of_the_client_waits_for_its_result(tmp_path: Path) -> None:
    async with running(tmp_path, harnesses=HARNESSES) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("go", model_override="asks_client", tools=[WEATHER])
        await until(lambda: "function_call action_required" in stream.types())
        await rig.server.post({"type": "tool_result", "call_id": "c1", "output": "rain"})
        await until(lambda: settled(stream))

    assert stream.types()[2:-2] == [
        "function_call in_progress",
        "function_call action_required",
        "function_call completed",
        "function_call_output completed",
        "output_text.delta",
    ]
    assert stream.text() == "rain"
    assert not [path for _, path, _ in rig.server.calls if path.endswith("/mcp")]


async def test_an_interrupt_closes_the_connection_to_the_model(tmp_path: Path) -> None:
    async with running(tmp_path, harnesses=HARNESSES) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("go", model_override="hangs", instructions=str(tmp_path / "connection"))
        await until(lambda: stream.text() == "waiting")
        await rig.server.post({"type": "interrupt"})
        await until(lambda: settled(stream))

    assert (tmp_path / "connection").read_text() == "closed"
    assert "cancelled" in stream.types()


async def test_a_model_change_counts_from_the_next_turn(tmp_path: Path) -> None:
    async with running(tmp_path, harnesses=HARNESSES) as rig:
        stream = rig.server.subscribe()
        snapshot: dict[str, Any] = {"model_override": "breaks", "workspace": str(tmp_path)}
        envelope = {"protocol_version": 2, "snapshot": snapshot}
        body = {"session_id": "conv_1", "agent_id": "ag_1", "session_init": envelope}
        status, answer = await rig.server.request("POST", "/v1/sessions", body)
        await rig.server.post({"type": "model_change", "model": "retries"})
        await rig.turn("go", stream)

    assert (status, answer["status"], answer["session_init_protocol_version"]) == (201, "idle", 2)
    assert stream.text() == "done"
    assert not [
        path for method, path, _ in rig.server.calls if (method, path) == ("GET", "/v1/sessions/conv_1")
    ]
