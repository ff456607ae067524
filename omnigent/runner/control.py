"""The events that the server sends to a session: one row per type. None of them waits for anything."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

from omnigent.runner.http import Refusal
from omnigent.runner.sessions import Sessions

Body = Mapping[str, Any]
Reply = tuple[int, Mapping[str, Any] | None]
EventHandler = Callable[[Sessions, str, Body], Reply]

_DUPLICATE: Final = {"status": "duplicate"}


def message(sessions: Sessions, session_id: str, body: Body) -> Reply:
    """Start a turn, or join or follow the running one."""
    if sessions.is_draining:
        raise Refusal(503, "runner_stopping", "this runner is about to end")
    if not isinstance(body.get("content"), list):
        raise Refusal(400, "invalid_input", "content must be a list")
    return 202, {"status": sessions.open(session_id).message(body)}


def interrupt(sessions: Sessions, session_id: str, body: Body) -> Reply:
    session = sessions.find(session_id)
    if session is not None and not session.is_repeat(body):
        session.interrupt()
    return 204, None


def approval(sessions: Sessions, session_id: str, body: Body) -> Reply:
    session = sessions.open(session_id)
    if session.is_repeat(body):
        return 202, _DUPLICATE
    if not session.approval(body):
        raise Refusal(400, "invalid_input", "an approval needs elicitation_id and a known action")
    return 202, {"status": "resolved"}


def tool_result(sessions: Sessions, session_id: str, body: Body) -> Reply:
    call_id = body.get("call_id")
    if not isinstance(call_id, str):
        raise Refusal(400, "invalid_input", "call_id is required")
    session = sessions.open(session_id)
    if session.is_repeat(body):
        return 202, _DUPLICATE
    session.tool_result(call_id, str(body.get("output") or ""))
    return 202, {"status": "resolved"}


def model_change(sessions: Sessions, session_id: str, body: Body) -> Reply:
    session = sessions.find(session_id)
    if session is not None:
        session.change(model_override=_optional_text(body.get("model")))
    return 204, None


def effort_change(sessions: Sessions, session_id: str, body: Body) -> Reply:
    session = sessions.find(session_id)
    if session is not None:
        session.change(reasoning_effort=_optional_text(body.get("effort")))
    return 204, None


def nothing(sessions: Sessions, session_id: str, body: Body) -> Reply:
    """An event that concerns other kinds of harness; for `compact` it says that the server has to do it."""
    return 204, None


def _optional_text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


EVENTS: Final[Mapping[str, EventHandler]] = MappingProxyType(
    {
        "message": message,
        "interrupt": interrupt,
        "stop_session": interrupt,
        "approval": approval,
        "tool_result": tool_result,
        "model_change": model_change,
        "effort_change": effort_change,
        "compact": nothing,
    }
)
