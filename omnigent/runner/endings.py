"""How a turn can end, and what the server's log is told about an interrupted one."""

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from omnigent.runner.agents import AgentInvalid, AgentMissing
from omnigent.runner.api import ServerApi, ServerRefused, ServerUnreachable
from omnigent.runner.approvals import Declined
from omnigent.runner.harnesses.base import ModelError, ToolCall
from omnigent.runner.history import CANCELLED_OUTPUT, INTERRUPTED

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """`code`, `message` and `source` belong to a failure, `unfinished` to an interruption."""

    kind: Literal["completed", "failed", "interrupted", "declined"]
    code: str = ""
    message: str = ""
    source: str = "harness"
    unfinished: Sequence[ToolCall] = ()


def ending_of(turn: asyncio.Task[None], *, stopping: bool) -> Ending:
    """The ending of a turn's task, which is done."""
    if turn.cancelled():
        if stopping:
            return _failure(
                "runner_stopped", "The runner was stopped while the turn was running.", "execution"
            )
        return Ending(kind="interrupted")
    error = turn.exception()
    if error is None:
        return Ending(kind="completed")
    if isinstance(error, Declined):
        return Ending(kind="declined")
    if isinstance(error, ModelError):
        return _failure(error.code, error.message, "llm")
    if isinstance(error, AgentMissing):
        return _failure("session_agent_missing", "The session's agent no longer exists.")
    if isinstance(error, AgentInvalid):
        return _failure("invalid_agent", str(error))
    if isinstance(error, ServerRefused | ServerUnreachable):
        return _failure("server_unreachable", f"The server could not be asked: {error}", "execution")
    log.error("turn failed", exc_info=error)
    return _failure(type(error).__name__, str(error) or type(error).__name__)


def _failure(code: str, message: str, source: str = "harness") -> Ending:
    return Ending(kind="failed", code=code, message=message, source=source)


async def post_interruption(api: ServerApi, session_id: str, unfinished: Sequence[ToolCall]) -> None:
    """Store what the interrupted turn left open, and a note that tells the model about it."""
    response_id = f"cancel_{secrets.token_hex(16)}"
    for item_type, data in _interruption_items(unfinished):
        body = {"item_type": item_type, "item_data": data, "response_id": response_id}
        try:
            await api.post_event(session_id, {"type": "external_conversation_item", "data": body})
        except (ServerRefused, ServerUnreachable) as exc:
            log.warning("interruption not stored", extra={"session": session_id, "error": str(exc)})
            return


def _interruption_items(unfinished: Sequence[ToolCall]) -> list[tuple[str, Mapping[str, Any]]]:
    items: list[tuple[str, Mapping[str, Any]]] = []
    for call in unfinished:
        call_data = {"call_id": call.call_id, "name": call.name, "arguments": call.arguments}
        items.append(("function_call", call_data))
        items.append(("function_call_output", {"call_id": call.call_id, "output": CANCELLED_OUTPUT}))
    content = [{"type": "input_text", "text": INTERRUPTED}]
    items.append(("message", {"role": "user", "content": content, "is_meta": True}))
    return items
