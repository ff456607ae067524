"""Coarse events about a turn, and events that a runner tells the server alone."""

from dataclasses import dataclass
from typing import Any, ClassVar

from omnigent.protocol.events.base import Event


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnEvent(Event):
    """Base of the turn events."""

    session_member: ClassVar[str | None] = "session_id"

    session_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnStarted(TurnEvent):
    """A turn began."""

    type: ClassVar[str] = "turn.started"


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnCompleted(TurnEvent):
    """A turn ended well."""

    type: ClassVar[str] = "turn.completed"


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnFailed(TurnEvent):
    """A turn ended with an error."""

    type: ClassVar[str] = "turn.failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnCancelled(TurnEvent):
    """A turn was interrupted."""

    type: ClassVar[str] = "turn.cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class Compaction(Event):
    """Runner to server only: history was summarised; the server stores a compaction item."""

    type: ClassVar[str] = "compaction"

    summary: str
    last_item_id: str | None = None
    model: str | None = None
    token_count: int | None = None
    compacted_messages: list[Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionStateReset(Event):
    """Runner to server only: what the runner remembered of the session is dropped."""

    type: ClassVar[str] = "session.state_reset"
    session_member: ClassVar[str | None] = "session_id"

    session_id: str = ""
