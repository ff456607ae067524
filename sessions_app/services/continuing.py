"""A response that was settled while its runner was out of reach, and that goes on when the runner is back.

A response ends once. What a runner still says of `resp_a` after that is shown as `resp_a_again2`, and so on.
"""

import dataclasses
import re

from omnigent.protocol import events
from omnigent.protocol.events.response import ResponseEvent
from sessions_app.models import Session
from sessions_app.services import turns
from sessions_app.services.memory import Memory
from sessions_app.services.tick import Tick

AGAIN = re.compile(r"(?P<origin>.*)_again(?P<part>\d{1,6})", re.DOTALL)


def origin(response_id: str) -> str:
    """The id that the runner knows the response by."""
    match = AGAIN.fullmatch(response_id)
    return match["origin"] if match else response_id


def next_part(response_id: str) -> str:
    """The id under which a settled response goes on."""
    match = AGAIN.fullmatch(response_id)
    return f"{match['origin']}_again{int(match['part']) + 1}" if match else f"{response_id}_again2"


def is_same(shown: str, said: str) -> bool:
    """Whether a runner that says this id means the response that is shown under that one."""
    return shown == said or (shown != "" and origin(shown) == origin(said))


def take_up(tick: Tick, session: Session, memory: Memory, event: events.Event) -> None:
    """Begin the next part of the lost response, unless the event names another one."""
    said = str(event.response.get("id") or "") if isinstance(event, ResponseEvent) else ""
    if said and not is_same(memory.lost_id, said):
        return
    lost_id, memory.lost_id = memory.lost_id, ""
    memory.response_id, memory.is_open, memory.has_failed = next_part(lost_id), True, False
    turns.begin(tick, session)
    turns.open_response(tick, session, memory.response_id)
    response = events.response_object(
        id=memory.response_id,
        status="in_progress",
        model=session.agent.name if session.agent else "",
        created_at=int(tick.now.timestamp()),
    )
    tick.append(session, events.ResponseInProgress(response={**response, "previous_response_id": lost_id}))


def as_shown(event: events.Event, response_id: str) -> events.Event:
    """The end of a response under the id by which clients know the response."""
    if not isinstance(event, ResponseEvent) or origin(response_id) != event.response.get("id"):
        return event
    return dataclasses.replace(event, response={**event.response, "id": response_id})
