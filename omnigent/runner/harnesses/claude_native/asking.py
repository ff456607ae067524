"""What the hooks of Claude Code ask, and the answers in its form."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from omnigent.runner.harnesses.base import ToolCall
from omnigent.runner.native.asking import Json, ask_person, call_of, specific, text_of
from omnigent.runner.native.program import Desk, Place

HOOKS: Final = (
    *("SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest"),
    *("PostToolUse", "Stop", "StopFailure", "SessionEnd"),
)
_DIALOGS: Final = frozenset({"AskUserQuestion", "ExitPlanMode"})
"""Tools that are a dialog: their answer is given at the terminal."""


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
    return specific(
        "PreToolUse",
        permissionDecision="allow" if verdict.is_allowed else "deny",
        permissionDecisionReason="" if verdict.is_allowed else verdict.refusal,
    )


def _call_of(event: Json) -> ToolCall:
    return call_of(event, prefix="toolu")


async def _permission(event: Json, desk: Desk) -> Json:
    if event.get("tool_name") in _DIALOGS:
        return {}
    call = _call_of(event)
    return await ask_person(call, desk, f"Claude Code asks whether it may use {call.name}.")


async def _after(event: Json, desk: Desk) -> Json:
    response = event.get("tool_response")
    verdict = await desk.review(_call_of(event), text_of(response))
    if verdict.is_allowed:
        return {}
    shown = _replaced(response, f"[Result suppressed by policy: {verdict.reason}]")
    return specific("PostToolUse", updatedToolOutput=shown)


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
