"""A session's MCP servers without a runner around them, and a server's gate in front of a runner."""

import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from omnigent.runner.agents import LoadedAgent
from omnigent.runner.mcp.room import Listing, McpRoom
from omnigent.runner.tools.base import ToolContext
from omnigent.spec.tooling import McpServer, Retry
from omnigent.spec.types import AgentSpec, OsEnv, Sandbox
from tests.runner.fake_server import FakeServer
from tests.runner.tool_rig import tool_context

SCRIPTS = Path(__file__).parent / "mcp_servers"
QUICK = Retry(max_retries=3, backoff_base_s=0.01, backoff_max_s=0.05, jitter=False)


def stdio(name: str = "t", script: str = "tools.py", **changes: Any) -> McpServer:
    """One of the servers beside this file, as a process."""
    server = McpServer(
        name=name,
        transport="stdio",
        command=sys.executable,
        args=(str(SCRIPTS / script), "stdio"),
        retry=QUICK,
    )
    return replace(server, **changes)


def raw(behaviour: str) -> tuple[str, ...]:
    """The arguments of the server in plain JSON."""
    return (str(SCRIPTS / "raw.py"), behaviour)


@dataclass(frozen=True, slots=True)
class Session:
    """A session and its servers."""

    context: ToolContext

    async def listing(self) -> Listing:
        return await self.context.rooms.of(McpRoom).listing(self.context)

    async def call(self, tool: str, /, **arguments: Any) -> str:
        """The output of a tool, which is listed first."""
        return await (await self.listing()).tools[tool].run(arguments, self.context)


@asynccontextmanager
async def session(
    workspace: Path,
    *servers: McpServer,
    environment: Mapping[str, str] | None = None,
    is_operators: bool = False,
    **changes: Any,
) -> AsyncIterator[Session]:
    """Ended in the end."""
    spec = AgentSpec(
        name="helper", os_env=OsEnv(sandbox=Sandbox(type="none")), mcp_servers=servers, **changes
    )
    context = tool_context(workspace, environment=environment, spec=spec)
    context = replace(context, agent=LoadedAgent(spec=spec, digest="0", is_operators=is_operators))
    try:
        yield Session(context)
    finally:
        await context.rooms.close()
        context.reaper.close()
        await context.api.close()


async def gate(server: FakeServer, body: dict[str, Any]) -> dict[str, Any]:
    """The server's tool gate, without policies: lists, calls, and passes questions and answers on."""
    path = "/v1/sessions/conv_1/mcp/execute"
    params = body["params"]
    if body["method"] == "tools/list":
        _, answer = await server.request("POST", path, {"method": "tools/list", "params": {}})
        rows = answer["result"]["schemas"]
        tools = [
            {"name": row["name"], "description": row["description"], "inputSchema": row["parameters"]}
            for row in rows
        ]
        return {"result": {"tools": tools}}
    step = "elicitation-response" if "inputResponses" in params else "initial"
    call = {
        key: params[key] for key in ("name", "arguments", "inputResponses", "requestState") if key in params
    }
    operation = {"id": params["_omnigent_operation_id"], "step": step}
    request = {"method": "tools/call", "params": call, "_omnigent_operation": operation}
    _, answer = await server.request("POST", path, request)
    if "error" in answer:
        return {"error": answer["error"]}
    if "input_required" in answer["result"]:
        return {"result": answer["result"]["input_required"]}
    return {"result": {"content": [{"type": "text", "text": answer["result"]["output"]}]}}
