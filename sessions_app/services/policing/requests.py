"""What a person asks for, as policies see it, and what becomes of it: posted, denied, or kept until later."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import mint
from omnigent.policies.types import Phase, PolicyEvent
from omnigent.protocol import attachments, events, inputs, items
from sessions_app.files import blobs, kinds
from sessions_app.models import HeldAction, HeldKind, Item, Outbox, Session, Status
from sessions_app.services import commands, files, messages, returning, turns
from sessions_app.services.item_forms import NewItem, flat_item
from sessions_app.services.policing import actions, facts, held
from sessions_app.services.policing.chains import chains_here
from sessions_app.services.tick import Tick, tick_of

GUARDED = frozenset({"message", "slash_command"})
MAX_TEXT = 256 * 1024
"""Bytes of an attached file that policies are shown."""
FORM_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Cleared:
    """The proof that the policies of a session have let a request through, without which none is posted."""

    session_pk: int


def is_request(event: inputs.SessionEvent, payload: inputs.Payload) -> bool:
    """Whether somebody asks the agent for something; what an assistant is made to say is no request."""
    if isinstance(payload, inputs.MessageInput):
        return payload.item.role == "user"
    return event.type in GUARDED


def event_of(session_pk: int, payload: inputs.Payload) -> PolicyEvent:
    """The request as policies see it, with the text of what is attached."""
    if isinstance(payload, inputs.SlashCommand):
        text, content = f"/{payload.name} {payload.arguments}".strip(), []
    else:
        assert isinstance(payload, inputs.MessageInput)
        content = list(payload.item.content)
        text = items.text_of(content)
    data = {"user_content": text, "attachments": _attached(session_pk, content)}
    return PolicyEvent(phase=Phase.REQUEST, data=data)


def _attached(session_pk: int, content: list[Any]) -> list[dict[str, Any]]:
    named = [file_id for _, _, file_id in attachments.references(content)]
    if not named:
        return []
    rows = files.attached(session_pk, named).values()
    return [
        {
            "filename": row.filename,
            "content_type": row.content_type,
            "text": _text(row.blob_id, row.content_type),
        }
        for row in rows
    ]


def _text(digest: str, content_type: str) -> str:
    if not kinds.is_text(content_type):
        return ""
    with blobs.open_blob(digest) as file:
        return str(file.read(MAX_TEXT).decode("utf-8", "replace"))


def stored(event: inputs.SessionEvent, user_id: str, skill_text: str, key: str) -> dict[str, Any]:
    """A request as it is kept with a held action."""
    return {"event": plain_event(event), "user_id": user_id, "skill_text": skill_text, "key": key}


def plain_event(event: inputs.SessionEvent) -> dict[str, Any]:
    """A posted event as JSON gives it back."""
    return {**asdict(event), "tools": [dict(tool) for tool in event.tools]}


def held_under(session_pk: int, key: str) -> HeldAction | None:
    """The request that was held under this idempotency key of its caller."""
    same = HeldAction.objects.filter(session=session_pk, kind=HeldKind.MESSAGE, input__key=key)
    return same.order_by("-id").first() if key else None


def is_ruled(session_pk: int) -> bool:
    """Whether a session has policies that may have something to say."""
    chains = chains_here()
    return not chains.is_plain(chains.of(facts.read(session_pk)))


def defer(session_pk: int, request: PolicyEvent, *, actor: str, kept: Mapping[str, Any]) -> None:
    """Keep a request for which nobody waits: its policies are asked, and then it is posted or denied."""
    with tick_of([session_pk]) as tick:
        _keep(session_pk, request, tick.now, actor=actor, kept=kept)


def defer_item(tick: Tick, session: Session, item: Item, message: items.Message) -> None:
    """The same of a message that is in the conversation already, and that nobody has answered."""
    waiting = HeldAction.objects.filter(session=session, input__item_id=item.public_id)
    if not waiting.filter(consumed_at__isnull=True).exists():
        request = event_of(session.pk, inputs.MessageInput(item=message))
        actor = item.created_by or session.created_by
        _keep(session.pk, request, tick.now, actor=actor, kept={"item_id": item.public_id, "key": ""})


def _keep(
    session_pk: int, request: PolicyEvent, now: datetime, *, actor: str, kept: Mapping[str, Any]
) -> None:
    row = HeldAction.objects.create(
        session_id=session_pk,
        kind=HeldKind.MESSAGE,
        digest=actions.digest(request),
        event=actions.to_json(request),
        position=0,
        actor=actor,
        input=dict(kept),
        created_at=now,
        expires_at=now + timedelta(seconds=FORM_SECONDS),
    )
    held.ring(row.pk)


def finish(held_pk: int) -> None:
    """Post a request that was held, or say that it is denied; once, whoever does it."""
    row = held.get(held_pk)
    if row is None or row.outcome is None or row.input is None:
        return
    try:
        answer = _finish(row, row.outcome, row.input)
    except OmnigentError as error:
        # Nobody can run it now. Who waits is told; nothing of it is stored, as with a message not held.
        answer = {"error": {"code": error.code.value, "message": error.message}}
        taken = HeldAction.objects.filter(pk=held_pk, consumed_at__isnull=True)
        taken.update(consumed_at=row.settled_at, outcome={**row.outcome, "answer": answer})
    if answer is not None:
        held.ring(held_pk)


def _finish(row: HeldAction, outcome: Mapping[str, Any], kept: Mapping[str, Any]) -> dict[str, Any] | None:
    with tick_of([row.session_id]) as tick:
        session = tick.sessions.get(row.session_id)
        mine = HeldAction.objects.filter(pk=row.pk, consumed_at__isnull=True)
        if session is None or not mine.update(consumed_at=tick.now):
            return None
        if outcome["action"] == "allow":
            answer = _let_through(tick, session, kept)
        else:
            answer = deny(tick, session, outcome["reason"] or "")
            if _is_dispatch(kept):
                returning.report_denied(tick, session, answer["reason"])
        HeldAction.objects.filter(pk=row.pk).update(outcome={**outcome, "answer": answer})
    return answer


def _let_through(tick: Tick, session: Session, kept: Mapping[str, Any]) -> dict[str, Any]:
    if "item_id" not in kept:
        event = inputs.SessionEvent(**{**kept["event"], "tools": tuple(kept["event"]["tools"])})
        return take(tick, session, event, user_id=kept["user_id"], skill_text=kept["skill_text"])
    item = Item.objects.filter(session=session, public_id=kept["item_id"]).first()
    message = None if item is None else commands.asked_by(item)
    is_under_way = session.status in turns.BUSY or Outbox.objects.filter(session=session).exists()
    if item is None or message is None or is_under_way:
        return {"queued": False}
    commands.deliver(tick, session, item, message)
    return {"queued": True, "item_id": item.public_id}


def _is_dispatch(kept: Mapping[str, Any]) -> bool:
    """Whether the request was a parent's to its sub-agent."""
    return "event" in kept and kept["event"]["data"].get("dispatch") is True


def take(
    tick: Tick, session: Session, event: inputs.SessionEvent, *, user_id: str, skill_text: str
) -> dict[str, Any]:
    """Store a request that was let through and hand it to the outbox."""
    payload = inputs.read_payload(event)
    if isinstance(payload, inputs.SlashCommand):
        return commands.take(tick, session, event, payload, text=skill_text, user_id=user_id)
    assert isinstance(payload, inputs.MessageInput)
    return messages.take(tick, session, event, payload, user_id=user_id)


def deny(tick: Tick, session: Session, reason: str) -> dict[str, Any]:
    """Show in the session that a request was denied. What it said is not stored."""
    shown = actions.plain(reason, actions.REASON)
    text, response_id = f"[Denied by policy: {shown}]", mint("deny")
    agent = session.agent.name if session.agent else None
    said = items.Message(role="assistant", content=[{"type": "output_text", "text": text}], agent=agent)
    item = tick.add_item(session, NewItem(data=said, response_id=response_id))
    tick.append(session, events.OutputTextDelta(delta=text, message_id=item.public_id))
    tick.append(session, events.OutputItemDone(item=flat_item(item)))
    response = events.response_object(
        id=response_id, status="completed", model=agent or "", created_at=int(tick.now.timestamp())
    )
    tick.append(session, events.ResponseCompleted(response=response))
    if session.status == Status.IDLE:
        tick.append(session, events.SessionStatus(conversation_id=session.public_id, status="idle"))
    return {"queued": False, "denied": True, "reason": shown}


def answered(row: HeldAction) -> Mapping[str, Any]:
    """What a request that was held is answered with. Raises what came in the way of posting it."""
    answer: Mapping[str, Any] = (row.outcome or {}).get("answer") or {}
    error = answer.get("error")
    if error is not None:
        raise OmnigentError(ErrorCode(error["code"]), error["message"])
    return answer
