"""How agents list and add policies."""

import asyncio
import functools
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from omnigent.runner.tools.policies import AddPolicy, PolicyRegistry
from tests.runner.api_rig import Server
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import running, settled
from tests.runner.tool_rig import tool_context

Json = dict[str, Any]
ROW = {"id": "pol_1", "name": "limit", "type": "python", "handler": "a.limit", "enabled": True}
BARE = "name: bare\nprompt: hello\nexecutor: {harness: scripted}\n"


def posted(server: FakeServer) -> list[Json]:
    return [body for method, path, body in server.calls if method == "POST" and path.endswith("/policies")]


@pytest.mark.parametrize(
    ("request_text", "body"),
    [
        (
            'Add the policy a.limit with {"limit": 3}',
            {"name": "limit", "type": "python", "handler": "a.limit", "factory_params": {"limit": 3}},
        ),
        ("add the policy a.b.quiet", {"name": "quiet", "type": "python", "handler": "a.b.quiet"}),
    ],
)
async def test_an_agent_adds_a_policy_to_its_session(tmp_path: Path, request_text: str, body: Json) -> None:
    server = FakeServer()
    server.answers["policies"] = (200, ROW | {"object": "session.policy", "source": "session"})
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await rig.turn(request_text, stream)

    assert posted(server) == [body]
    answer = json.loads(stream.outputs()[0])
    assert answer.pop("message") == f"The policy '{body['name']}' is in force in this session."
    assert answer == {"policy_id": "pol_1"} | {
        key: ROW[key] for key in ("name", "type", "handler", "enabled")
    }


async def test_adding_a_policy_passes_the_gate_like_every_tool(tmp_path: Path) -> None:
    server = FakeServer()

    async def deny(body: Json) -> Json:
        assert body["params"]["name"] == "sys_add_policy"
        return {"error": {"code": -32000, "message": "Denied by policy: nobody agreed"}}

    server.gate = deny
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await rig.turn("Add the policy a.limit", stream)

    assert posted(server) == []
    assert "sys_add_policy did not run. Denied by policy: nobody agreed" in stream.text()


@pytest.mark.parametrize(
    ("status", "body", "details"),
    [
        (
            409,
            {"error": {"code": "conflict", "message": "The name is taken"}},
            "HTTP 409: The name is taken",
        ),
        (422, {"detail": [{"loc": ["handler"]}]}, 'HTTP 422: [{"loc": ["handler"]}]'),
        (404, {"detail": "Conversation not found"}, "HTTP 404: Conversation not found"),
        (400, {}, "HTTP 400: {}"),
    ],
)
async def test_a_policy_that_the_server_refuses_is_told_to_the_agent(
    tmp_path: Path, status: int, body: Json, details: str
) -> None:
    server = FakeServer()
    server.answers["policies"] = (status, body)
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await rig.turn("Add the policy a.limit", stream)

    assert json.loads(stream.outputs()[0]) == {"error": "The policy was not added.", "details": details}


async def test_the_registry_is_listed_also_for_an_agent_without_an_environment(tmp_path: Path) -> None:
    server = FakeServer()
    server.agent = BARE
    server.answers["policy-registry"] = (200, {"object": "list", "data": [{"handler": "a.limit"}]})
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await rig.turn("List the policies that can be added.", stream)

    assert json.loads(stream.outputs()[0]) == {"policies": [{"handler": "a.limit"}]}


async def test_parameters_that_are_no_json_are_not_sent(tmp_path: Path) -> None:
    server = FakeServer()
    async with running(tmp_path, server=server) as rig:
        stream = server.subscribe()
        await rig.turn("Add the policy a.limit with limit=3", stream)

    assert posted(server) == []
    assert stream.text() == "The parameters are not JSON: limit=3\n"


@pytest.mark.parametrize(
    "arguments",
    [{}, {"name": "a"}, {"name": "a", "handler": 3}, {"name": "a", "handler": "b.c", "factory_params": [1]}],
)
async def test_bad_arguments_are_an_error_without_a_call(tmp_path: Path, arguments: Json) -> None:
    server = Server()
    answer = json.loads(await AddPolicy().run(arguments, tool_context(tmp_path, server)))

    assert answer["error"] == "The policy was not added."
    assert "is required" in answer["details"]
    assert server.requests == []


@pytest.mark.parametrize("tool", [AddPolicy(0.05), PolicyRegistry(0.05)])
async def test_a_server_that_hangs_is_not_waited_for(
    tmp_path: Path, tool: AddPolicy | PolicyRegistry
) -> None:
    async def silence(request: httpx.Request) -> httpx.Response:
        await asyncio.Event().wait()
        raise AssertionError

    answer = await tool.run({"name": "a", "handler": "b.c"}, tool_context(tmp_path, silence))

    assert json.loads(answer)["details"] == "The server did not answer within 0.05 s."


async def test_tools_of_a_sub_agents_session_run_in_that_session(tmp_path: Path) -> None:
    server = FakeServer()
    server.gate = functools.partial(server.allow, session_id="conv_child")
    server.answers["policies"] = (200, {"id": "pol_1", "name": "limit", "type": "python", "enabled": True})
    async with running(tmp_path, server=server):
        stream = server.subscribe("conv_child")
        content = [{"type": "input_text", "text": "Add the policy omnigent.policies.limit"}]
        await server.post({"type": "message", "role": "user", "content": content}, "conv_child")
        await until(lambda: settled(stream))

    posts = [path for method, path, _ in server.calls if path.endswith("/policies") and method == "POST"]
    assert posts == ["/v1/sessions/conv_child/policies"]
