"""A person's message: item, log, status and delivery in one transaction."""

from collections.abc import Mapping
from typing import Any

from django.db.models import Q

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import TURN, mint
from omnigent.protocol import events, inputs, items
from sessions_app.models import Item, OutboxKind, Session, SessionLabel, TunnelKind
from sessions_app.services import dispatching, files, outbox, pending_inputs, presence, turns
from sessions_app.services.item_forms import NewItem, consumed
from sessions_app.services.tick import Tick

TITLE_LENGTH = 60
CLOSED_LABEL = "omnigent.closed"


def take(
    tick: Tick, session: Session, event: inputs.SessionEvent, message: inputs.MessageInput, *, user_id: str
) -> dict[str, Any]:
    """Store a user's message and hand it to the outbox. Raises RUNNER_UNAVAILABLE if nobody can run it."""
    if message.stable_id is not None:
        known = _known_answer(session, message, message.stable_id)
        if known is not None:
            return known
    if message.dispatch and session.parent_id is None:
        raise OmnigentError(ErrorCode.INVALID_INPUT, "dispatch: only a sub-agent's session takes it")
    refuse_closed(session)
    require_runner(session)
    files.require_attachable(session.pk, message.item.content)
    seed_title(tick, session, message.item)
    if pending_inputs.are_kept(session):
        return _keep(tick, session, event, message, user_id=user_id)
    return _store(tick, session, event, message, user_id=user_id)


def _store(
    tick: Tick, session: Session, event: inputs.SessionEvent, message: inputs.MessageInput, *, user_id: str
) -> dict[str, Any]:
    authored = items.Message(role="user", content=message.item.content, user_authored=True)
    item = tick.add_item(
        session,
        NewItem(
            data=authored,
            response_id=mint(TURN),
            created_by=user_id,
            stable_id=message.stable_id,
        ),
    )
    tick.append(session, consumed(item.public_id, authored, created_by=user_id or None))
    turns.begin(tick, session)
    if message.dispatch:
        dispatching.begin(tick, session, item.position)
    body = forwarded(session, item.public_id, event, message)
    outbox.put(tick, session, OutboxKind.MESSAGE, body, item_id=item.public_id)
    return {"queued": True, "item_id": item.public_id}


def _keep(
    tick: Tick, session: Session, event: inputs.SessionEvent, message: inputs.MessageInput, *, user_id: str
) -> dict[str, Any]:
    """Let the program's transcript bring the message; meanwhile it is pending."""
    pending_id = pending_inputs.name_of(session.pk, message.stable_id)
    named = pending_inputs.put(tick, session, pending_id, message.item.content, user_id=user_id)
    turns.begin(tick, session)
    body = {**forwarded(session, "", event, message), "pending_id": pending_id}
    del body["persisted_item_id"]
    outbox.put(tick, session, OutboxKind.MESSAGE, body, item_id=named["item_id"])
    return {"queued": True, **named}


def _known_answer(session: Session, message: inputs.MessageInput, stable_id: str) -> dict[str, Any] | None:
    """How the message was answered that came under this id before. Raises IDEMPOTENCY_MISMATCH."""
    pending_id = pending_inputs.name_of(session.pk, stable_id)
    item_id = pending_inputs.item_id_of(pending_id)
    authored = items.Message(role="user", content=message.item.content, user_authored=True)
    if (content := pending_inputs.found(session, pending_id)) is not None:
        is_same = content == authored.content
    else:
        named = Q(stable_id=stable_id) | Q(public_id=item_id)
        stored = Item.objects.filter(named, session=session).first()
        if stored is None:
            return None
        is_same = stored.data == items.split(authored)[0]
        if stored.public_id != item_id:
            item_id, pending_id = stored.public_id, ""
    if not is_same:
        raise OmnigentError(
            ErrorCode.IDEMPOTENCY_MISMATCH, "This stable_id was used before with another message"
        )
    return {"queued": True, "item_id": item_id, **({"pending_id": pending_id} if pending_id else {})}


def refuse_closed(session: Session) -> None:
    """Raise if the session is a sub-agent's that was closed."""
    if session.parent_id is None:
        return
    if SessionLabel.objects.filter(session=session, key=CLOSED_LABEL).exists():
        raise OmnigentError(
            ErrorCode.CONFLICT, "Session is closed. Start a new sub-agent session to continue."
        )


def require_agent(session: Session) -> None:
    """Raise when nobody can run the session any more: its agent was deleted."""
    if session.agent is None or session.agent.deleted_at is not None:
        raise OmnigentError(ErrorCode.SESSION_AGENT_MISSING, "The session's agent no longer exists")


def require_runner(session: Session) -> None:
    """Raise unless the session has its agent, and its runner is connected or can be launched by its host."""
    require_agent(session)
    if session.runner_id and presence.is_online(TunnelKind.RUNNER, session.runner_id):
        return
    if session.host_id and presence.is_online(TunnelKind.HOST, session.host_id):
        return
    raise OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, "No runner bound for session")


def require_live_runner(session: Session) -> None:
    """Raise unless the session's runner is connected: what it waits for cannot wait for another one."""
    if not presence.online(TunnelKind.RUNNER, [session.runner_id]):
        raise OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, "The session's runner is not connected")


def seed_title(tick: Tick, session: Session, message: items.Message) -> None:
    """An untitled session is named after its first message; a sub-agent's name is its parent's to give."""
    if session.title or session.parent_id is not None:
        return
    title = short_title(items.text_of(message.content))
    if not title:
        return
    session.title = title
    tick.append(session, events.SessionTitle(conversation_id=session.public_id, title=session.title))


def short_title(text: str) -> str:
    """What a message's text is cut to for a title, its whitespace collapsed."""
    words = " ".join(text.split())
    return words if len(words) <= TITLE_LENGTH else words[: TITLE_LENGTH - 1].rstrip() + "…"


def forwarded(
    session: Session, item_id: str, event: inputs.SessionEvent, message: inputs.MessageInput
) -> Mapping[str, Any]:
    """What the runner is told of a message."""
    agent = session.agent
    body: dict[str, Any] = {
        "type": "message",
        "role": "user",
        "content": message.item.content,
        "agent_id": agent.public_id if agent else None,
        "model": agent.name if agent else None,
        "persisted_item_id": item_id,
        "has_mcp_servers": bool(agent and agent.details.get("mcp_servers")),
        "browser_renderer_available": False,
    }
    override = event.model_override or session.model_override
    if override:
        body["model_override"] = override
    if session.reasoning_effort:
        body["reasoning"] = {"effort": session.reasoning_effort}
    if event.tools:
        body["tools"] = list(event.tools)
    return body
