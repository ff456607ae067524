"""Changing runners: what the old one was doing is over, and the new one gets what nobody has answered."""

import orjson

from omnigent.protocol import inputs, items
from sessions_app.models import Item, Outbox, OutboxKind, Session
from sessions_app.services import ingest, messages, outbox, turns
from sessions_app.services.memory import recall
from sessions_app.services.tick import Tick


def leave_runner(tick: Tick, session: Session) -> None:
    """Another runner takes over: the old one is not heard any more, and only messages are still delivered.

    A response that it had begun is cancelled, with the text that was shown.
    """
    session.relay_generation += 1
    Outbox.objects.filter(session=session).exclude(kind=OutboxKind.MESSAGE).delete()
    turn = tick.turn(session)
    if session.has_input and not (turn is not None and turn.response_id):
        return
    ingest.flush_text(tick, session, recall(session), interrupted=True)
    if turns.rest(tick, session) and session.has_input:
        turns.begin(tick, session)


def deliver_unanswered(tick: Tick, session: Session) -> bool:
    """When a session ends in a user's message and nothing is on its way, put it into the outbox."""
    # An item of this very transaction comes after it and is not written yet: then this finds nothing.
    last = Item.objects.filter(session=session, position=session.position).first()
    if last is None or last.type != items.Message.type or Outbox.objects.filter(session=session).exists():
        return False
    message = items.parse_item(last.type, orjson.loads(last.data))
    if not isinstance(message, items.Message) or message.role != "user" or session.status in turns.BUSY:
        return False
    event = inputs.SessionEvent(type="message", data={})
    given = inputs.MessageInput(item=message, stable_id=last.stable_id)
    turns.begin(tick, session)
    body = messages.forwarded(session, last.public_id, event, given)
    outbox.put(tick, session, OutboxKind.MESSAGE, body, item_id=last.public_id)
    return True
