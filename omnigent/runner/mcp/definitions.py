"""What an agent's file says about an MCP server -> how this machine reaches it."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from omnigent.runner.mcp.base import Definition, McpFault
from omnigent.runner.tools.base import ToolContext
from omnigent.spec.errors import SpecError
from omnigent.spec.tooling import McpServer, Retry
from omnigent.spec.types import AgentSpec
from omnigent.spec.variables import expanded

TRANSPORTS: Final = ("stdio", "http")


def definition_of(server: McpServer, context: ToolContext, variables: Mapping[str, str]) -> Definition:
    """The server with its variables, if the operator wrote the agent. Raises McpFault."""
    if server.transport not in TRANSPORTS:
        raise McpFault(f"this runner cannot reach servers of the transport {server.transport}")
    if context.agent.is_operators:
        try:
            [server] = expanded(AgentSpec(name="agent", mcp_servers=(server,)), variables).mcp_servers
        except SpecError as exc:
            raise McpFault("; ".join(exc.problems)) from exc
    if server.transport == "http" and not (server.url or "").startswith(("http://", "https://")):
        raise McpFault("its url must start with http:// or https://")
    environment = {**context.environment, **server.env} if server.transport == "stdio" else {}
    return Definition(
        name=server.name,
        transport=server.transport,
        command=server.command,
        args=server.args,
        environment=environment,
        url=server.url,
        headers=server.headers,
        workspace=context.workspace.root,
        retry=server.retry or Retry(),
        secrets=(*server.env.values(), *server.headers.values(), *_secrets_of(server.url)),
    )


def _secrets_of(url: str | None) -> tuple[str, ...]:
    """What a URL may hide: a password, and the values of its query."""
    if url is None:
        return ()
    try:
        parts = urlsplit(url)
    except ValueError:
        return (url,)
    userinfo = parts.netloc.rpartition("@")[0]
    values = [value for _, value in parse_qsl(parts.query)]
    return tuple(filter(None, (userinfo, userinfo.partition(":")[2], parts.query, *values)))
