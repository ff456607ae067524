"""Which of a session's events belong to the turn that answers one message, and which of them ends it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, Literal

from omnigent_client.events import TERMINAL, Event
from omnigent_client.events.response import (
    OutputItemDone,
    OutputTextDelta,
    ResponseCreated,
    ResponseEvent,
    ResponseInProgress,
)
from omnigent_client.events.session import SessionInputConsumed, SessionInterrupted, SessionStatus
from omnigent_client.records.items import Item
from omnigent_client.records.sessions import Session
from omnigent_client.turns.stored import RESTING, Stored, stored_turn
from omnigent_client.turns.words import Words

EndWord = Literal["completed", "incomplete", "cancelled", "failed"]

END_WORDS: Final[Mapping[str, EndWord]] = MappingProxyType(
    {
        "response.completed": "completed",
        "response.incomplete": "incomplete",
        "response.cancelled": "cancelled",
        "response.failed": "failed",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """How the turn ended; `response` is the ended response as the server shows it."""

    how: EndWord
    response: Mapping[str, Any] = field(default_factory=dict)
    error: Mapping[str, Any] = field(default_factory=dict)


class TurnTracker:
    """Fed with a session's events in order, from before the message was posted.

    A message to a resting session is answered by the next response. One that steers a running response is
    answered by it, or, when the harness could not take it in, by the response that follows it without a rest.
    """

    def __init__(self, active_response_id: str | None) -> None:
        self.words = Words()
        self.response_id: str | None = None
        self.item_id: str | None = None
        self.pending_id: str | None = None
        self.is_taken = False
        self._open = active_response_id
        self._is_steering = False
        self._has_run = False
        self._was_interrupted = False
        self._maybe: End | None = None
        self._passed: End | None = None
        self._early: list[Event] = []
        # Each takes its own class of event.
        self._handlers: Mapping[type[Event], Callable[[Any], None]] = {
            ResponseCreated: lambda event: self.words.repeat(),
            ResponseInProgress: self._response_began,
            OutputTextDelta: lambda event: self.words.say(event.delta),
            OutputItemDone: lambda event: self.words.add(event.item),
            SessionInterrupted: lambda event: self._interrupted(),
        }

    @property
    def is_open(self) -> bool:
        """Whether a response is under way."""
        return self._open is not None

    def is_pending(self, session: Session) -> bool:
        """Whether the message waits for a program that has not begun with it: then it is no item yet."""
        waiting = {row.get("pending_id") for row in session.pending_inputs}
        return self.pending_id is not None and self.pending_id in waiting

    def accept(self, item_id: str) -> End | None:
        """The message got this item; what came before this was known is looked at now."""
        self.item_id = item_id
        early, self._early = self._early, []
        for event in early:
            end = self.feed(event)
            if end is not None:
                return end
        return None

    def feed(self, event: Event) -> End | None:
        """Take the next event; the end of the turn if this is it."""
        if self.item_id is None:
            self._early.append(event)
            return None
        if not self.is_taken:
            self._before(event)
            return None
        if event.type in TERMINAL and isinstance(event, ResponseEvent):
            return self._response_ended(event)
        if isinstance(event, SessionStatus):
            if event.status in RESTING:
                return self._rested(event)
            self._moved(event)
            return None
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)
        return None

    def recover(self, session: Session, items: Sequence[Item]) -> End | None:
        """Learn from the server's own state what events did not tell; `items` are those after the message."""
        self.is_taken = True
        self._maybe = None
        self._open = session.active_response_id
        self._is_steering = False
        return self.look(session, items)

    def look(self, session: Session, items: Sequence[Item], *, is_earlier: bool = False) -> End | None:
        """The turn's end if the server's state shows it, for a message that may be from before the events.

        What else comes of the turn is left to the events. `is_earlier` when it is known to be from before:
        then a session at rest has answered it, even without a word.
        """
        stored = stored_turn(session, items)
        self.words.clear()
        for item in stored.items:
            self.words.add(item.raw)
        if stored.items:
            self.response_id = stored.response_id
        end = self._stored_end(session, stored, is_earlier=is_earlier)
        passed = self._passed
        if end is None or passed is None or passed.response.get("id") != (self.response_id or ""):
            return end
        return passed

    def _stored_end(self, session: Session, stored: Stored, *, is_earlier: bool) -> End | None:
        if stored.is_followed:
            if stored.error is not None:
                return End(how="failed", error=stored.error.payload)
            return End(how="cancelled" if stored.was_interrupted else "completed")
        if session.status not in RESTING or session.active_response_id is not None:
            return None
        if session.status == "failed":
            error = session.last_task_error or {}
            # Otherwise not begun yet; a failure that is still shown is that of an earlier message.
            is_mine = bool(stored.items) or error.get("item_id") == self.item_id
            return End(how="failed", error=error) if is_mine else None
        if not stored.items:
            # Not begun yet, or over before it said anything.
            return End(how="cancelled") if is_earlier else None
        return End(how="cancelled" if stored.was_interrupted else "completed")

    def _before(self, event: Event) -> None:
        if isinstance(event, ResponseInProgress):
            self._open = event.response.get("id")
        elif event.type in TERMINAL and isinstance(event, ResponseEvent):
            self._open = None
            self._passed = _end_of(event)
        elif isinstance(event, SessionStatus) and event.status in RESTING:
            # A snapshot names a response until the session rests, also when its end came before.
            self._open = None
        elif isinstance(event, SessionInputConsumed) and event.data.item_id == self.item_id:
            self.is_taken = True
            self._is_steering = self._open is not None
            self.response_id = self._open

    def _interrupted(self) -> None:
        self._was_interrupted = True

    def _response_began(self, event: ResponseInProgress) -> None:
        self._open = self.response_id = event.response.get("id")
        self._is_steering = False
        self._has_run = True
        self._maybe = None
        self.words.clear()

    def _response_ended(self, event: ResponseEvent) -> End | None:
        end = _end_of(event)
        self._open = None
        if not self._is_steering:
            return end
        # The status that follows says whether another response takes the message up.
        self._maybe = end
        return None

    def _moved(self, event: SessionStatus) -> None:
        if event.status == "running":
            self._has_run = True
            if self._maybe is not None:
                self._maybe = None
                self._is_steering = False

    def _rested(self, event: SessionStatus) -> End | None:
        if self._maybe is not None:
            return self._maybe
        if event.status == "failed":
            return End(how="failed", error=event.error or {})
        if not self._has_run or self._open is not None:
            # An echo of the rest before this turn.
            return None
        return End(how="cancelled" if self._was_interrupted else "completed")


def _end_of(event: ResponseEvent) -> End:
    return End(how=END_WORDS[event.type], response=event.response, error=event.response.get("error") or {})
