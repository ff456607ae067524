"""A person calls a skill by name: its item is stored, and a turn starts with what the skill says."""

from collections.abc import Sequence
from typing import Any

import orjson

from agents_app import services as agents
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import TURN, mint
from omnigent.protocol import events, inputs, items
from omnigent.spec import InvalidAgentError, calling
from sessions_app.models import Item, OutboxKind, Session
from sessions_app.services import messages, outbox, turns
from sessions_app.services.access import not_found
from sessions_app.services.item_forms import NewItem
from sessions_app.services.tick import Tick


def unknown(name: str, available: Sequence[str]) -> OmnigentError:
    """The answer to a command that names no skill."""
    return OmnigentError(ErrorCode.INVALID_INPUT, str(calling.UnknownSkill(name, available)))


def text_of(session_pk: int, name: str, arguments: str) -> str:
    """What the skill says, by the bundle of the session's agent. Raises INVALID_INPUT for an unknown one."""
    session = Session.objects.select_related("agent").filter(pk=session_pk).first()
    if session is None:
        raise not_found()
    if session.agent is None:
        raise unknown(name, ())
    try:
        return calling.call(calling.callable_skills(agents.contents(session.agent).data), name, arguments)
    except calling.UnknownSkill as error:
        raise unknown(name, error.available) from None
    except InvalidAgentError as error:
        raise OmnigentError(ErrorCode.SESSION_AGENT_MISSING, str(error)) from None


def take(
    tick: Tick,
    session: Session,
    event: inputs.SessionEvent,
    command: inputs.SlashCommand,
    *,
    text: str,
    user_id: str,
) -> dict[str, Any]:
    """Store a command and hand the skill's text to the outbox. Raises RUNNER_UNAVAILABLE without a runner."""
    messages.refuse_closed(session)
    messages.require_runner(session)
    stored = items.SlashCommand(
        agent=session.agent.name if session.agent else None,
        kind="skill",
        name=command.name,
        arguments=command.arguments,
    )
    item = tick.add_item(session, NewItem(data=stored, response_id=mint(TURN), created_by=user_id))
    messages.seed_title(tick, session, _message(words_of(stored)))
    tick.append(session, _consumed(item.public_id, stored, user_id))
    turns.begin(tick, session)
    body = messages.forwarded(session, item.public_id, event, inputs.MessageInput(item=_message(text)))
    outbox.put(tick, session, OutboxKind.MESSAGE, body, item_id=item.public_id)
    return {"queued": True, "item_id": item.public_id}


def as_message(session_pk: int, command: items.SlashCommand) -> items.Message:
    """A stored command as the message that its turn starts with; its own words if the skill is gone."""
    try:
        return _message(text_of(session_pk, command.name, command.arguments))
    except OmnigentError:
        return _message(words_of(command))


def asked_by(item: Item) -> items.Message | None:
    """What a stored item asks the agent to do, if it does."""
    if item.type not in (items.Message.type, items.SlashCommand.type):
        return None
    data = items.parse_item(item.type, orjson.loads(item.data))
    if isinstance(data, items.SlashCommand) and data.kind == "skill":
        return as_message(item.session_id, data)
    return data if isinstance(data, items.Message) and data.role == "user" else None


def deliver(tick: Tick, session: Session, item: Item, message: items.Message) -> None:
    """Hand what a stored item asks to the outbox: a turn begins with it."""
    event = inputs.SessionEvent(type="message", data={})
    given = inputs.MessageInput(item=message, stable_id=item.stable_id)
    turns.begin(tick, session)
    body = messages.forwarded(session, item.public_id, event, given)
    outbox.put(tick, session, OutboxKind.MESSAGE, body, item_id=item.public_id)


def words_of(command: items.SlashCommand) -> str:
    """The command as it was typed."""
    return f"/{command.name} {command.arguments}".strip()


def _message(text: str) -> items.Message:
    return items.Message(role="user", content=[{"type": "input_text", "text": items.scrub(text)}])


def _consumed(item_id: str, command: items.SlashCommand, user_id: str) -> events.SessionInputConsumed:
    return events.SessionInputConsumed(
        data=events.ConsumedInput(
            item_id=item_id, type=command.type, data=items.to_data(command), created_by=user_id or None
        )
    )
