"""From a runner's events to a session's log, items and status: one table from event type to function."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from omnigent.protocol import events, items
from sessions_app.models import Session, Status
from sessions_app.services import (
    continuing,
    elicitations,
    failures,
    families,
    pending_inputs,
    turns,
    usage,
    verdicts,
)
from sessions_app.services.item_forms import NewItem, flat_item
from sessions_app.services.memory import TEXT_DELTA, Memory
from sessions_app.services.policing.silencing import TextDenied, silence
from sessions_app.services.tick import Tick

LIVE_ONLY = frozenset(
    {
        TEXT_DELTA,
        "response.reasoning.started",
        "response.reasoning_text.delta",
        "response.reasoning_summary_text.delta",
    }
)
PASSES_FENCE = events.TERMINAL | {
    "response.in_progress",
    "response.elicitation_request",
    "response.elicitation_resolved",
}
GOES_ON = LIVE_ONLY | events.TERMINAL | {"response.output_item.done", "response.elicitation_request"}
"""What shows that a runner has gone on with a response that was settled without it."""

MAX_RESPONSE_ID = 128
MAX_MODEL = 256
NOT_SHOWN = events.RUNNER_ONLY | events.SYNTHETIC | families.TOLD | {"response.heartbeat"}


def apply(tick: Tick, session: Session, memory: Memory, batch: Sequence[events.Event]) -> None:
    """Take a runner's events, in order, into an open tick."""
    if memory.is_open and tick.turn(session) is None:
        memory.is_open = False  # somebody else has ended the turn, and has shown its end
    for event in batch:
        if event.type in NOT_SHOWN or _is_fenced(session, event):
            continue
        if memory.lost_id and not memory.is_open and event.type in GOES_ON:
            continuing.take_up(tick, session, memory, event)
        bound = events.bind(event, session.public_id)
        HANDLERS.get(event.type, _show)(tick, session, memory, bound)


def _is_fenced(session: Session, event: events.Event) -> bool:
    return session.interrupt_fence and event.type.startswith("response.") and event.type not in PASSES_FENCE


def _show(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    tick.append(session, event)


def _live(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    seq = tick.append(session, event)
    if session.open_seq is None:
        session.open_seq = seq
    if isinstance(event, events.OutputTextDelta):
        memory.text.append(event.delta)


def _in_progress(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    assert isinstance(event, events.ResponseInProgress)
    response_id = _response_id(event)
    if memory.is_open and continuing.is_same(memory.response_id, response_id):
        return
    if memory.is_open:
        _synthesise_end(tick, session, memory, events.ResponseIncomplete, "incomplete")
    flush_text(tick, session, memory, interrupted=True)
    if turns.is_given_up(session):
        turns.begin(tick, session)
    memory.response_id, memory.is_open, memory.has_failed, memory.lost_id = response_id, True, False, ""
    turns.open_response(tick, session, response_id)
    tick.append(session, event)


def _response_id(event: events.Event) -> str:
    response: Mapping[str, Any] = getattr(event, "response", {})
    return str(response.get("id") or "")[:MAX_RESPONSE_ID]


def flush_text(tick: Tick, session: Session, memory: Memory, *, interrupted: bool = False) -> None:
    """What was streamed becomes an assistant message; blank text is not stored."""
    text = memory.take_text()
    session.open_seq = None
    if not text.strip():
        return
    data = items.Message(
        role="assistant",
        content=[{"type": "output_text", "text": items.scrub(text)}],
        agent=session.agent.name if session.agent else None,
        interrupted=True if interrupted else None,
    )
    response_id = memory.response_id or session.active_response_id or session.public_id
    item = tick.add_item(session, NewItem(data=data, response_id=response_id))
    tick.append(session, events.OutputItemDone(item=flat_item(item)))


def _item_done(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    assert isinstance(event, events.OutputItemDone)
    kind = str(event.item.get("type") or "")
    is_call = kind == "function_call"
    if kind not in STORED_ITEMS or (is_call and event.item.get("status") != "completed"):
        tick.append(session, event)
        return
    try:
        data = items.parse_item(kind, items.scrub(event.item))
    except items.InvalidItem as error:
        failures.store_error(
            tick,
            session,
            events.error_object("invalid_item", f"The runner sent an unusable {kind or 'item'}: {error}"),
            response_id=memory.response_id or session.public_id,
            source="harness",
        )
        return
    response_id = memory.response_id or session.public_id
    if isinstance(data, items.FunctionCall):
        flush_text(tick, session, memory)
        memory.calls[data.call_id] = response_id
    elif isinstance(data, items.FunctionCallOutput):
        response_id = memory.calls.pop(data.call_id, response_id)
    elif isinstance(data, items.Message) and data.role == "assistant":
        memory.take_text()
        session.open_seq = None
    item = tick.add_item(session, NewItem(data=data, response_id=response_id))
    tick.append(session, events.OutputItemDone(item={**_extras(event.item), **flat_item(item)}))


STORED_ITEMS = frozenset({"message", "function_call", "function_call_output", "error", "resource_event"})


def _extras(item: Mapping[str, Any]) -> dict[str, Any]:
    """What a runner says of an item live beyond what is stored, such as the arguments beside an output."""
    return {key: item[key] for key in ("agent", "arguments") if item.get(key) is not None}


def _terminal(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    if _is_late(tick, session, memory, _response_id(event)):
        return
    event = continuing.as_shown(event, memory.response_id)
    response: Mapping[str, Any] = getattr(event, "response", {})
    flush_text(tick, session, memory, interrupted=isinstance(event, events.ResponseCancelled))
    if isinstance(event, events.ResponseCompleted):
        counted = response.get("usage")
        usage.add(tick, session, counted if isinstance(counted, Mapping) else {})
    if isinstance(event, events.ResponseFailed):
        pending_inputs.settle(tick, session)
        _store_error(tick, session, memory, response.get("error"), source=event.source)
    memory.response_id = _response_id(event) or memory.response_id
    memory.is_open = False
    memory.calls.clear()
    turns.close_response(tick, session, event)
    elicitations.void(tick, session)
    tick.append(session, event)


def _is_late(tick: Tick, session: Session, memory: Memory, response_id: str) -> bool:
    """Whether this response has ended before: each one ends once."""
    turn = tick.turn(session)
    if turn is None:
        return response_id == "" or continuing.is_same(memory.response_id, response_id)
    return "" not in (turn.response_id, response_id) and not continuing.is_same(turn.response_id, response_id)


def _store_error(tick: Tick, session: Session, memory: Memory, error: Any, *, source: str | None) -> None:
    """Store what the runner says of a failure, once in a turn."""
    if memory.has_failed:
        return
    memory.has_failed = True
    failures.store_error(
        tick,
        session,
        failures.readable_error(error),
        response_id=memory.response_id or session.public_id,
        source=source if source in ("llm", "execution", "tool", "harness") else "harness",
    )


def _status(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    assert isinstance(event, events.SessionStatus)
    if event.status == "running":
        memory.has_failed = False
        turns.running_edge(tick, session, event)
        return
    if event.status not in ("idle", "waiting", "failed"):
        return
    failed = event.status == "failed"
    if memory.is_open:
        kind = events.ResponseFailed if failed else events.ResponseCancelled
        _synthesise_end(tick, session, memory, kind, "failed" if failed else "cancelled", event.error)
    flush_text(tick, session, memory, interrupted=True)
    if failed:
        if session.status != Status.FAILED:
            _store_error(tick, session, memory, event.error, source=None)
        turns.failed_edge(tick, session, event)
    else:
        turns.resting_edge(tick, session, event)


def _synthesise_end(
    tick: Tick,
    session: Session,
    memory: Memory,
    kind: type[events.ResponseFailed | events.ResponseCancelled | events.ResponseIncomplete],
    status: events.ResponseStatus,
    error: Any = None,
) -> None:
    """A runner that leaves a response without its terminal event would leave its callers hanging."""
    response = events.response_object(
        id=memory.response_id,
        status=status,
        model=session.agent.name if session.agent else "",
        created_at=int(tick.now.timestamp()),
        error=None if error is None else failures.readable_error(error),
    )
    _terminal(tick, session, memory, kind(response=response))


def _resource(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    """What comes and goes is shown, and stays in the conversation."""
    tick.append(session, event)
    if isinstance(event, events.SessionResourceCreated):
        resource = event.resource
        named = {
            "resource_id": resource.get("id"),
            "resource_type": resource.get("type"),
            "resource": resource,
        }
    else:
        assert isinstance(event, events.SessionResourceDeleted)
        named = {"resource_id": event.resource_id, "resource_type": event.resource_type}
    try:
        data = items.parse_item("resource_event", items.scrub({"event_type": event.type, **named}))
    except items.InvalidItem:
        return
    response_id = memory.response_id or session.public_id
    item = tick.add_item(session, NewItem(data=data, response_id=response_id))
    tick.append(session, events.OutputItemDone(item=flat_item(item)))


def _model(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    assert isinstance(event, events.SessionModel)
    session.reported_model = (event.model or "")[:MAX_MODEL]
    tick.append(session, event)


def _ask(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    assert isinstance(event, events.ElicitationRequest)
    answered = elicitations.ask(tick, session, event)
    if answered is not None:
        # The runner has parked again what it had parked before: the verdict stands.
        verdicts.repeat(tick, session, answered)


def _answered(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    assert isinstance(event, events.ElicitationResolved)
    elicitations.echo(tick, session, event)


def _text_denied(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    assert isinstance(event, TextDenied)
    silence(tick, session, memory, event)


Handler = Callable[[Tick, Session, Memory, events.Event], None]

HANDLERS: Mapping[str, Handler] = MappingProxyType(
    {
        **dict.fromkeys(LIVE_ONLY, _live),
        **dict.fromkeys(events.TERMINAL, _terminal),
        "response.in_progress": _in_progress,
        "response.output_item.done": _item_done,
        "response.elicitation_request": _ask,
        "response.elicitation_resolved": _answered,
        "session.status": _status,
        "session.model": _model,
        "session.resource.created": _resource,
        "session.resource.deleted": _resource,
        TextDenied.type: _text_denied,
    }
)
