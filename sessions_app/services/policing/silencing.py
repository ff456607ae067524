"""Text of an assistant that policies do not let stand: replaced, and taken out of the log."""

from dataclasses import dataclass
from typing import ClassVar

import orjson

from omnigent.protocol import events
from sessions_app.models import LogEntry, Session
from sessions_app.services.memory import TEXT_DELTA, Memory
from sessions_app.services.policing import actions
from sessions_app.services.tick import Tick


@dataclass(frozen=True, kw_only=True, slots=True)
class TextDenied(events.Event):
    """Stands in a batch before the event that would make an item of the text; it is never shown."""

    type: ClassVar[str] = "policy.text_denied"

    reason: str


def sentinel(reason: str) -> str:
    """What stands in the place of text, and of a message, that was denied."""
    return f"[Denied by policy: {actions.plain(reason, actions.REASON)}]"


def silence(tick: Tick, session: Session, memory: Memory, denied: TextDenied) -> None:
    """Replace what was streamed since the last item. Who has seen it has; nobody reads it again."""
    if session.open_seq is not None:
        tick.blank(session, TEXT_DELTA, session.open_seq)
        shown = LogEntry.objects.filter(session=session, seq__gte=session.open_seq, type=TEXT_DELTA)
        for entry in shown:
            body = orjson.loads(entry.data)
            if body["message_id"] is None:
                entry.data = orjson.dumps({**body, "delta": ""}).decode()
                entry.save(update_fields=["data"])
    memory.text = [sentinel(denied.reason)]
