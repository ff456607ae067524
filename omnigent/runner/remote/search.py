"""What a runner asks its server to find."""

from typing import Any

from omnigent.runner.api import ServerApi, object_of


async def conversations(api: ServerApi, text: str, **query: str) -> dict[str, Any]:
    """A page of the sessions that this runner may see and that hold the text, newest first."""
    params = {**query, "search_query": text, "kind": "any"}
    return object_of(await api.call("GET", "/v1/sessions", params=params))
