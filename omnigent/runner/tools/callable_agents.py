"""Sub-agents that are called like any other tool: the answer is what they say in the end."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Final

from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.remote import sessions
from omnigent.runner.tools.answers import asked, schema_of
from omnigent.runner.tools.base import Tool, ToolContext, ToolError, text_argument
from omnigent.runner.tools.families import Family, Task
from omnigent.spec.types import AgentSpec, AgentTool

_FIRST_LOOK_SECONDS: Final = 0.2
_LAST_LOOK_SECONDS: Final = 2.0
_AT_WORK: Final = frozenset({"running", "waiting"})
_LOOKED_AT: Final = 50
_ROLES: Final = {"user": "input_text", "assistant": "output_text"}


class CallAgent:
    """Runs a sub-agent to its end. Cancelling the call interrupts it."""

    mutates = True

    def __init__(self, declared: AgentTool) -> None:
        self._declared = declared
        self.schema = ToolSchema(
            name=declared.name,
            description=declared.description or f"Have the sub-agent {declared.agent} do something.",
            parameters=schema_of(("input",), input={"type": "string", "description": "What it is to do."}),
        )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        task = Task(text=text_argument(arguments, "input"))
        family = context.rooms.of(Family)
        name = f"call {secrets.token_hex(4)}"
        first = await _given(self._declared, context)
        child_id = await family.member(
            self._declared.agent, name, task, most=self._declared.max_sessions, initial_items=first
        )
        try:
            answer = await family.tell(child_id, task, dispatch=False)
            if answer.get("denied"):
                raise ToolError(f"Denied by policy: {answer.get('reason') or 'no reason was given'}")
            return await _ended(child_id, context)
        except asyncio.CancelledError:
            await asyncio.shield(family.interrupt(child_id))
            raise


async def _ended(child_id: str, context: ToolContext) -> str:
    """What the sub-agent said last, once it rests. Raises ToolError when it has failed."""
    pause = _FIRST_LOOK_SECONDS
    while True:
        found = await asked(sessions.session(context.api, child_id))
        if found.get("status") not in _AT_WORK:
            break
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LAST_LOOK_SECONDS)
    error = found.get("last_task_error")
    if found.get("status") == "failed" or isinstance(error, Mapping):
        known: Mapping[str, Any] = error if isinstance(error, Mapping) else {}
        raise ToolError(f"the sub-agent failed ({known.get('code')}): {known.get('message')}")
    items = await asked(sessions.latest_items(context.api, child_id, _LOOKED_AT))
    said = [item for item in items if item.get("type") == "message" and item.get("role") == "assistant"]
    return _text(said[-1]) if said else ""


async def _given(declared: AgentTool, context: ToolContext) -> list[Mapping[str, Any]]:
    """The first items of the sub-agent's session: what was said elsewhere, as far as it is to know of it."""
    items: list[Mapping[str, Any]] = []
    if declared.pass_histories:
        rows = await asked(sessions.children(context.api, context.session_id))
        for name in declared.pass_histories:
            newest = next((str(row["id"]) for row in rows if row.get("tool") == name), None)
            said = await _transcript(newest, context) if newest is not None else []
            if said:
                items += [_message("user", f"[System: what was said with {name}]"), *said]
        if items and declared.pass_history:
            items.append(_message("user", "[System: what was said in the session that calls you]"))
    if declared.pass_history:
        items += await _transcript(context.session_id, context)
    return items


async def _transcript(session_id: str, context: ToolContext) -> list[Mapping[str, Any]]:
    """What was said in a session; files and pictures are left out."""
    items = await asked(sessions.items_after(context.api, session_id, None))
    said = [(str(item.get("role")), _text(item)) for item in items if item.get("type") == "message"]
    return [_message(role, text) for role, text in said if text.strip() and role in _ROLES]


def _message(role: str, text: str) -> Mapping[str, Any]:
    return {"type": "message", "data": {"role": role, "content": [{"type": _ROLES[role], "text": text}]}}


def _text(item: Mapping[str, Any]) -> str:
    blocks = item.get("content")
    if not isinstance(blocks, list):
        return ""
    return "".join(str(block.get("text", "")) for block in blocks if isinstance(block, Mapping))


def granted(spec: AgentSpec) -> Mapping[str, Tool]:
    """A tool for each sub-agent that the specification lets the model call."""
    return {declared.name: CallAgent(declared) for declared in spec.agent_tools}
