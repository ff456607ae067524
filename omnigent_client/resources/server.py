"""The server itself: its health, what it offers, who is calling, what was spent."""

from collections.abc import Sequence
from typing import Any

from omnigent_client.decoding import read
from omnigent_client.records.server import Health, Info, Me, Usage
from omnigent_client.resources.base import Resource
from omnigent_client.transport.http import Call


class UsageReports(Resource):
    """/v1/usage."""

    async def get(self) -> Usage:
        """What the caller's sessions have cost."""
        return read(Usage, await self._get("/v1/usage"))


class Server(Resource):
    """What is not about one session."""

    async def health(self, *, session_ids: Sequence[str] = ()) -> Health:
        """Whether the server works, and whether the runners and hosts of these sessions are connected."""
        params = {"session_ids": ",".join(session_ids)} if session_ids else {}
        return read(Health, await self._get("/health", params))

    async def info(self) -> Info:
        """What this server offers; needs no login."""
        return read(Info, await self._get("/v1/info"))

    async def me(self) -> Me:
        """Who is calling. Raises UnauthorizedError when nobody is."""
        return read(Me, await self._get("/v1/me"))

    async def version(self) -> str:
        """The server's version."""
        answer = await self._get("/api/version")
        return str(answer["version"])

    async def sharing(self) -> dict[str, Any]:
        """The server's sharing mode."""
        return dict(await self._get("/v1/sharing"))

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: dict[str, Any] | None = None,
        json: Any = None,  # any JSON value
        idempotency_key: str | None = None,
    ) -> Any:  # any JSON value
        """Any other route: its JSON, with the same keys, retries and errors as every method here."""
        call = Call(
            method=method.upper(), path=path, params=params or {}, json=json, idempotency_key=idempotency_key
        )
        return await self._transport.json(call)
