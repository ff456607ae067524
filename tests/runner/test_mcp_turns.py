"""The tools of MCP servers in a turn: listed and called through the server's gate, asking on the way."""

import json
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.runner.caller import CALLER, call
from tests.runner.fake_server import FakeServer, until
from tests.runner.mcp_rig import SCRIPTS, gate
from tests.runner.rig import Rig, running, settled
from tests.runner.stream import Stream

Json = dict[str, Any]
SECONDS = 30.0
EXECUTE = "/v1/sessions/conv_1/mcp/execute"


def agent(**tools: Mapping[str, Any]) -> str:
    """An agent with these tools; JSON is YAML."""
    return json.dumps(
        {"name": "helper", "prompt": "p", "executor": {"harness": "scripted"}, "os_env": {}, "tools": tools}
    )


def mcp(*args: str, **more: Any) -> Json:
    script = SCRIPTS / "tools.py"
    return {"type": "mcp", "command": sys.executable, "args": list(args) or [str(script), "stdio"], **more}


@asynccontextmanager
async def runner(tmp_path: Path, server: FakeServer, document: str) -> AsyncIterator[tuple[Rig, Stream]]:
    server.agent = document
    if server.gate == server.allow:
        server.gate = lambda body: gate(server, body)
    async with running(tmp_path, server=server, harnesses=CALLER) as rig:
        yield rig, server.subscribe()


async def turn(rig: Rig, stream: Stream, text: str) -> None:
    before = len(stream.events)
    await rig.server.say(text)
    await until(lambda: settled(stream, before), SECONDS)


def offered(stream: Stream) -> list[str]:
    """What the model of the first turn was offered of MCP servers."""
    names, _ = json.JSONDecoder().raw_decode(stream.text())
    return [name for name in names if "__" in name]


def listings(server: FakeServer) -> int:
    return len(
        [body for _, path, body in server.calls if path.endswith("/mcp") and body["method"] == "tools/list"]
    )


async def test_a_turn_lists_tools_through_the_gate_and_calls_them(tmp_path: Path) -> None:
    server = FakeServer()
    async with runner(tmp_path, server, agent(t=mcp(tools=["echo", "add"]))) as (rig, stream):
        await turn(rig, stream, "tools")
        await turn(rig, stream, call("t__echo", text="hi"))

    assert offered(stream) == ["t__echo", "t__add"]
    assert stream.outputs() == ["hi"]
    assert listings(server) == 2


async def test_an_agent_without_servers_lists_nothing(tmp_path: Path) -> None:
    server = FakeServer()
    async with runner(tmp_path, server, agent()) as (rig, stream):
        await turn(rig, stream, call("sys_os_shell", command="echo hi"))

    assert (stream.outputs(), listings(server)) == (["hi\n"], 0)


async def test_a_tool_that_the_server_withholds_is_not_offered(tmp_path: Path) -> None:
    server = FakeServer()

    async def withholding(body: Json) -> Json:
        answer = await gate(server, body)
        if body["method"] == "tools/list":
            tools = answer["result"]["tools"]
            answer["result"]["tools"] = [tool for tool in tools if tool["name"] != "t__add"]
        return answer

    server.gate = withholding
    async with runner(tmp_path, server, agent(t=mcp(tools=["echo", "add"]))) as (rig, stream):
        await turn(rig, stream, "tools")

    assert offered(stream) == ["t__echo"]


@pytest.mark.parametrize(
    "answer",
    [
        {"error": {"code": -32000, "message": "no"}},
        {"result": {}},
        {"result": {"tools": [3, {"name": 4}, {"name": "t__x", "inputSchema": 5}]}},
    ],
    ids=["refused", "no list", "no tools in the list"],
)
async def test_a_listing_that_fails_costs_the_tools_and_not_the_turn(tmp_path: Path, answer: Json) -> None:
    server = FakeServer()

    async def broken(body: Json) -> Json:
        return answer

    server.gate = broken
    async with runner(tmp_path, server, agent(t=mcp())) as (rig, stream):
        await turn(rig, stream, "tools")

    assert offered(stream) == []
    assert "sys_os_shell" in json.loads(stream.text())
    assert stream.types()[-1] == "status idle"


async def test_a_broken_server_is_told_and_the_turn_goes_on(tmp_path: Path) -> None:
    broken = mcp("-c", "raise SystemExit(9)", env={"KEY": "hunter2-hunter2"})
    document = agent(good=mcp(tools=["echo"]), broken=broken | {"retry": {"backoff_base_s": 60}})
    async with runner(tmp_path, FakeServer(), document) as (rig, stream):
        await turn(rig, stream, "tools")
        await turn(rig, stream, call("good__echo", text="hi"))

    [fault] = stream.of_type("response.error")
    assert fault["source"] == "tool"
    assert fault["error"]["code"] == "mcp_unavailable"
    assert fault["error"]["message"] == (
        "The tools of the MCP server 'broken' are not available: it ended with exit code 9."
    )
    assert offered(stream) == ["good__echo"]
    assert stream.outputs() == ["hi"]
    assert "hunter2" not in json.dumps(stream.events)


# -- questions ---------------------------------------------------------------------------------------


async def question(stream: Stream) -> Json:
    await until(lambda: bool(stream.of_type("response.elicitation_request")), SECONDS)
    return stream.of_type("response.elicitation_request")[-1]


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        ({"action": "accept", "content": {"colour": "blue"}}, "accept blue"),
        ({"action": "decline"}, "decline"),
        ({"action": "cancel"}, "cancel"),
    ],
    ids=["accept", "decline", "cancel"],
)
async def test_a_server_asks_the_person_and_the_turn_goes_on(
    tmp_path: Path, answer: Json, output: str
) -> None:
    server = FakeServer()
    async with runner(tmp_path, server, agent(t=mcp())) as (_, stream):
        await server.say(call("t__ask"))
        asked = await question(stream)
        await server.post({"type": "approval", "data": {"elicitation_id": asked["elicitation_id"], **answer}})
        await until(lambda: settled(stream), SECONDS)

    params = asked["params"]
    assert (params["mode"], params["message"]) == ("form", "Which colour?")
    assert list(params["requestedSchema"]["properties"]) == ["colour"]
    assert params["content_preview"] == "t__ask"
    assert stream.outputs() == [output]
    assert stream.types()[-1] == "status idle"


async def test_a_repeated_call_is_told_the_same_question(tmp_path: Path) -> None:
    server = FakeServer()
    request = {
        "method": "tools/call",
        "params": {"name": "t__ask", "arguments": {}},
        "_omnigent_operation": {"id": "mcpop_1", "step": "initial"},
    }
    async with runner(tmp_path, server, agent(t=mcp())) as (_, stream):
        answers = [await server.request("POST", EXECUTE, request) for _ in range(2)]
        [asked] = {json.dumps(answer["result"]["input_required"]) for _, answer in answers}
        required = json.loads(asked)
        [elicitation_id] = required["inputRequests"]
        given = {"inputResponses": {elicitation_id: {"action": "accept", "content": {"colour": "red"}}}}
        request["params"] |= given | {"requestState": required["requestState"]}
        request["_omnigent_operation"]["step"] = "elicitation-response"
        outputs = [(await server.request("POST", EXECUTE, request))[1] for _ in range(2)]

    assert required["resultType"] == "input_required"
    assert required["inputRequests"][elicitation_id]["method"] == "elicitation/create"
    assert outputs == [{"result": {"output": "accept red"}}] * 2
    assert len(stream.of_type("response.elicitation_request")) == 1


async def test_an_interrupt_voids_the_question(tmp_path: Path) -> None:
    server = FakeServer()
    async with runner(tmp_path, server, agent(t=mcp())) as (rig, stream):
        await server.say(call("t__ask"))
        asked = await question(stream)
        await server.post({"type": "interrupt"})
        await until(lambda: settled(stream), SECONDS)
        await turn(rig, stream, call("t__echo", text="after"))

    assert "cancelled" in stream.types()
    resolved = [event["elicitation_id"] for event in stream.of_type("response.elicitation_resolved")]
    assert resolved == [asked["elicitation_id"]]
    assert stream.outputs()[-1] == "after"


async def test_an_interrupt_cancels_the_call_at_the_server(tmp_path: Path) -> None:
    state = tmp_path / "state"
    server = FakeServer()
    async with runner(tmp_path, server, agent(t=mcp())) as (_, stream):
        await server.say(call("t__hang", file=str(state)))
        await until(lambda: state.exists() and state.read_text() == "started", SECONDS)
        await server.post({"type": "interrupt"})
        await until(lambda: settled(stream), SECONDS)
        await until(lambda: state.read_text() == "cancelled", SECONDS)


async def test_calls_run_beside_each_other(tmp_path: Path) -> None:
    server = FakeServer()
    async with runner(tmp_path, server, agent(t=mcp())) as (rig, stream):
        await turn(rig, stream, json.dumps([["t__echo", {"text": str(number)}] for number in range(8)]))

    assert sorted(stream.outputs()) == [str(number) for number in range(8)]


async def test_tools_of_a_new_version_of_the_agent_are_offered(tmp_path: Path) -> None:
    server = FakeServer()
    async with runner(tmp_path, server, agent(t=mcp(tools=["echo"]))) as (rig, stream):
        await turn(rig, stream, "tools")
        server.agent = agent(other=mcp(tools=["add"]))
        await server.request("POST", "/v1/sessions/conv_1/agent-cache/reset", {})
        before = len(stream.text())
        await turn(rig, stream, "tools")

    assert json.loads(stream.text()[before:])[-1] == "other__add"
