"""What a runner asks its server about sessions other than by running their turns."""

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from omnigent.runner.api import ServerApi, object_of

CLOSED_LABEL = "omnigent.closed"
MOST_CHILDREN = 1000

Row = Mapping[str, Any]


def _path(session_id: str, *rest: str) -> str:
    return "/".join(["/v1/sessions", quote(session_id, safe=""), *rest])


def _keyed(key: str) -> Mapping[str, str]:
    return {"Idempotency-Key": key}


async def session(api: ServerApi, session_id: str) -> dict[str, Any]:
    """A session without its items."""
    return object_of(await api.call("GET", _path(session_id), params={"include_items": "false"}))


async def listed(api: ServerApi, **query: str) -> dict[str, Any]:
    """A page of the sessions that this runner may see, newest first."""
    return object_of(await api.call("GET", "/v1/sessions", params=query))


async def children(api: ServerApi, session_id: str) -> Sequence[Row]:
    """The direct sub-agents' sessions that are not archived, newest first."""
    query = {"limit": str(MOST_CHILDREN)}
    return _rows(await _children(api, session_id, query))


async def child_named(api: ServerApi, session_id: str, agent: str, name: str) -> Row | None:
    """The sub-agent's session with this title, if there is one."""
    query = {"limit": "1", "order": "desc", "tool": agent, "session_name": name}
    return next(iter(_rows(await _children(api, session_id, query))), None)


async def _children(api: ServerApi, session_id: str, query: Mapping[str, str]) -> dict[str, Any]:
    return object_of(await api.call("GET", _path(session_id, "child_sessions"), params=query))


def _rows(page: Mapping[str, Any]) -> list[Row]:
    data = page.get("data")
    return [row for row in data if isinstance(row, Mapping)] if isinstance(data, list) else []


async def create(api: ServerApi, body: Mapping[str, Any], *, key: str) -> dict[str, Any]:
    """A new session; asking again with the same key gives the same one."""
    return object_of(await api.call("POST", "/v1/sessions", json=body, headers=_keyed(key)))


async def upload(api: ServerApi, metadata: Mapping[str, Any], bundle: bytes, *, key: str) -> dict[str, Any]:
    """A new session with an agent of its own; `session_id` names it."""
    files = {
        "metadata": (None, json.dumps(metadata), "application/json"),
        "bundle": ("agent.tar.gz", bundle, "application/gzip"),
    }
    return object_of(await api.call("POST", "/v1/sessions", files=files, headers=_keyed(key)))


async def change(api: ServerApi, session_id: str, changes: Mapping[str, Any], *, key: str) -> None:
    """Set some of the session's settings."""
    await api.call("PATCH", _path(session_id), json=changes, headers=_keyed(key))


async def post(
    api: ServerApi, session_id: str, event: Mapping[str, Any], *, key: str, seconds: float
) -> dict[str, Any]:
    """One event and its answer; asking again with the same key gives the same answer."""
    answer = await api.call(
        "POST", _path(session_id, "events"), json=event, headers=_keyed(key), timeout=seconds
    )
    return object_of(answer)


async def add_policy(api: ServerApi, session_id: str, policy: Mapping[str, Any], *, key: str) -> None:
    """Put a policy on a session."""
    await api.call("POST", _path(session_id, "policies"), json=policy, headers=_keyed(key))


async def copy_files(
    api: ServerApi, session_id: str, *, source_id: str, file_ids: Sequence[str], key: str
) -> Sequence[Row]:
    """Give a sub-agent's session files of one above it; the copies with `new_id` and `content_type`."""
    body = {"source_session_id": source_id, "file_ids": list(file_ids)}
    path = _path(session_id, "resources", "files:copy")
    answer = object_of(await api.call("POST", path, json=body, headers=_keyed(key)))
    copies = answer.get("mapping")
    return [copies[file_id] for file_id in file_ids] if isinstance(copies, Mapping) else []


async def latest_items(api: ServerApi, session_id: str, limit: int) -> Sequence[Row]:
    """The last items of a session, oldest first."""
    query = {"limit": str(limit), "order": "desc"}
    page = object_of(await api.call("GET", _path(session_id, "items"), params=query))
    return list(reversed(_rows(page)))


async def items_after(api: ServerApi, session_id: str, after: str | None) -> Sequence[Row]:
    """The items behind this one, or all, oldest first."""
    found: list[Row] = []
    query = {"limit": "100", "order": "asc"}
    while True:
        if after is not None:
            query["after"] = after
        page = object_of(await api.call("GET", _path(session_id, "items"), params=query))
        found += _rows(page)
        after = page.get("last_id")
        if not page.get("has_more") or not after:
            return found


async def propose_title(api: ServerApi, session_id: str, title: str, *, key: str) -> dict[str, Any]:
    """The agent's own idea of a title; a person's stands."""
    path = _path(session_id, "agent-title")
    return object_of(await api.call("POST", path, json={"title": title}, headers=_keyed(key)))


async def share(api: ServerApi, session_id: str, grant: Mapping[str, Any], *, key: str) -> dict[str, Any]:
    """Let somebody see or use a session."""
    path = _path(session_id, "permissions")
    return object_of(await api.call("PUT", path, json=grant, headers=_keyed(key)))
