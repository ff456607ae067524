"""Telling a session that a sub-agent which it set to work is done, or cannot go on: once, whatever dies.

What is due is read from the rows alone, so any number of processes may look for it, at any time.
"""

import orjson
from django.db.models import Exists, OuterRef

from omnigent.ids import TURN, mint
from omnigent.protocol import inputs, items
from sessions_app.models import Item, Outbox, OutboxKind, Session, SessionLabel, Status, Turn, TurnStatus
from sessions_app.services import dispatching, families, messages, outbox, turns
from sessions_app.services.item_forms import NewItem, consumed
from sessions_app.services.tick import Tick, tick_of

MAX_RESULT = 12_000
LOOKED_AT = 50
UNDONE = (TurnStatus.CANCELLED, TurnStatus.INCOMPLETE)


def due() -> list[int]:
    """The sub-agents that were set to work and are at rest, with nothing under way to them or below them."""
    dispatched = Session.objects.filter(dispatch_position__isnull=False)
    coming = Outbox.objects.filter(session=OuterRef("pk"), kind=OutboxKind.MESSAGE)
    below = dispatched.filter(parent=OuterRef("pk"))
    resting = dispatched.exclude(status__in=turns.BUSY).exclude(Exists(coming)).exclude(Exists(below))
    return list(resting.order_by("pk").values_list("pk", flat=True))


def settle_all() -> int:
    """Tell every parent what is due; how many there were. One that returns may leave its own parent due."""
    return sum(settle(session_pk) for session_pk in due())


def settle(session_pk: int) -> bool:
    """Tell the parent of this sub-agent how it ended, if that is due."""
    with tick_of([session_pk]) as tick:
        child = tick.sessions.get(session_pk)
        if child is None or not _is_due(child):
            return False
        status, result = _outcome(child)
        _return(tick, child, status=status, result=result)
    return True


def report_denied(tick: Tick, child: Session, reason: str) -> None:
    """What a parent asked of its sub-agent was refused after the parent had gone on: it is told."""
    if child.parent_id is None:
        return
    result = f"Denied by policy: {reason}"
    if child.dispatch_position is None:
        _return(tick, child, status="failed", result=result)
    else:
        # It goes on with what it was set to do before.
        _wake(tick, child, dispatching.report(tick, child, status="failed", result=result), "failed")


def _is_due(child: Session) -> bool:
    is_at_rest = child.status not in turns.BUSY and not child.has_input and not child.awaits_children
    return child.dispatch_position is not None and is_at_rest


def _outcome(child: Session) -> tuple[str, str]:
    """(status, result) of the work that began at the child's dispatch."""
    said = _last_words(child)
    error = child.last_task_error or {}
    last = Turn.objects.filter(session=child).order_by("-id").first()
    # That its runner was lost is forgiven a session when the next one speaks, but not its turn.
    if child.status == Status.FAILED or error or (last and last.status == TurnStatus.FAILED):
        code = error.get("code") or (last.error_code if last else "") or "turn_failed"
        reason = f"{code}: {error.get('message', 'The turn failed')}"
        return "failed", _cut(f"{reason}\n\n{said}" if said else reason)
    if last and last.status in UNDONE:
        reason = last.stop_reason or "It was interrupted before it said anything."
        return "cancelled", _cut("\n\n".join(filter(None, (last.stop_reason, said))) or reason)
    return "completed", _cut(said)


def _last_words(child: Session) -> str:
    said = Item.objects.filter(
        session=child, position__gt=child.dispatch_position, type=items.Message.type
    ).order_by("-position")
    for text in said.values_list("data", flat=True)[:LOOKED_AT]:
        data = orjson.loads(text)
        if data.get("role") == "assistant" and (words := items.text_of(data.get("content", []))).strip():
            return words
    return ""


def _cut(text: str) -> str:
    if len(text) <= MAX_RESULT:
        return text
    note = f"\n[cut: {len(text)} characters in all]"
    return text[: MAX_RESULT - len(note)] + note


def _return(tick: Tick, child: Session, *, status: str, result: str) -> None:
    _wake(tick, child, dispatching.end(tick, child, status=status, result=result), status)


def _wake(tick: Tick, child: Session, returned: Item, status: str) -> None:
    parent = families.chain(child, tick.locked)[0]
    if parent.archived or _is_closed(parent):
        return
    agent, name = dispatching.names(child)
    text = (
        f"[System: sub-agent {agent}/{name} finished ({status}) - 1 result waiting in inbox. "
        "Call sys_read_inbox to collect.]"
    )
    message = items.Message(
        role="user", content=[{"type": "input_text", "text": text}], subagent_return_id=returned.public_id
    )
    item = tick.add_item(parent, NewItem(data=message, response_id=mint(TURN)))
    tick.append(parent, consumed(item.public_id, message, created_by=None))
    turns.begin(tick, parent)
    event = inputs.SessionEvent(type="message", data={})
    body = {
        **messages.forwarded(parent, item.public_id, event, inputs.MessageInput(item=message)),
        "subagent_return_id": returned.public_id,
    }
    outbox.put(tick, parent, OutboxKind.MESSAGE, body, item_id=item.public_id)


def _is_closed(session: Session) -> bool:
    if session.parent_id is None:
        return False
    return SessionLabel.objects.filter(session=session, key=messages.CLOSED_LABEL).exists()
