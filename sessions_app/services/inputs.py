"""`POST /v1/sessions/{id}/events`: one table from event type to what it does, each in one transaction."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import TURN, mint
from omnigent.protocol import events, inputs, items
from sessions_app.models import Item, OutboxKind, Session
from sessions_app.services import messages, outbox, turns, verdicts
from sessions_app.services.access import Access, Level, require
from sessions_app.services.receipts import Receipts
from sessions_app.services.tick import NewItem, Tick, flat_item, tick_of

MAX_RESPONSE_ID = 128
MAX_AUTHOR = 150
MAX_SOURCE = 120

ELSEWHERE = "elsewhere"
"""The message id of text that is posted without one, so that nobody takes it for the runner's."""


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


def post(principal: Principal, session_id: str, event: inputs.SessionEvent, receipts: Receipts) -> Posted:
    """Take one event. Raises OmnigentError; then nothing of it is stored."""
    access = require(principal, session_id, _level(event.type))
    payload = _payload(event)
    _check_rights(event, access)
    with receipts.replayed(principal) as replay:
        if replay is not None:
            return Posted(answer=replay)
        with tick_of([access.pk]) as tick:
            session = tick.sessions.get(access.pk)
            if session is None:
                raise OmnigentError(ErrorCode.NOT_FOUND, "Session not found")
            author = "" if access.level is None else principal.user_id
            given = Input(
                tick=tick,
                session=session,
                event=event,
                payload=payload,
                principal=principal,
                access=access,
                user_id=event.created_by or author,
            )
            answer = HANDLERS[event.type](given)
            then = "stop" if event.type == "stop_session" else ""
            if not then:
                receipts.record(202, answer)
    return Posted(answer=answer, then=then, session_pk=access.pk)


def _payload(event: inputs.SessionEvent) -> inputs.Payload:
    if event.type not in HANDLERS:
        allowed = ", ".join(HANDLERS)
        raise OmnigentError(
            ErrorCode.INVALID_INPUT, f"Unknown event type '{event.type[:100]}'. Allowed types: {allowed}"
        )
    try:
        return inputs.read_payload(event)
    except inputs.InputError as error:
        raise OmnigentError(ErrorCode.INVALID_INPUT, str(error)) from None


def _level(event_type: str) -> Level:
    return Level.OWNER if event_type == "stop_session" else Level.EDIT


def _check_rights(event: inputs.SessionEvent, access: Access) -> None:
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
    return _store(given, given.payload.item, response_id=mint(TURN))


def _interrupt(given: Input) -> Mapping[str, Any]:
    session, tick = given.session, given.tick
    asked = events.Interruption(
        requested_at=int(tick.now.timestamp()), response_id=session.active_response_id or None
    )
    tick.append(session, events.SessionInterrupted(data=asked))
    if session.status in turns.BUSY:
        session.interrupt_fence = bool(session.active_response_id)
        outbox.put(tick, session, OutboxKind.INTERRUPT, {"type": "interrupt", "delivery_id": mint("dlv")})
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


def _external_item(given: Input) -> Mapping[str, Any]:
    external: inputs.ExternalConversationItem = given.payload
    stable_id = _source_key(external.source_id) if external.source_id else None
    if stable_id:
        known = Item.objects.filter(session=given.session, stable_id=stable_id).first()
        if known is not None:
            return {"queued": False, "item_id": known.public_id}
    answer = _store(given, external.item, response_id=external.response_id or mint(TURN), stable_id=stable_id)
    return {"queued": False, "item_id": answer["item_id"]}


def _source_key(source_id: str) -> str:
    """The stored form of a source id: itself, or its digest when it is long."""
    if len(source_id) > MAX_SOURCE:
        return f"source-sha256:{hashlib.sha256(source_id.encode()).hexdigest()}"
    return f"source:{source_id}"


def _external_message(given: Input) -> Mapping[str, Any]:
    external: inputs.ExternalAssistantMessage = given.payload
    item = items.Message(
        role="assistant",
        content=[{"type": "output_text", "text": items.scrub(external.text)}],
        agent=external.agent,
    )
    answer = _store(given, item, response_id=external.response_id or mint(TURN))
    return {"queued": False, "item_id": answer["item_id"]}


def _store(
    given: Input, data: items.ItemData, *, response_id: str, stable_id: str | None = None
) -> Mapping[str, Any]:
    if len(response_id) > MAX_RESPONSE_ID:
        raise OmnigentError(
            ErrorCode.INVALID_INPUT,
            f"Invalid data payload for event type '{given.event.type}': "
            f"response_id: must not be longer than {MAX_RESPONSE_ID} characters",
        )
    item = given.tick.add_item(
        given.session, NewItem(data=data, response_id=response_id, stable_id=stable_id)
    )
    if isinstance(data, items.Message) and data.role == "user":
        given.tick.append(given.session, messages.consumed(item.public_id, data, created_by=None))
    else:
        given.tick.append(given.session, events.OutputItemDone(item=flat_item(item)))
    return {"queued": True, "item_id": item.public_id}


def _stored_item(given: Input) -> Mapping[str, Any]:
    if given.payload.evaluate_policy:
        return {"verdict": "allow"}
    answer = _store(given, given.payload.item, response_id=mint(TURN))
    return {"queued": True} if given.event.type == "compaction" else answer


def _text_delta(given: Input) -> Mapping[str, Any]:
    delta: inputs.ExternalTextDelta = given.payload
    event = events.OutputTextDelta(
        delta=delta.delta, message_id=delta.message_id or ELSEWHERE, index=delta.index, final=delta.final
    )
    given.tick.append(given.session, event)
    return {"queued": False}


def _stop(given: Input) -> Mapping[str, Any]:
    return _interrupt(given)


Handler = Callable[[Input], Mapping[str, Any]]

HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        "message": _message,
        "interrupt": _interrupt,
        "approval": _approval,
        "function_call_output": _tool_result,
        "stop_session": _stop,
        "external_conversation_item": _external_item,
        "external_assistant_message": _external_message,
        "external_output_text_delta": _text_delta,
        **dict.fromkeys(
            (
                "function_call",
                "error",
                "reasoning",
                "compaction",
                "native_tool",
                "resource_event",
                "routing_decision",
                "terminal_command",
            ),
            _stored_item,
        ),
    }
)
