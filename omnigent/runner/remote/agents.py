"""What a runner asks its server about agents."""

from typing import Any
from urllib.parse import quote

from omnigent.runner.api import ServerApi, object_of


async def listed(api: ServerApi, **query: str) -> dict[str, Any]:
    """A page of the agents that a session may be started with."""
    return object_of(await api.call("GET", "/v1/agents", params=query))


async def of_session(api: ServerApi, session_id: str) -> dict[str, Any]:
    """The agent of a session."""
    return object_of(await api.call("GET", f"/v1/sessions/{quote(session_id, safe='')}/agent"))


async def contents(api: ServerApi, session_id: str) -> bytes:
    """The bundle of a session's agent."""
    return (await api.agent_contents(quote(session_id, safe=""))).data
