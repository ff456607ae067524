"""What the runner executes when the server's gate has let a call pass."""

import asyncio
from pathlib import Path
from typing import Any

from omnigent.runner.tools.registry import tools_of
from omnigent.spec.types import AgentSpec, OsEnv
from tests.runner.fake_server import FakeServer
from tests.runner.rig import running

Json = dict[str, Any]


async def test_the_same_operation_is_executed_once_also_at_the_same_time(tmp_path: Path) -> None:
    request = {
        "method": "tools/call",
        "params": {"name": "sys_os_shell", "arguments": {"command": "echo run >> runs; sleep 0.1; cat runs"}},
        "_omnigent_operation": {"id": "mcpop_1", "step": "initial"},
    }
    path = "/v1/sessions/conv_1/mcp/execute"
    async with running(tmp_path) as rig:
        answers = await asyncio.gather(*(rig.server.request("POST", path, request) for _ in range(3)))
        answers.append(await rig.server.request("POST", path, request))

    assert {answer["result"]["output"] for _, answer in answers} == {"run\n"}


async def test_a_call_that_ran_before_it_was_asked_about_does_not_run_again(tmp_path: Path) -> None:
    """The answer was lost, and a policy that was added meanwhile asks about the repeat."""
    server = FakeServer()
    request: Json = {
        "method": "tools/call",
        "params": {"name": "sys_os_shell", "arguments": {"command": "echo run >> runs; cat runs"}},
    }
    path = "/v1/sessions/conv_1/mcp/execute"
    async with running(tmp_path, server=server):
        for step in ("initial", "elicitation-response"):
            operation = {"_omnigent_operation": {"id": "mcpop_1", "step": step}}
            _, answer = await server.request("POST", path, request | operation)
            assert answer == {"result": {"output": "run\n"}}

    assert (tmp_path / "runs").read_text() == "run\n"


async def test_execute_lists_tools_and_refuses_what_it_does_not_know(tmp_path: Path) -> None:
    path = "/v1/sessions/conv_1/mcp/execute"
    async with running(tmp_path) as rig:
        _, listed = await rig.server.request("POST", path, {"method": "tools/list", "params": {}})
        _, method = await rig.server.request("POST", path, {"method": "tools/eat"})
        _, tool = await rig.server.request("POST", path, {"method": "tools/call", "params": {"name": "x"}})
        _, params = await rig.server.request(
            "POST", path, {"method": "tools/call", "params": {"name": "x", "arguments": 3}}
        )

    offered = tools_of(AgentSpec(name="helper", os_env=OsEnv()))
    assert [schema["name"] for schema in listed["result"]["schemas"]] == list(offered)
    assert {"sys_os_shell", "sys_add_policy", "sys_session_list"} <= set(offered)
    assert [answer["error"]["code"] for answer in (method, tool, params)] == [-32601, -32601, -32602]


async def test_an_agent_without_an_environment_has_no_tools_for_files_and_commands(tmp_path: Path) -> None:
    server = FakeServer()
    server.agent = "name: bare\nprompt: hello\nexecutor: {harness: scripted}\n"
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await rig.turn("Run the shell command: echo hi", stream)

    assert stream.outputs() == ["Error: unknown tool 'sys_os_shell'"]
