"""What the hooks of Claude Code ask, and the answers in its form."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from omnigent.runner.harnesses.base import ApprovalRequest, ToolCall
from omnigent.runner.native.program import Desk, Place

HOOKS: Final = (
    *("SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest"),
    *("PostToolUse", "Stop", "StopFailure", "SessionEnd"),
)
_DIALOGS: Final = frozenset({"AskUserQuestion", "ExitPlanMode"})
"""Tools that are a dialog: their answer is given at the terminal."""

Json = Mapping[str, Any]


async def answer(event: Json, desk: Desk, *, is_planning: bool) -> Json:
    """The answer to an event; an empty one leaves the rest to the program."""
    match event.get("hook_event_name"):
        case "SessionStart":
            path = Path(str(event["transcript_path"]))
            desk.moved(Place(conversation=str(event["session_id"]), transcript=path))
        case "UserPromptSubmit":
            verdict = await desk.admit(str(event.get("prompt") or ""))
            if not verdict.is_allowed:
                return {"decision": "block", "reason": verdict.refusal}
        case "PreToolUse":
            return await _before(event, desk, is_planning=is_planning)
        case "PermissionRequest":
            return await _permission(event, desk)
        case "PostToolUse":
            return await _after(event, desk)
    return {}


async def _before(event: Json, desk: Desk, *, is_planning: bool) -> Json:
    """Where the policies allow a tool nobody else is asked, unless the session only plans."""
    verdict = await desk.permit(_call_of(event))
    if verdict.is_allowed and (is_planning or event.get("tool_name") in _DIALOGS):
        return {}
    decision = {
        "permissionDecision": "allow" if verdict.is_allowed else "deny",
        "permissionDecisionReason": "" if verdict.is_allowed else verdict.refusal,
    }
    return {"hookSpecificOutput": {"hookEventName": "PreToolUse", **decision}}


def _call_of(event: Json) -> ToolCall:
    return ToolCall(
        call_id=str(event.get("tool_use_id") or f"toolu_{secrets.token_hex(12)}"),
        name=str(event["tool_name"]),
        arguments=json.dumps(event.get("tool_input") or {}, ensure_ascii=False),
    )


async def _permission(event: Json, desk: Desk) -> Json:
    """The program would open a dialog: the session's people get the question instead."""
    if event.get("tool_name") in _DIALOGS:
        return {}
    call = _call_of(event)
    request = ApprovalRequest(
        elicitation_id=f"elicit_native_{secrets.token_hex(16)}",
        message=f"Claude Code asks whether it may use {call.name}.",
        preview=call.arguments,
    )
    allowed = await desk.ask(request) == "accept"
    decision = {"behavior": "allow"} if allowed else {"behavior": "deny", "message": "A person said no."}
    return {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": decision}}


async def _after(event: Json, desk: Desk) -> Json:
    response = event.get("tool_response")
    output = response if isinstance(response, str) else json.dumps(response, ensure_ascii=False)
    verdict = await desk.review(_call_of(event), output)
    if verdict.is_allowed:
        return {}
    shown = _replaced(response, f"[Result suppressed by policy: {verdict.reason}]")
    return {"hookSpecificOutput": {"hookEventName": "PostToolUse", "updatedToolOutput": shown}}


def _replaced(response: object, text: str, key: str = "") -> Any:
    """The same form with this text in it: another form would be turned down, and the original shown."""
    match response:
        case str():
            return response if key in {"type", "mode", "media_type"} else text
        case list():
            return [_replaced(each, text) for each in response]
        case Mapping():
            return {name: _replaced(each, text, str(name)) for name, each in response.items()}
    return response
