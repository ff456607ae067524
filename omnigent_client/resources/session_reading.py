"""Looking at sessions: lists, snapshots, transcripts, sub-agents."""

from collections.abc import AsyncIterator
from typing import Unpack

from omnigent_client.decoding import read
from omnigent_client.pages import Page, collect
from omnigent_client.records.agents import Agent
from omnigent_client.records.items import Item
from omnigent_client.records.sessions import ChildSession, Session, SessionRow
from omnigent_client.resources.base import Resource
from omnigent_client.resources.fields import PageFilters, SessionFilters
from omnigent_client.transport.http import Call, path_of


class SessionReading(Resource):
    """Everything of a session that can be read at once; `stream` follows it."""

    async def list(self, **filters: Unpack[SessionFilters]) -> Page[SessionRow]:
        """One page of the caller's sessions, newest first unless told otherwise."""
        return await self._page(SessionRow, "/v1/sessions", filters)

    def iter(self, **filters: Unpack[SessionFilters]) -> AsyncIterator[SessionRow]:
        """All of them, fetched page by page while the caller iterates."""
        return self._walk(SessionRow, "/v1/sessions", filters)

    async def list_all(self, **filters: Unpack[SessionFilters]) -> tuple[SessionRow, ...]:
        """All of them at once."""
        return await collect(self.iter(**filters))

    async def get(
        self, session_id: str, *, include_items: bool = True, include_liveness: bool = True
    ) -> Session:
        """The session as it is now."""
        params = {"include_items": include_items, "include_liveness": include_liveness}
        return read(Session, await self._get(path_of("sessions", session_id), params))

    async def list_items(self, session_id: str, **filters: Unpack[PageFilters]) -> Page[Item]:
        """One page of the transcript, oldest first unless told otherwise."""
        return await self._page(Item, path_of("sessions", session_id, "items"), filters)

    def iter_items(self, session_id: str, **filters: Unpack[PageFilters]) -> AsyncIterator[Item]:
        """The whole transcript, fetched page by page while the caller iterates."""
        return self._walk(Item, path_of("sessions", session_id, "items"), filters)

    async def all_items(self, session_id: str, **filters: Unpack[PageFilters]) -> tuple[Item, ...]:
        """The whole transcript at once."""
        return await collect(self.iter_items(session_id, **filters))

    async def child_sessions(self, session_id: str, **filters: Unpack[PageFilters]) -> Page[ChildSession]:
        """One page of the sub-agents' sessions directly below this one."""
        return await self._page(ChildSession, path_of("sessions", session_id, "child_sessions"), filters)

    def iter_child_sessions(
        self, session_id: str, **filters: Unpack[PageFilters]
    ) -> AsyncIterator[ChildSession]:
        """All of them, fetched page by page while the caller iterates."""
        return self._walk(ChildSession, path_of("sessions", session_id, "child_sessions"), filters)

    async def labels(self, session_id: str) -> dict[str, str]:
        """The session's labels."""
        answer = await self._get(path_of("sessions", session_id, "labels"))
        return dict(answer["labels"])

    async def owner(self, session_id: str) -> str | None:
        """Who owns it; None on a server without users."""
        answer = await self._get(path_of("sessions", session_id, "owner"))
        found = answer["owner"]
        return None if found is None else str(found)

    async def agent(self, session_id: str) -> Agent:
        """The agent that the session is bound to."""
        return read(Agent, await self._get(path_of("sessions", session_id, "agent")))

    async def agent_contents(self, session_id: str) -> bytes:
        """The agent's bundle, a gzipped tar archive."""
        call = Call(method="GET", path=path_of("sessions", session_id, "agent", "contents"))
        return (await self._transport.send(call)).content
