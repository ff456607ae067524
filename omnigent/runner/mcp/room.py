"""The MCP servers of one session: which it holds, what they offer, and calls of their tools."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from omnigent.runner.approvals import Answer
from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.mcp.base import Caller, McpFault, ServerTool
from omnigent.runner.mcp.definitions import definition_of
from omnigent.runner.mcp.names import tool_name
from omnigent.runner.mcp.supervisor import Supervisor
from omnigent.runner.rooms import Home
from omnigent.runner.tools.base import Tool, ToolContext, ToolError
from omnigent.spec.tooling import McpServer

log = logging.getLogger(__name__)

LIST_SECONDS: Final = 20.0
LIST_PAUSE: Final = 3.0
CALL_PAUSE: Final = 10.0
LONGEST_CALL: Final = 7200.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Listing:
    """Tools by the names that the model knows them by, and why a server's are missing."""

    tools: Mapping[str, Tool] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Held:
    key: str
    supervisor: Supervisor


class McpRoom:
    """Holds servers from the first listing on until the session or its agent no longer has them."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._held: dict[str, _Held] = {}
        self._known: dict[str, Mapping[str, Tool]] = {}
        self._holding = asyncio.Lock()

    async def listing(self, context: ToolContext) -> Listing:
        """What all servers of the agent offer now; a broken one costs its own tools only."""
        faults: dict[str, str] = {}
        async with self._holding:
            await self._hold(context, faults)
            held = dict(self._held)
        servers = [server for server in context.spec.mcp_servers if server.name in held]
        found = await asyncio.gather(
            *(self._tools(server, held[server.name].supervisor, context) for server in servers)
        )
        tools: dict[str, Tool] = {}
        for server, offered in zip(servers, found, strict=True):
            if isinstance(offered, str):
                faults[server.name] = offered
                continue
            self._known[server.name] = offered
            tools |= offered
        return Listing(tools=tools, faults=faults)

    async def tool(self, name: str, context: ToolContext) -> Tool | None:
        """A tool that a server has offered before, or does now."""
        for tools in self._known.values():
            if name in tools:
                return tools[name]
        return (await self.listing(context)).tools.get(name)

    async def close(self) -> None:
        async with self._holding:
            held, self._held = list(self._held.values()), {}
            self._known.clear()
        await asyncio.gather(*(self._home.runtime.mcp.release(one.key) for one in held))

    async def _hold(self, context: ToolContext, faults: dict[str, str]) -> None:
        """Take up what the agent has now and give back what it has no more."""
        runtime = self._home.runtime
        held: dict[str, _Held] = {}
        for server in context.spec.mcp_servers:
            try:
                definition = definition_of(server, context, runtime.config.environment)
            except McpFault as exc:
                faults[server.name] = str(exc)
                continue
            held[server.name] = _Held(*runtime.mcp.hold(definition, runtime.reaper))
        old, self._held = self._held, held
        for name in self._known.keys() - held.keys():
            del self._known[name]
        await asyncio.gather(*(runtime.mcp.release(one.key) for one in old.values()))

    async def _tools(
        self, server: McpServer, supervisor: Supervisor, context: ToolContext
    ) -> Mapping[str, Tool] | str:
        try:
            async with asyncio.timeout(LIST_SECONDS):
                connection = await supervisor.connection(seconds=LIST_SECONDS, pause=LIST_PAUSE)
                offered = await connection.tools()
        except TimeoutError:
            return f"it did not list its tools within {LIST_SECONDS:g} s"
        except (McpFault, ToolError) as exc:
            return str(exc)
        tools: dict[str, Tool] = {}
        for tool in offered:
            if server.tools is None or tool.name in server.tools:
                seconds = min(server.timeout or context.spec.tool_timeout, LONGEST_CALL)
                made = McpTool(server.name, tool, supervisor, seconds)
                tools.setdefault(made.schema.name, made)
        return tools


class McpTool:
    """One tool of a server. Its time-out counts from the last sign of life, and stands still for a person."""

    mutates = True

    def __init__(self, server: str, tool: ServerTool, supervisor: Supervisor, seconds: float) -> None:
        self.schema = ToolSchema(
            name=tool_name(server, tool.name), description=tool.description, parameters=tool.parameters
        )
        self._server = server
        self._name = tool.name
        self._supervisor = supervisor
        self._seconds = seconds

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        now = asyncio.get_running_loop().time
        latest = now() + LONGEST_CALL
        try:
            async with asyncio.timeout(self._seconds) as limit:

                def alive() -> None:
                    if not limit.expired():
                        limit.reschedule(min(now() + self._seconds, latest))

                async def ask(forms: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Answer]:
                    limit.reschedule(None)
                    try:
                        return await context.ask(forms)
                    finally:
                        alive()

                connection = await self._supervisor.connection(seconds=self._seconds, pause=CALL_PAUSE)
                caller = Caller(session_id=context.session_id, ask=ask, alive=alive)
                return await connection.call(self._name, arguments, caller)
        except TimeoutError:
            raise ToolError(f"the MCP server {self._server!r} said nothing for {self._seconds:g} s") from None
        except McpFault as exc:
            raise ToolError(f"the MCP server {self._server!r} is down: {exc}") from exc
