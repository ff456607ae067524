"""`POST /v1/sessions/{id}/events`: one table from event type to what it does, each in one transaction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import mint
from omnigent.protocol import inputs
from sessions_app.models import OutboxKind, Session
from sessions_app.services import (
    additions,
    commands,
    compaction,
    dispatching,
    messages,
    outbox,
    reports,
    subagents,
    verdicts,
)
from sessions_app.services.access import Access, Level, not_found, require
from sessions_app.services.policing import requests
from sessions_app.services.policing.requests import Cleared
from sessions_app.services.receipts import Receipts
from sessions_app.services.sessions import with_descendants
from sessions_app.services.tick import Tick, tick_of

MAX_AUTHOR = 150
INTERRUPTING = frozenset({"interrupt", "stop_session"})
"""What reaches the sub-agents too."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Posted:
    """The answer to one event; `then` names what still has to be done outside the transaction."""

    answer: Mapping[str, Any]
    then: str = ""
    session_pk: int = 0


@dataclass(slots=True)
class Input:
    """One event on its way into an open tick."""

    tick: Tick
    session: Session
    event: inputs.SessionEvent
    payload: Any  # the class that the type's reader gives; each handler knows its own
    principal: Principal
    access: Access
    user_id: str = field(default="")
    skill_text: str = field(default="")
    then: str = field(default="")


def admit(principal: Principal, session_id: str, event: inputs.SessionEvent) -> tuple[Access, inputs.Payload]:
    """The session that an event is for, and what it says. Raises OmnigentError if it may not be posted."""
    if event.type == "approval":
        require(principal, session_id, Level.READ)
        approval = read_payload(event)
        assert isinstance(approval, inputs.Approval)
        access = verdicts.admit(principal, session_id, approval.elicitation_id)
        check_rights(event, access)
        return access, approval
    access = require(principal, session_id, _level(event.type))
    payload = read_payload(event)
    check_rights(event, access)
    return access, payload


def post(
    principal: Principal,
    session_id: str,
    event: inputs.SessionEvent,
    receipts: Receipts,
    skill_text: str = "",
    cleared: Cleared | None = None,
) -> Posted:
    """Take one event. Raises OmnigentError; then nothing of it is stored.

    A request must be `cleared` by the session's policies. `skill_text` is what a slash command means.
    """
    access, payload = admit(principal, session_id, event)
    if requests.is_request(event, payload) and (cleared is None or cleared.session_pk != access.pk):
        raise RuntimeError("a request was posted past the policies of its session")
    with receipts.replayed(principal) as replay:
        if replay is not None:
            return Posted(answer=replay)
        if event.type in additions.KINDS:
            answer = _add(access, additions.read(event, payload, timezone.now()))
            posted = Posted(answer=answer, session_pk=access.pk)
        else:
            posted = _handle(principal, access, event, payload, skill_text)
        if not posted.then:
            receipts.record(202, posted.answer)
    return posted


def _add(access: Access, addition: additions.Addition) -> Mapping[str, Any]:
    try:
        with transaction.atomic():
            [answer] = additions.write([(access.pk, addition)], timezone.now())
    except IntegrityError:
        # Another server process has added an item of the same source in this moment: now it is seen.
        [answer] = additions.write([(access.pk, addition)], timezone.now())
    if answer is None:
        raise not_found()
    return answer


def _handle(
    principal: Principal,
    access: Access,
    event: inputs.SessionEvent,
    payload: inputs.Payload,
    skill_text: str,
) -> Posted:
    reaches_down = event.type in INTERRUPTING
    with tick_of(with_descendants(access.pk) if reaches_down else [access.pk]) as tick:
        session = tick.sessions.get(access.pk)
        if session is None:
            raise not_found()
        author = "" if access.level is None else principal.user_id
        given = Input(
            tick=tick,
            session=session,
            event=event,
            payload=payload,
            principal=principal,
            access=access,
            user_id=event.created_by or author,
            skill_text=skill_text,
        )
        answer = HANDLERS[event.type](given)
        return Posted(answer=answer, then=given.then, session_pk=access.pk)


def read_payload(event: inputs.SessionEvent) -> inputs.Payload:
    """An event's data, checked against its type. Raises OmnigentError."""
    if event.type not in HANDLERS and event.type not in additions.KINDS:
        allowed = ", ".join((*HANDLERS, *additions.KINDS))
        raise OmnigentError(
            ErrorCode.INVALID_INPUT, f"Unknown event type '{event.type[:100]}'. Allowed types: {allowed}"
        )
    try:
        return inputs.read_payload(event)
    except inputs.InputError as error:
        raise OmnigentError(ErrorCode.INVALID_INPUT, str(error)) from None


def _level(event_type: str) -> Level:
    return Level.OWNER if event_type == "stop_session" else Level.EDIT


def check_rights(event: inputs.SessionEvent, access: Access) -> None:
    """Raise unless the caller may post this event as it is."""
    if event.created_by is not None and not access.is_bound_runner:
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only the session's runner may set created_by")
    if event.created_by is not None and len(event.created_by) > MAX_AUTHOR:
        raise OmnigentError(
            ErrorCode.INVALID_INPUT, f"created_by must not be longer than {MAX_AUTHOR} characters"
        )
    owns = access.level is None or access.level >= Level.OWNER
    if inputs.is_external(event.type) and not (access.is_bound_runner or owns):
        raise OmnigentError(
            ErrorCode.FORBIDDEN, f"Only the owner or the session's runner may post '{event.type}'"
        )


def _message(given: Input) -> Mapping[str, Any]:
    if given.payload.item.role == "user":
        return messages.take(given.tick, given.session, given.event, given.payload, user_id=given.user_id)
    addition = additions.message(given.event, given.payload, given.tick.now)
    if addition.item is not None and addition.event is not None:
        given.tick.add_item(given.session, addition.item)
        given.tick.append(given.session, addition.event)
    return addition.answer


def _command(given: Input) -> Mapping[str, Any]:
    return commands.take(
        given.tick,
        given.session,
        given.event,
        given.payload,
        text=given.skill_text,
        user_id=given.user_id,
    )


def _interrupt(given: Input) -> Mapping[str, Any]:
    dispatching.interrupt(given.tick, given.session)
    return {"queued": False}


def _approval(given: Input) -> Mapping[str, Any]:
    answer: dict[str, Any] = {"queued": False}
    if not given.payload.is_effective:
        return answer
    row = verdicts.decide(
        given.tick,
        given.session,
        elicitation_id=given.payload.elicitation_id,
        action=given.payload.action,
        content=given.payload.content,
        user_id=given.principal.user_id,
    )
    if row is not None and not row.was_answered_now:
        answer["resolution"] = verdicts.resolution(row)
    return answer


def _tool_result(given: Input) -> Mapping[str, Any]:
    messages.require_live_runner(given.session)
    result: inputs.ToolResult = given.payload
    body = {
        "type": "tool_result",
        "call_id": result.call_id,
        "output": result.output,
        "delivery_id": mint("dlv"),
    }
    outbox.put(given.tick, given.session, OutboxKind.TOOL_RESULT, body)
    return {"queued": True, "item_id": result.call_id}


def _stop(given: Input) -> Mapping[str, Any]:
    given.then = "stop"
    return _interrupt(given)


def _compact(given: Input) -> Mapping[str, Any]:
    given.then = "compact" if compaction.start(given.tick, given.session) else ""
    return {"queued": False}


def _retry(given: Input) -> Mapping[str, Any]:
    given.then = "retry"
    return {"queued": False}


Handler = Callable[[Input], Mapping[str, Any]]

HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "message": _message,
        "interrupt": _interrupt,
        "approval": _approval,
        "function_call_output": _tool_result,
        "slash_command": _command,
        "stop_session": _stop,
        "compact": _compact,
        "retry_session": _retry,
        "mcp_elicitation": reports.ask,
        "external_subagent_start": subagents.start,
        "external_tool_output_delta": reports.tool_output_delta,
        "external_output_reasoning_delta": reports.reasoning_delta,
        "external_session_status": reports.status,
        "external_session_interrupted": reports.interrupted,
        "external_session_usage": reports.used,
        "external_elicitation_resolved": reports.resolved,
        "external_compaction_status": reports.compacted,
        "external_session_title": reports.title,
        "external_session_todos": reports.todos,
        "external_model_change": reports.model,
        "external_reasoning_effort_change": reports.effort,
    }
)
