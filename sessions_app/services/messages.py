"""A person's message: item, log, status and delivery in one transaction."""

from collections.abc import Mapping
from typing import Any

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import TURN, mint
from omnigent.protocol import events, inputs, items
from sessions_app.models import Item, OutboxKind, Session, SessionLabel, TunnelKind
from sessions_app.services import dispatching, files, outbox, presence, turns
from sessions_app.services.item_forms import NewItem
from sessions_app.services.tick import Tick

TITLE_LENGTH = 60
CLOSED_LABEL = "omnigent.closed"


def take(
    tick: Tick, session: Session, event: inputs.SessionEvent, message: inputs.MessageInput, *, user_id: str
) -> dict[str, Any]:
    """Store a user's message and hand it to the outbox. Raises RUNNER_UNAVAILABLE if nobody can run it."""
    if message.stable_id is not None:
        known = Item.objects.filter(session=session, stable_id=message.stable_id).first()
        if known is not None:
            return _repeated(known, message)
    if message.dispatch and session.parent_id is None:
        raise OmnigentError(ErrorCode.INVALID_INPUT, "dispatch: only a sub-agent's session takes it")
    refuse_closed(session)
    require_runner(session)
    files.require_attachable(session.pk, message.item.content)
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
    seed_title(tick, session, message.item)
    tick.append(session, consumed(item.public_id, authored, created_by=user_id or None))
    turns.begin(tick, session)
    if message.dispatch:
        dispatching.begin(tick, session, item.position)
    outbox.put(
        tick,
        session,
        OutboxKind.MESSAGE,
        forwarded(session, item.public_id, event, message),
        item_id=item.public_id,
    )
    return {"queued": True, "item_id": item.public_id}


def _repeated(known: Item, message: inputs.MessageInput) -> dict[str, Any]:
    text, _ = items.split(items.Message(role="user", content=message.item.content, user_authored=True))
    if known.data != text:
        raise OmnigentError(
            ErrorCode.IDEMPOTENCY_MISMATCH, "This stable_id was used before with another message"
        )
    return {"queued": True, "item_id": known.public_id}


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


def consumed(item_id: str, message: items.Message, *, created_by: str | None) -> events.SessionInputConsumed:
    """The event that shows a stored message."""
    data = events.message_data(role="user", content=message.content, user_authored=message.user_authored)
    return events.SessionInputConsumed(
        data=events.ConsumedInput(item_id=item_id, data=data, created_by=created_by)
    )


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
