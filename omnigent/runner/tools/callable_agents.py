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
        first = await _transcript(context) if self._declared.pass_history else ()
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


async def _transcript(context: ToolContext) -> tuple[Mapping[str, Any], ...]:
    """What was said in this session, as the first items of another."""
    items = await asked(sessions.items_after(context.api, context.session_id, None))
    said = [item for item in items if item.get("type") == "message" and _text(item).strip()]
    return tuple(
        {"type": "message", "data": {"role": item["role"], "content": item["content"]}} for item in said
    )


def _text(item: Mapping[str, Any]) -> str:
    blocks = item.get("content")
    if not isinstance(blocks, list):
        return ""
    return "".join(str(block.get("text", "")) for block in blocks if isinstance(block, Mapping))


def granted(spec: AgentSpec) -> Mapping[str, Tool]:
    """A tool for each sub-agent that the specification lets the model call."""
    return {declared.name: CallAgent(declared) for declared in spec.agent_tools}
