"""Turns as the server sees them: which events come, and in which order."""

from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.tools.registry import tools_of
from omnigent.spec.types import AgentSpec, OsEnv
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import running

CALL = ["function_call in_progress"]
DONE = ["function_call completed", "function_call_output completed"]
CHANGED = ["session.changed_files.invalidated"]
TEXT = ["output_text.delta"]


async def test_a_text_turn_streams_word_by_word(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.turn("Count to 5", stream)

    assert stream.types() == ["status running", "in_progress", *TEXT, "completed", "status idle"]
    assert stream.text() == "1 2 3 4 5 \n"
    assert len(stream.of_type("response.output_text.delta")) == 6
    completed = stream.of_type("response.completed")[0]["response"]
    assert completed["model"] == "helper"
    assert completed["usage"]["total_tokens"] == completed["usage"]["input_tokens"] + 6
    assert completed["usage"]["context_tokens"] > 0


async def test_a_tool_turn_announces_the_call_before_and_after(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.turn("Run the shell command: echo hi", stream)

    assert stream.types() == [
        "status running",
        "in_progress",
        *CALL,
        *CHANGED,
        *DONE,
        *TEXT,
        "completed",
        "status idle",
    ]
    output = stream.of_type("response.output_item.done")[-1]["item"]
    assert output["output"] == "hi\n"
    assert output["response_id"] == stream.of_type("response.in_progress")[0]["response"]["id"]
    numbers = [e["sequence_number"] for e in stream.events if e["type"].startswith("response.")]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_the_model_is_evaluated_before_each_sample_and_tools_pass_the_gate(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.turn("Run the shell command: echo hi", stream)

    asked = [path.rsplit("/", 1)[-1] for _, path, _ in rig.server.calls if path.startswith("/v1/sessions")]
    assert asked[-5:] == ["evaluate", "evaluate", "mcp", "evaluate", "evaluate"]
    event = next(body for _, path, body in rig.server.calls if path.endswith("evaluate"))["event"]
    assert event["type"] == "PHASE_LLM_REQUEST"
    assert event["data"]["last_user_message"] == "Run the shell command: echo hi"
    offered = tools_of(AgentSpec(name="helper", os_env=OsEnv()))
    assert event["data"]["tools_count"] == len(offered)


async def test_parallel_calls_run_at_the_same_time(tmp_path: Path) -> None:
    meeting: list[str] = []
    server = FakeServer()

    async def meet(body: dict[str, Any]) -> dict[str, Any]:
        meeting.append(body["params"]["arguments"]["command"])
        await until(lambda: len(meeting) == 5)
        return await server.allow(body)

    server.gate = meet
    async with running(tmp_path, server=server) as rig:
        stream = rig.server.subscribe()
        await rig.turn("Call 5 tools at once", stream)

    assert sorted(meeting) == [f"echo tool {n}" for n in range(1, 6)]
    items = [event["item"] for event in stream.of_type("response.output_item.done")]
    for call_id in {item["call_id"] for item in items}:
        states = [(i["type"], i["status"]) for i in items if i["call_id"] == call_id]
        assert states == [
            ("function_call", "in_progress"),
            ("function_call", "completed"),
            ("function_call_output", "completed"),
        ]
    assert all(f"{n}. tool {n}\n" in stream.text() for n in range(1, 6))


async def test_reasoning_starts_once_and_comes_before_the_text(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.turn("Think for 0.05 seconds", stream)

    assert stream.types() == [
        "status running",
        "in_progress",
        "reasoning.started",
        "reasoning_text.delta",
        *TEXT,
        "completed",
        "status idle",
    ]


async def test_a_failing_model_fails_the_turn_and_the_next_message_works(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.turn("Fail with out of luck", stream)
        failed = list(stream.events)
        await rig.turn("Count to 2", stream)

    assert [event["type"] for event in failed] == [
        "session.status",
        "response.in_progress",
        "response.failed",
        "session.status",
    ]
    error = failed[3]["error"]
    assert error == failed[2]["response"]["error"]
    assert (error["code"], error["message"]) == ("scripted_failure", "out of luck")
    assert failed[3]["response_id"] == failed[2]["response"]["id"]
    assert stream.text() == "1 2 \n"


async def test_several_requests_in_one_message_run_in_order(tmp_path: Path) -> None:
    text = "Write one two to notes.txt\nCount to 2\nRead the file notes.txt"
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.turn(text, stream)

    assert (tmp_path / "notes.txt").read_text() == "one two\n"
    assert stream.text().index("1 2") < stream.text().index("one two")


@pytest.mark.parametrize(
    "spec", ["name: x\nexecutor: {harness: openai-chat}\n", "name: x\nexecutor: {harness: claude-sdk}\n"]
)
async def test_a_harness_that_cannot_run_here_fails_the_turn_in_words(tmp_path: Path, spec: str) -> None:
    server = FakeServer()
    server.agent = spec + "prompt: hello\n"
    async with running(tmp_path, server=server) as rig:
        stream = rig.server.subscribe()
        await rig.turn("hello", stream)

    assert stream.of_type("response.failed")[0]["response"]["error"]["code"] == "harness_not_configured"


async def test_a_denied_model_request_fails_the_turn(tmp_path: Path) -> None:
    server = FakeServer()
    server.verdict = {"result": "POLICY_ACTION_DENY", "reason": "too late in the day"}
    async with running(tmp_path, server=server) as rig:
        stream = rig.server.subscribe()
        await rig.turn("Count to 2", stream)

    error = stream.of_type("response.failed")[0]["response"]["error"]
    assert (error["code"], error["message"]) == ("policy_denied", "Denied by policy: too late in the day")


async def test_policies_that_cannot_be_asked_do_not_stop_a_model_request(tmp_path: Path) -> None:
    server = FakeServer()
    server.statuses["evaluate"] = 500
    async with running(tmp_path, server=server) as rig:
        stream = rig.server.subscribe()
        await rig.turn("Count to 2", stream)

    assert stream.text() == "1 2 \n"


async def test_a_missing_agent_is_410_on_init_and_a_failed_turn(tmp_path: Path) -> None:
    server = FakeServer()
    server.statuses["contents"] = 404
    async with running(tmp_path, server=server) as rig:
        stream = rig.server.subscribe()
        status, answer = await rig.server.request("POST", "/v1/sessions", {"session_id": "conv_1"})
        await rig.turn("hello", stream)

    assert (status, answer["error"]) == (410, "session_agent_missing")
    assert stream.of_type("response.failed")[0]["response"]["error"]["code"] == "session_agent_missing"
