"""What the hooks of Codex ask, and the answers in its form."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from omnigent.runner.harnesses.base import ToolCall
from omnigent.runner.native.asking import Json, ask_person, call_of, specific, text_of
from omnigent.runner.native.program import Desk, Place

HOOKS: Final = ("SessionStart", "UserPromptSubmit", "PreToolUse", "PermissionRequest", "PostToolUse")
_MOVES: Final = frozenset({"SessionStart", "UserPromptSubmit"})
"""Events of the conversation on the screen; the others may be of one that works beside it."""
_NAMES: Final[Mapping[str, str]] = MappingProxyType({"apply_patch": "Edit"})
"""What policies know tools by, where the hooks say it in other words."""


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
                return specific(
                    "PreToolUse", permissionDecision="deny", permissionDecisionReason=verdict.refusal
                )
        case "PermissionRequest":
            return await _permission(event, desk)
        case "PostToolUse":
            verdict = await desk.review(_call_of(event), text_of(event.get("tool_response")))
            if not verdict.is_allowed:
                return {"decision": "block", "reason": f"[Result suppressed by policy: {verdict.reason}]"}
    return {}


async def _permission(event: Json, desk: Desk) -> Json:
    call = _call_of(event)
    return await ask_person(call, desk, f"Codex asks whether it may use {call.name} beyond its sandbox.")


def _call_of(event: Json) -> ToolCall:
    return call_of(event, prefix="call", name=_NAMES.get(event["tool_name"]))
