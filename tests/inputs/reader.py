"""A reader of a session's stream that can be cut off at any time and resumes where it was."""

import asyncio
from typing import Any

from omnigent.api.asgi import Application
from omnigent.protocol import sse
from tests.api_plumbing.asgi_client import http_scope
from tests.inputs.waiting import until


class Reader:
    """`received` holds (number, event type, data) of every logged event, over all connections."""

    def __init__(self, app: Application, session_id: str) -> None:
        self.received: list[tuple[int, str, str]] = []
        self._app = app
        self._path = f"/v1/sessions/{session_id}/stream"
        self._incoming: asyncio.Queue[dict[str, Any]] | None = None
        self._serving: asyncio.Future[None] | None = None

    @property
    def cursor(self) -> int:
        """The number of the last event received."""
        return self.received[-1][0] if self.received else 0

    async def connect(self) -> None:
        """Go on after the last event received."""
        self._incoming = asyncio.Queue()
        self._incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
        decoder = sse.Decoder()

        async def send(message: Any) -> None:
            if message["type"] != "http.response.body":
                return
            for one in decoder.feed(message["body"]):
                if one.id is not None:
                    self.received.append((int(one.id), one.event, one.data))

        scope = http_scope("GET", self._path, {"Last-Event-ID": str(self.cursor)})
        self._serving = asyncio.ensure_future(self._app(scope, self._incoming.get, send))

    async def disconnect(self) -> None:
        """The connection goes."""
        if self._incoming is not None and self._serving is not None:
            self._incoming.put_nowait({"type": "http.disconnect"})
            await asyncio.wait_for(self._serving, 30)
            self._serving = None

    async def reaches(self, number: int) -> None:
        """Wait until everything up to this number was received."""
        await until(lambda: self.cursor >= number, f"the reader is at {self.cursor} and not at {number}")
