"""What all events have in common, and the event that this version does not know."""

from dataclasses import dataclass
from typing import ClassVar

from omnigent_client.decoding import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class Event(Record):
    """Base of all events. `sequence_number` counts the events of one response; it is None elsewhere.

    `cursor` is the event's place in the session's log: `stream(session_id, after=event.cursor)` goes on
    behind it. None for events that are not in the log.
    """

    wire_type: ClassVar[str] = ""

    sequence_number: int | None = None
    cursor: str | None = None

    @property
    def type(self) -> str:
        """The event's name on the wire."""
        return self.wire_type


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionEvent(Event):
    """Base of events that name their session `conversation_id`."""

    conversation_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnknownEvent(Event):
    """An event of a newer server, or one that does not have its shape (`problem` says why); see `raw`."""

    name: str = ""
    problem: str | None = None

    @property
    def type(self) -> str:
        """The event's name on the wire."""
        return self.name
