"""What all events have in common."""

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """Base of all events. `sequence_number` counts the events of one response; it is null elsewhere.

    `session_member` names the field that holds the session's id, for events that have one. A runner may
    leave it out; the server sets it before anybody sees the event.
    """

    type: ClassVar[str] = ""
    session_member: ClassVar[str | None] = None

    sequence_number: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionEvent(Event):
    """Base of events that name their session `conversation_id`."""

    session_member: ClassVar[str | None] = "conversation_id"

    conversation_id: str = ""
