"""What a session sets its sub-agents to do: it begins with a message to one of them, and ends once.

Both are stored in the parent's own conversation, in the transaction that begins or ends it, so that neither a
runner nor this process has to remember what is still to come.
"""

import secrets
from typing import Any

from omnigent.protocol import events, items
from sessions_app.children import split_title
from sessions_app.models import Item, Session
from sessions_app.services import families, turns, verdicts
from sessions_app.services.item_forms import NewItem, flat_item
from sessions_app.services.tick import Tick

DELEGATED = "session.subagent.delegated"
RETURNED = "session.subagent.returned"


def names(child: Session) -> tuple[str, str]:
    """(agent, name) of a sub-agent's session, as its parent calls it."""
    agent, name = split_title(child.title)
    return agent or child.sub_agent_name or "sub-agent", name or child.public_id


def begin(tick: Tick, child: Session, position: int) -> None:
    """The parent has sent its sub-agent the message at this position. One that is at work has more to do."""
    if child.dispatch_position is not None:
        return
    child.dispatch_position = position
    parent = families.chain(child, tick.locked)[0]
    parent.awaits_children = True
    agent, name = names(child)
    tell(tick, parent, child, DELEGATED, {"title": name, "agent": agent})


def end(tick: Tick, child: Session, *, status: str, result: str) -> Item:
    """The sub-agent is at rest: its parent's conversation has what came of it. The parent does not wait."""
    child.dispatch_position = None
    return report(tick, child, status=status, result=result)


def report(tick: Tick, child: Session, *, status: str, result: str) -> Item:
    """Its parent's conversation has what came of something that it asked of a sub-agent."""
    agent, name = names(child)
    resource = {"title": name, "agent": agent, "status": status, "result": result}
    return tell(tick, families.chain(child, tick.locked)[0], child, RETURNED, resource)


def tell(tick: Tick, parent: Session, child: Session, event_type: str, resource: dict[str, Any]) -> Item:
    """Store what happened to a sub-agent in its parent's conversation, and show it."""
    data = items.ResourceEvent(
        event_type=event_type, resource_id=child.public_id, resource_type="session", resource=resource
    )
    item = tick.add_item(parent, NewItem(data=data, response_id=f"subagent_{secrets.token_hex(16)}"))
    tick.append(parent, events.OutputItemDone(item=flat_item(item)))
    return item


def interrupt(tick: Tick, session: Session) -> None:
    """Stop a session and everything below it that the tick has locked.

    What the sub-agents were at is over, and wakes nobody: whoever stopped the parent does not want it to
    begin again.
    """
    below = [one for pk, one in sorted(tick.sessions.items()) if pk != session.pk]
    for child in reversed(below):
        if child.dispatch_position is not None:
            end(tick, child, status="cancelled", result="It was interrupted together with its parent.")
    for one in (session, *below):
        one.awaits_children = False
    verdicts.interrupt_all(tick, [session, *(one for one in below if one.status in turns.BUSY)])
    for one in (session, *below):
        turns.wait_no_more(tick, one)
