"""What the hooks of Codex ask, and the answers in its form."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from omnigent.runner.harnesses.base import ApprovalRequest, ToolCall
from omnigent.runner.native.program import Desk, Place

HOOKS: Final = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse")
_MOVES: Final = frozenset({"SessionStart", "UserPromptSubmit"})
"""Events of the conversation on the screen; the others may be of one that works beside it."""
_NAMES: Final[Mapping[str, str]] = MappingProxyType({"apply_patch": "Edit"})
"""What policies know tools by, where the hooks say it in other words."""

Json = Mapping[str, Any]


async def answer(event: Json, desk: Desk) -> Json:
    """The answer to an event; an empty one leaves the rest to the program."""
    hook = event.get("hook_event_name")
    if hook in _MOVES and (path := event.get("transcript_path")):
        desk.moved(Place(conversation=str(event["session_id"]), transcript=Path(str(path))))
    match hook:
        case "UserPromptSubmit":
            verdict = await desk.admit(str(event.get("prompt") or ""))
            if not verdict.is_allowed:
                return {"decision": "block", "reason": verdict.refusal}
        case "PreToolUse":
            verdict = await desk.permit(_call_of(event))
            if not verdict.is_allowed:
                return _specific(
                    "PreToolUse", permissionDecision="deny", permissionDecisionReason=verdict.refusal
                )
        case "PermissionRequest":
            return await _permission(event, desk)
        case "PostToolUse":
            verdict = await desk.review(_call_of(event), _text_of(event.get("tool_response")))
            if not verdict.is_allowed:
                return {"decision": "block", "reason": f"[Result suppressed by policy: {verdict.reason}]"}
    return {}


async def _permission(event: Json, desk: Desk) -> Json:
    """The program would open a dialog: the session's people get the question instead."""
    call = _call_of(event)
    request = ApprovalRequest(
        elicitation_id=f"elicit_native_{secrets.token_hex(16)}",
        message=f"Codex asks whether it may use {call.name} beyond its sandbox.",
        preview=call.arguments,
    )
    allowed = await desk.ask(request) == "accept"
    decision = {"behavior": "allow"} if allowed else {"behavior": "deny", "message": "A person said no."}
    return _specific("PermissionRequest", decision=decision)


def _specific(hook: str, **values: Any) -> Json:
    return {"hookSpecificOutput": {"hookEventName": hook, **values}}


def _call_of(event: Json) -> ToolCall:
    return ToolCall(
        call_id=str(event.get("tool_use_id") or f"call_{secrets.token_hex(12)}"),
        name=_NAMES.get(event["tool_name"], str(event["tool_name"])),
        arguments=json.dumps(event.get("tool_input") or {}, ensure_ascii=False),
    )


def _text_of(response: object) -> str:
    return response if isinstance(response, str) else json.dumps(response, ensure_ascii=False)
