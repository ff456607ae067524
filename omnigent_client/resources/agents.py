"""/v1/agents: the agents that a session can be made with."""

import asyncio
from collections.abc import AsyncIterator
from os import PathLike
from typing import Unpack

from omnigent_client.decoding import read
from omnigent_client.pages import Page, collect
from omnigent_client.records.agents import Agent
from omnigent_client.records.sessions import Deleted
from omnigent_client.resources.base import Resource
from omnigent_client.resources.bundles import bundle_bytes
from omnigent_client.resources.fields import PageFilters
from omnigent_client.transport.http import Call, path_of


class Agents(Resource):
    """The registry."""

    async def list(self, **filters: Unpack[PageFilters]) -> Page[Agent]:
        """One page of the registered agents, newest first unless told otherwise."""
        return await self._page(Agent, "/v1/agents", filters)

    def iter(self, **filters: Unpack[PageFilters]) -> AsyncIterator[Agent]:
        """All of them, fetched page by page while the caller iterates."""
        return self._walk(Agent, "/v1/agents", filters)

    async def list_all(self, **filters: Unpack[PageFilters]) -> tuple[Agent, ...]:
        """All of them at once."""
        return await collect(self.iter(**filters))

    async def get(self, agent_id: str) -> Agent:
        """One agent."""
        return read(Agent, await self._get(path_of("agents", agent_id)))

    async def upload(
        self, bundle: bytes | str | PathLike[str], *, idempotency_key: str | None = None
    ) -> Agent:
        """Register an agent of the caller's own; see `sessions.create` for what a bundle is."""
        content = await asyncio.to_thread(bundle_bytes, bundle)
        call = Call(
            method="POST",
            path="/v1/agents",
            parts=(("bundle", ("agent.tar.gz", content, "application/gzip")),),
            idempotency_key=idempotency_key,
        )
        return read(Agent, await self._transport.json(call))

    async def delete(self, agent_id: str, *, force: bool = False) -> Deleted:
        """Remove one of the caller's own; `force` even while sessions use it."""
        params = {"force": True} if force else {}
        return read(Deleted, await self._write("DELETE", path_of("agents", agent_id), params=params))
