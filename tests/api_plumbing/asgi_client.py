"""Drives an ASGI application by hand: what a server would send in, what the application sends out."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from omnigent.api.asgi import Application


@dataclass
class Reply:
    """The answer to one request."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode("latin-1") for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


def http_scope(method: str, path: str, headers: Mapping[str, str], **more: Any) -> dict[str, Any]:
    path, _, query = path.partition("?")
    merged = {"host": "127.0.0.1:6767", **headers}
    return {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode("latin-1"),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in merged.items()],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 6767),
        **more,
    }


async def call(
    app: Application,
    method: str,
    path: str,
    body: bytes | Sequence[bytes] = b"",
    headers: Mapping[str, str] | None = None,
    **scope: Any,
) -> Reply:
    """One request with its body in one or several parts; the client stays until the answer is complete."""
    parts = [body] if isinstance(body, bytes) else list(body)
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    for number, part in enumerate(parts, 1):
        incoming.put_nowait({"type": "http.request", "body": part, "more_body": number < len(parts)})
    reply = Reply()

    async def send(message: Any) -> None:
        reply.messages.append(dict(message))

    await asyncio.wait_for(app(http_scope(method, path, headers or {}, **scope), incoming.get, send), 20)
    return reply


class Socket:
    """One WebSocket connection, as a context manager."""

    def __init__(
        self, app: Application, path: str, *, headers: Mapping[str, str] | None = None, denial: bool = True
    ):
        scope = http_scope("GET", path, headers or {})
        scope |= {"type": "websocket", "scheme": "ws", "subprotocols": []}
        scope["extensions"] = {"websocket.http.response": {}} if denial else {}
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.scope = scope
        self.app = app

    async def send(self, message: Any) -> None:
        self.outgoing.put_nowait(dict(message))

    async def __aenter__(self) -> "Socket":
        self.incoming.put_nowait({"type": "websocket.connect"})
        self.task = asyncio.ensure_future(self.app(self.scope, self.incoming.get, self.send))
        return self

    async def __aexit__(self, *error: object) -> None:
        self.disconnect()
        await asyncio.wait_for(self.task, 30)

    def text(self, text: str) -> None:
        self.incoming.put_nowait({"type": "websocket.receive", "text": text})

    def disconnect(self, code: int = 1000) -> None:
        self.incoming.put_nowait({"type": "websocket.disconnect", "code": code})

    async def next(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.outgoing.get(), 30)
