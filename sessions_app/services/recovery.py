"""Messages that nobody has answered: a runner that is bound later gets them through the outbox."""

import orjson

from omnigent.protocol import inputs, items
from sessions_app.models import Item, Outbox, OutboxKind, Session
from sessions_app.services import messages, outbox, turns
from sessions_app.services.tick import Tick


def deliver_unanswered(tick: Tick, session: Session) -> bool:
    """When a session ends in a user's message and nothing is on its way, put it into the outbox."""
    last = Item.objects.filter(session=session).order_by("-position").first()
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
