"""/v1/sessions/{id}/resources/terminals: what is open where the session's agent works."""

from omnigent_client.decoding import read
from omnigent_client.pages import Page
from omnigent_client.records.sessions import Deleted
from omnigent_client.records.terminals import Terminal
from omnigent_client.resources.base import Resource
from omnigent_client.transport.http import path_of


class Terminals(Resource):
    """Terminals, which the session's runner must be online for. Looking at one needs a WebSocket."""

    async def list(self, session_id: str) -> Page[Terminal]:
        """All of them, the first opened first."""
        return await self._page(Terminal, _path(session_id), {})

    async def create(
        self,
        session_id: str,
        terminal: str,
        session_key: str | None = None,
        *,
        cwd: str | None = None,
        sandbox: str | None = None,
        idempotency_key: str | None = None,
    ) -> Terminal:
        """Open one that the agent declares; one that is open already is the answer as it is."""
        body = {
            "terminal": terminal,
            "session_key": session_key,
            "cwd": cwd,
            "sandbox": sandbox,
            "idempotency_key": idempotency_key,
        }
        return read(Terminal, await self._write("POST", _path(session_id), body))

    async def get(self, session_id: str, terminal_id: str) -> Terminal:
        """One of them."""
        return read(Terminal, await self._get(_path(session_id, terminal_id)))

    async def delete(self, session_id: str, terminal_id: str) -> Deleted:
        """End it with everything in it."""
        return read(Deleted, await self._write("DELETE", _path(session_id, terminal_id)))


def _path(session_id: str, *segments: str) -> str:
    return path_of("sessions", session_id, "resources", "terminals", *segments)
