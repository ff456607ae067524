"""What hooks of terminal programs ask in the same words, whoever made the program."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from omnigent.runner.harnesses.base import ApprovalRequest, ToolCall
from omnigent.runner.native.program import Desk

Json = Mapping[str, Any]


def call_of(event: Json, *, prefix: str, name: str | None = None) -> ToolCall:
    """The call that a hook tells of; one without an id gets one with this prefix."""
    return ToolCall(
        call_id=str(event.get("tool_use_id") or f"{prefix}_{secrets.token_hex(12)}"),
        name=name or str(event["tool_name"]),
        arguments=json.dumps(event.get("tool_input") or {}, ensure_ascii=False),
    )


def text_of(response: object) -> str:
    """A tool's output as text."""
    return response if isinstance(response, str) else json.dumps(response, ensure_ascii=False)


def specific(hook: str, **values: Any) -> Json:
    """An answer in the form that belongs to this hook."""
    return {"hookSpecificOutput": {"hookEventName": hook, **values}}


async def ask_person(call: ToolCall, desk: Desk, message: str) -> Json:
    """The program would open a dialog: the session's people get the question instead."""
    request = ApprovalRequest(
        elicitation_id=f"elicit_native_{secrets.token_hex(16)}", message=message, preview=call.arguments
    )
    allowed = await desk.ask(request) == "accept"
    decision = {"behavior": "allow"} if allowed else {"behavior": "deny", "message": "A person said no."}
    return specific("PermissionRequest", decision=decision)
