"""`sys_call_async`, `sys_cancel_async`, `sys_cancel_task`: calls in the background, and an end to them."""

import asyncio
import hashlib
import json
import logging
import secrets
from collections.abc import Mapping
from typing import Any, Final

from omnigent.runner.api import ServerApi, ServerRefused, ServerUnreachable
from omnigent.runner.approvals import Declined
from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.remote import sessions
from omnigent.runner.rooms import Home
from omnigent.runner.tools.answers import as_json, schema_of
from omnigent.runner.tools.base import Tool, ToolContext, ToolError, text_argument
from omnigent.runner.tools.families import Family
from omnigent.runner.tools.inbox import READ_INBOX, RESULT_CHARS, Inbox
from omnigent.runner.tools.tasks import Tasks
from omnigent.spec.types import AgentSpec

log = logging.getLogger(__name__)

MOST_AT_ONCE: Final = 32
CALL_ASYNC: Final = "sys_call_async"
_AT_ONCE_ONLY: Final = frozenset({CALL_ASYNC, READ_INBOX, "sys_cancel_async", "sys_cancel_task"})


class BackgroundCalls:
    """The calls of one session that its turns do not wait for. They end with the process."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._tasks = Tasks(
            most=MOST_AT_ONCE,
            refusal=f"at most {MOST_AT_ONCE} calls may run in the background at one time",
        )

    @property
    def has_work(self) -> bool:
        """Whether something runs."""
        return bool(self._tasks)

    async def close(self) -> None:
        await self._tasks.close()

    def start(self, name: str, arguments: Mapping[str, Any], inbox: Inbox) -> str:
        """Begin a call; its handle. Raises ToolError when too many run."""
        self._tasks.require_room()
        handle = f"mcpop_{secrets.token_hex(16)}"
        self._tasks.start(handle, self._run(handle, name, arguments, inbox))
        return handle

    async def cancel(self, handle: str) -> bool:
        """End a call; false when none of this handle runs."""
        task = self._tasks.cancel(handle)
        if task is None:
            return False
        await asyncio.gather(task, return_exceptions=True)
        await self._home.cancel_tool(handle)
        return True

    async def _run(self, handle: str, name: str, arguments: Mapping[str, Any], inbox: Inbox) -> None:
        status = "completed"
        try:
            result = await self._home.call_tool(name, arguments, handle)
        except Declined:
            status, result = "cancelled", "It was declined."
        entry = {
            "id": handle,
            "kind": "tool_call",
            "tool": name,
            "status": status,
            "result": result[:RESULT_CHARS],
        }
        inbox.put(entry)
        text = (
            f"[System: background call {name} finished ({status}) - 1 result waiting in inbox. "
            f"Call {READ_INBOX} to collect.]"
        )
        await wake(self._home.runtime.api, self._home.session_id, text, delivery=handle)


async def wake(api: ServerApi, session_id: str, text: str, *, delivery: str) -> None:
    """Post a note to a session that starts its next turn: once for each delivery, however often tried."""
    stable_id = hashlib.sha256(f"{session_id}/{delivery}".encode()).hexdigest()[:32]
    data = {"role": "user", "content": [{"type": "input_text", "text": text}], "stable_id": stable_id}
    event = {"type": "message", "data": data}
    try:
        await sessions.post(api, session_id, event, key=stable_id, seconds=60.0)
    except (ServerRefused, ServerUnreachable) as exc:
        log.warning("session not woken", extra={"session": session_id, "error": str(exc)})


class CallAsync:
    """Answers with a handle, as JSON."""

    mutates = False
    schema = ToolSchema(
        name=CALL_ASYNC,
        description=(
            "Call a tool in the background and go on. When it has finished, a message says so: then call "
            f"{READ_INBOX}."
        ),
        parameters=schema_of(
            ("tool", "args"),
            tool={"type": "string", "description": "The tool's name."},
            args={"type": "string", "description": "Its arguments, as JSON."},
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        name = text_argument(arguments, "tool")
        if name in _AT_ONCE_ONLY:
            raise ToolError(f"tool: {name} cannot be called in the background")
        given = arguments.get("args")
        if isinstance(given, str):
            try:
                given = json.loads(given or "{}")
            except ValueError as exc:
                raise ToolError(f"args: not valid JSON: {exc}") from exc
        if not isinstance(given, Mapping):
            raise ToolError("args: a JSON object is required")
        calls, inbox = context.rooms.of(BackgroundCalls), context.rooms.of(Inbox)
        handle = calls.start(name, given, inbox)
        return as_json({"handle_id": handle, "kind": "tool_call", "tool": name, "status": "running"})


class CancelAsync:
    """Answers `{handle_id, cancelled}` as JSON."""

    mutates = False
    schema = ToolSchema(
        name="sys_cancel_async",
        description=f"Stop a call that {CALL_ASYNC} has started.",
        parameters=schema_of(("handle_id",), handle_id={"type": "string"}),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        handle = text_argument(arguments, "handle_id")
        cancelled = await context.rooms.of(BackgroundCalls).cancel(handle)
        return as_json({"handle_id": handle, "cancelled": cancelled})


class CancelTask:
    """Answers `{task_id, cancelled}` as JSON; the task of a sub-agent or a background call."""

    mutates = False
    schema = ToolSchema(
        name="sys_cancel_task",
        description="Stop what a sub-agent is doing, or a call in the background.",
        parameters=schema_of(("task_id",), task_id={"type": "string"}),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        task_id = text_argument(arguments, "task_id")
        if task_id.startswith("mcpop_"):
            cancelled = await context.rooms.of(BackgroundCalls).cancel(task_id)
            return as_json({"task_id": task_id, "cancelled": cancelled})
        if task_id == context.session_id:
            raise ToolError("task_id: a session cannot cancel itself")
        await context.rooms.of(Family).interrupt(task_id)
        return as_json({"task_id": task_id, "cancelled": True})


def granted(spec: AgentSpec) -> Mapping[str, Tool]:
    """Every agent may cancel tasks; those that work asynchronously have the rest."""
    tools: tuple[Tool, ...] = (CancelTask(),)
    if spec.async_tools:
        tools += (CallAsync(), CancelAsync())
    return {tool.schema.name: tool for tool in tools}
