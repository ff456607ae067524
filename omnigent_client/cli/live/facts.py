"""What is known of a session beside its transcript: the status line."""

from collections.abc import Callable, Mapping
from typing import Any

from omnigent_client.cli.safe_text import clean_line
from omnigent_client.events import Event
from omnigent_client.events.session import (
    SessionAgentChanged,
    SessionModel,
    SessionPresence,
    SessionStatus,
    SessionTitle,
    SessionUsage,
)
from omnigent_client.records.sessions import Session

RESTING = frozenset({"idle", "failed"})


class Facts:
    """Kept up to date by events."""

    def __init__(self, session: Session) -> None:
        self.title = session.title
        self.agent: str | None = session.agent_name
        self.status = session.status
        self.model = session.model_override or session.llm_model
        self.tokens = session.last_total_tokens
        self.cost = session.total_cost_usd
        self.viewers = 1
        # Each takes its own class of event.
        self._handlers: Mapping[type[Event], Callable[[Any], None]] = {
            SessionStatus: lambda event: setattr(self, "status", event.status),
            SessionTitle: lambda event: setattr(self, "title", event.title),
            SessionModel: lambda event: setattr(self, "model", event.model),
            SessionAgentChanged: lambda event: setattr(self, "agent", event.agent_name or event.agent_id),
            SessionPresence: lambda event: setattr(self, "viewers", len(event.viewers)),
            SessionUsage: self._count,
        }

    @property
    def is_busy(self) -> bool:
        """Whether there is something to interrupt."""
        return self.status not in RESTING

    def feed(self, event: Event) -> None:
        """Take an event."""
        handler = self._handlers.get(type(event))
        if handler is not None:
            handler(event)

    def line(self) -> str:
        """All of it in one line but for the title, which may be long."""
        parts = [
            clean_line(self.status),
            clean_line(self.agent or ""),
            clean_line(self.model or "") if self.model != self.agent else "",
            f"{self.tokens} tokens" if self.tokens else "",
            f"${self.cost:.2f}" if self.cost else "",
            f"{self.viewers} watching" if self.viewers > 1 else "",
        ]
        return " · ".join(part for part in parts if part)

    def _count(self, event: SessionUsage) -> None:
        if event.context_tokens is not None:
            self.tokens = event.context_tokens
        if event.total_cost_usd is not None:
            self.cost = event.total_cost_usd
