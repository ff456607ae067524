"""The session's tools, offered to the program as a server of the Model Context Protocol in this process."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from claude_agent_sdk import McpSdkServerConfig
from mcp.server import Server, ServerRequestContext
from mcp.types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    Tool,
    ToolAnnotations,
)

from omnigent.runner.harnesses.base import ToolCall, ToolSchema
from omnigent.runner.harnesses.fields import json_text

SERVER_NAME: Final = "omnigent"
PREFIX: Final = f"mcp__{SERVER_NAME}__"
"""What the program puts before the names of this server's tools; nobody else sees it."""

_CALL_ID: Final = "claudecode/toolUseId"

Run = Callable[[ToolCall], Awaitable[str]]


def server_of(tools: Sequence[ToolSchema], run: Run) -> McpSdkServerConfig:
    """A server that lists these tools, and has `run` carry out each call."""
    offered = [_tool(tool) for tool in tools]

    async def list_tools(
        context: ServerRequestContext[Any], params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=offered)

    async def call_tool(context: ServerRequestContext[Any], params: CallToolRequestParams) -> CallToolResult:
        meta: Mapping[str, Any] = params.meta or {}
        call = ToolCall(
            call_id=str(meta.get(_CALL_ID) or f"call_{context.request_id}"),
            name=params.name,
            arguments=json_text(params.arguments),
        )
        return CallToolResult(content=[TextContent(type="text", text=await run(call))])

    server: Server[Any] = Server(SERVER_NAME, on_list_tools=list_tools, on_call_tool=call_tool)
    return {"type": "sdk", "name": SERVER_NAME, "instance": server}


def _tool(tool: ToolSchema) -> Tool:
    # The program runs calls at the same time only when they are said to read; the session runs all so.
    return Tool(
        name=tool.name,
        description=tool.description,
        input_schema={"type": "object", **tool.parameters},
        annotations=ToolAnnotations(read_only_hint=True),
    )
