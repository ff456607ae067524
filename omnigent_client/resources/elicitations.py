"""Approvals and forms that wait for a person."""

from collections.abc import Mapping
from typing import Any

from omnigent_client.decoding import read
from omnigent_client.events import read_event
from omnigent_client.events.response import ElicitationRequest
from omnigent_client.records.sessions import Elicitation, EventReceipt, Session
from omnigent_client.resources.base import Resource
from omnigent_client.resources.session_inputs import Action
from omnigent_client.transport.http import path_of


class Elicitations(Resource):
    """What sessions ask, and the answers."""

    async def list(self, session_id: str) -> tuple[ElicitationRequest, ...]:
        """What the session and everything below it wait for now."""
        params = {"include_items": False, "include_liveness": False}
        snapshot = await self._get(path_of("sessions", session_id), params)
        return pending(read(Session, snapshot))

    async def get(self, session_id: str, elicitation_id: str) -> Elicitation:
        """Whether one is still pending, and what it asks."""
        return read(Elicitation, await self._get(_path(session_id, elicitation_id)))

    async def resolve(
        self,
        session_id: str,
        elicitation_id: str,
        action: Action,
        content: Mapping[str, Any] | None = None,
    ) -> EventReceipt:
        """Answer it; `content` fills in a form. The first verdict holds, see `resolution`."""
        path = _path(session_id, elicitation_id, "resolve")
        return read(EventReceipt, await self._write("POST", path, {"action": action, "content": content}))


def pending(session: Session) -> tuple[ElicitationRequest, ...]:
    """What a snapshot says that the session waits for."""
    events = [read_event(one) for one in session.pending_elicitations]
    return tuple(event for event in events if isinstance(event, ElicitationRequest))


def _path(session_id: str, *segments: str) -> str:
    return path_of("sessions", session_id, "elicitations", *segments)
