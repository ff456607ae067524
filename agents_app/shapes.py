"""Agents as models, for the description of the routes that answer them."""

from typing import Any, Literal

from pydantic import Field

from omnigent.api.schema.shapes import PageShape, Shape


class AgentShape(Shape):
    """An agent."""

    id: str
    object: Literal["agent"]
    name: str
    version: int
    description: str | None
    harness: str | None
    created_at: int
    updated_at: int | None
    mcp_servers: list[dict[str, Any]]
    policies: list[dict[str, Any]]
    skills: list[dict[str, Any]]
    terminals: list[Any]
    builtin: bool
    mcp_servers_editable: bool
    mcp_registry_editable: bool


class OwnAgentShape(AgentShape):
    """An agent, and whether it is the caller's own."""

    user_owned: bool


class AgentPage(PageShape):
    """A page of agents."""

    data: list[AgentShape]


class AgentConfigShape(Shape):
    """What may be changed of an agent; `etag` names its state, as the header does."""

    id: str
    object: Literal["agent.config"]
    name: str
    version: int
    description: str | None
    instructions: str
    model: str | None
    harness: str | None
    mcp_servers: list[dict[str, Any]]
    editable: bool
    etag: str


class DeletedAgent(Shape):
    """What is left of a deleted agent."""

    id: str
    deleted: Literal[True]


class McpServerShape(Shape):
    """An MCP server, without its secrets."""

    name: str
    transport: str
    url: str = ""
    command: str = ""
    args: list[str] = Field(default_factory=list)
    headers: dict[str, str] = Field(default_factory=dict)
    description: str = ""


class McpServerList(Shape):
    """The MCP servers of an agent, all of them."""

    object: Literal["list"]
    data: list[McpServerShape]
