"""From a runner's events to a session's log, items and status: one table from event type to function."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import orjson

from omnigent.protocol import events, items
from sessions_app.events import log
from sessions_app.models import Session
from sessions_app.services import elicitations, turns, usage
from sessions_app.services.tick import NewItem, Tick, flat_item

TEXT_DELTA = "response.output_text.delta"
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
NOT_SHOWN = events.RUNNER_ONLY | events.SYNTHETIC | {"response.heartbeat"}


@dataclass(slots=True)
class Memory:
    """What one relay remembers of the turn under way; touched by the writer's thread only.

    `text` is what was streamed since the last item, `calls` maps each call to the response it belongs to.
    """

    response_id: str = ""
    is_open: bool = False
    text: list[str] = field(default_factory=list)
    calls: dict[str, str] = field(default_factory=dict)
    model: str = ""


def recall(session: Session) -> Memory:
    """Rebuild the memory of a turn from the log: every delta that is not an item yet is there."""
    memory = Memory(response_id=session.active_response_id, model=session.reported_model)
    turn = session.turns.filter(status="running").first()
    memory.is_open = turn is not None and bool(turn.response_id)
    if session.open_seq is not None:
        memory.text = pending_text(session.pk, session.open_seq - 1)
    return memory


def pending_text(session_id: int, after: int, upto: int | None = None) -> list[str]:
    """The text deltas in the log past `after`, and not past `upto`."""
    parts: list[str] = []
    while entries := log.read(session_id, after):
        shown = [entry for entry in entries if upto is None or entry.seq <= upto]
        parts += [orjson.loads(entry.data)["delta"] for entry in shown if entry.type == TEXT_DELTA]
        if len(shown) < len(entries):
            break
        after = entries[-1].seq
    return parts


def apply(tick: Tick, session: Session, memory: Memory, batch: Sequence[events.Event]) -> None:
    """Take a runner's events, in order, into an open tick."""
    for event in batch:
        if event.type in NOT_SHOWN or _is_fenced(session, event):
            continue
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
    response_id = str(event.response.get("id") or "")
    if memory.is_open and memory.response_id == response_id:
        return
    flush_text(tick, session, memory, interrupted=True)
    memory.response_id, memory.is_open = response_id, True
    turns.open_response(tick, session, response_id)
    tick.append(session, event)


def flush_text(tick: Tick, session: Session, memory: Memory, *, interrupted: bool = False) -> None:
    """What was streamed becomes an assistant message; blank text is not stored."""
    text = "".join(memory.text)
    memory.text.clear()
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
        turns.store_error(
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
    elif isinstance(data, items.Message):
        memory.text.clear()
        session.open_seq = None
    item = tick.add_item(session, NewItem(data=data, response_id=response_id))
    tick.append(session, events.OutputItemDone(item={**_extras(event.item), **flat_item(item)}))


STORED_ITEMS = frozenset({"message", "function_call", "function_call_output", "error", "resource_event"})


def _extras(item: Mapping[str, Any]) -> dict[str, Any]:
    """What a runner says of an item live beyond what is stored, such as the arguments beside an output."""
    return {key: item[key] for key in ("agent", "arguments") if item.get(key) is not None}


def _terminal(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    response: Mapping[str, Any] = getattr(event, "response", {})
    failed = isinstance(event, events.ResponseFailed)
    flush_text(tick, session, memory, interrupted=isinstance(event, events.ResponseCancelled))
    if isinstance(event, events.ResponseCompleted):
        usage.add(tick, session, response.get("usage") or {})
    if failed:
        error = response.get("error") or {}
        turns.store_error(
            tick,
            session,
            events.error_object(
                str(error.get("code") or "turn_failed"),
                str(error.get("message") or "The turn failed"),
                title=error.get("title"),
                cause=error.get("cause"),
                remediation=error.get("remediation"),
            ),
            response_id=memory.response_id or session.public_id,
            source=_error_source(event),
        )
    turns.close_response(tick, session, event)
    memory.is_open = False
    memory.calls.clear()
    elicitations.void(tick, session)
    tick.append(session, event)


def _error_source(event: events.Event) -> str:
    source = getattr(event, "source", None)
    return source if source in ("llm", "execution", "tool", "harness") else "harness"


def _status(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    assert isinstance(event, events.SessionStatus)
    if event.status == "running":
        turns.running_edge(tick, session, event)
        return
    if memory.is_open:
        _synthesise_end(tick, session, memory, event)
    flush_text(tick, session, memory, interrupted=True)
    if event.status == "failed":
        turns.failed_edge(tick, session, event)
    else:
        turns.resting_edge(tick, session, event)


def _synthesise_end(tick: Tick, session: Session, memory: Memory, event: events.SessionStatus) -> None:
    """A runner that ends a turn without a terminal event would leave its callers hanging: we send one."""
    response = events.response_object(
        id=memory.response_id,
        status="failed" if event.status == "failed" else "cancelled",
        model=session.agent.name if session.agent else "",
        created_at=int(tick.now.timestamp()),
        error=event.error,
    )
    end: events.Event = (
        events.ResponseFailed(source="harness", response=response)
        if event.status == "failed"
        else events.ResponseCancelled(response=response)
    )
    _terminal(tick, session, memory, end)


def _model(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    assert isinstance(event, events.SessionModel)
    session.reported_model = event.model or ""
    tick.append(session, event)


def _ask(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    assert isinstance(event, events.ElicitationRequest)
    elicitations.ask(tick, session, event)
    session.has_questions = True


def _answered(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    assert isinstance(event, events.ElicitationResolved)
    elicitations.echo(tick, session, event)


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
    }
)
