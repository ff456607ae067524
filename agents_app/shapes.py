"""Agents as models, for the description of the routes that answer them."""

from typing import Any, Literal

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
