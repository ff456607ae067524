"""`sys_read_inbox`: what sub-agents and background calls came back with, each given to the model once.

What sub-agents came back with is in the session's own items, and so is what was read: a runner that takes
over finds both there. Only what background calls came back with is lost with the process that ran them.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, Final

from omnigent.runner.api import ServerApi, ServerRefused
from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.remote import sessions
from omnigent.runner.rooms import Home
from omnigent.runner.tools.answers import as_json, asked, schema_of
from omnigent.runner.tools.base import Tool, ToolContext
from omnigent.spec.types import AgentSpec

READ_INBOX: Final = "sys_read_inbox"
RETURNED: Final = "session.subagent.returned"
RESULT_CHARS: Final = 12_000
STALE: Final = 400
_STORED_SECONDS: Final = 5.0

Entry = Mapping[str, Any]


class Inbox:
    """The results of one session that its model has not read."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._api: ServerApi = home.runtime.api
        self._reading = asyncio.Lock()
        self._unread: dict[str, Entry] = {}
        self._given: dict[str, int] = {}
        self._reads: set[str] = set()
        self._seen_to: str | None = None

    async def close(self) -> None:
        """What was not read is in the session's items."""

    def put(self, entry: Entry) -> None:
        """A result of something in the background; `id` is its own."""
        self._unread[str(entry["id"])] = entry

    def has_given(self, key: str) -> bool:
        """Whether the model has had this result in the turn that runs, or was the last."""
        return self._given.get(key) == self._home.turn()

    async def take(self) -> list[Entry]:
        """What is unread, oldest first. Given in a turn that is cut off it is unread again afterwards."""
        async with self._reading:
            await self._catch_up()
            turn = self._home.turn()
            self._given = {key: given for key, given in self._given.items() if given == turn}
            fresh = [entry for key, entry in self._unread.items() if key not in self._given]
            self._given.update(dict.fromkeys((str(entry["id"]) for entry in fresh), turn))
            return fresh

    async def _catch_up(self) -> None:
        """Read what the server has stored since; what this process said itself must be stored first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_STORED_SECONDS):
                await self._home.uplink.delivered()
        for item in await self._items():
            self._note(item)
            self._seen_to = str(item.get("id"))

    async def _items(self) -> list[Mapping[str, Any]]:
        try:
            return list(await sessions.items_after(self._api, self._home.session_id, self._seen_to))
        except ServerRefused as refusal:
            if self._seen_to is None or refusal.status != STALE:
                raise
            return list(await sessions.items_after(self._api, self._home.session_id, None))

    def _note(self, item: Mapping[str, Any]) -> None:
        kind, call_id = item.get("type"), str(item.get("call_id"))
        if kind == "resource_event" and item.get("event_type") == RETURNED:
            entry = _entry(item)
            self._unread[entry["id"]] = entry
        elif kind == "function_call" and str(item.get("name", "")).endswith(READ_INBOX):
            self._reads.add(call_id)
        elif kind == "function_call_output" and call_id in self._reads:
            output = str(item.get("output", ""))
            for key in [key for key in self._unread if key in output]:
                del self._unread[key]


def _entry(item: Mapping[str, Any]) -> dict[str, Any]:
    resource = item.get("resource")
    known: Mapping[str, Any] = resource if isinstance(resource, Mapping) else {}
    return {
        "id": str(item.get("id")),
        "kind": "sub_agent",
        "conversation_id": item.get("resource_id"),
        "agent": known.get("agent"),
        "title": known.get("title"),
        "status": known.get("status"),
        "result": str(known.get("result") or "")[:RESULT_CHARS],
    }


class ReadInbox:
    """Answers `{count, results}` as JSON."""

    mutates = False
    schema = ToolSchema(
        name=READ_INBOX,
        description=(
            "Collect what sub-agents and background calls have come back with since the last time. Each "
            "result is given once."
        ),
        parameters=schema_of(),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        results = await asked(context.rooms.of(Inbox).take())
        return as_json({"count": len(results), "results": results})


def granted(spec: AgentSpec) -> Mapping[str, Tool]:
    """The tool of an agent whom something may come back to."""
    has_any = spec.async_tools or spec.callable_agents or spec.agent_tools or spec.spawn
    return {READ_INBOX: ReadInbox()} if has_any else {}
