"""Requests and handshakes straight at the ASGI application, for answers that do not end by themselves."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from omnigent.api.asgi import DENIAL_EXTENSION, Application, Message

HOST = (b"host", b"127.0.0.1:6767")
SECONDS = 30
CLOSED = 403


@dataclass(slots=True)
class Reply:
    """What came back: a status (101 for an accepted socket), headers and body."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    content: bytes = b""


async def request(
    app: Application, method: str, path: str, *, headers: Mapping[str, str], body: bytes = b""
) -> Reply:
    """Send a request; a stream is left as soon as it has begun."""
    reply, left = Reply(), asyncio.Event()
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await left.wait()
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            reply.status, reply.headers = message["status"], list(message["headers"])
            if any(value.startswith(b"text/event-stream") for _, value in reply.headers):
                left.set()
        else:
            reply.content += message.get("body", b"")

    async with asyncio.timeout(SECONDS):
        await app(scope_of("http", method, path, headers), receive, send)
    return reply


async def handshake(app: Application, path: str, *, headers: Mapping[str, str]) -> Reply:
    """Open a WebSocket and leave. One that is closed as soon as it is open counts as refused."""
    reply, is_decided = Reply(), asyncio.Event()
    messages: list[Message] = [{"type": "websocket.connect"}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        await is_decided.wait()
        return {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Message) -> None:
        kind = message["type"]
        if kind == "websocket.accept":
            reply.status = 101
        elif kind == f"{DENIAL_EXTENSION}.start":
            reply.status, reply.headers = message["status"], list(message["headers"])
        elif kind == f"{DENIAL_EXTENSION}.body":
            reply.content += message.get("body", b"")
        elif kind == "websocket.close" and not is_decided.is_set() and message.get("code", 0) >= 4000:
            reply.status, reply.content = CLOSED, message.get("reason", "").encode()
        if reply.status:
            asyncio.get_running_loop().call_later(0, is_decided.set)

    async with asyncio.timeout(SECONDS):
        await app(scope_of("websocket", "GET", path, headers), receive, send)
    return reply


def scope_of(kind: str, method: str, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """An ASGI scope as a server on this machine makes it."""
    address, _, query = path.partition("?")
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": kind,
        "method": method,
        "path": address,
        "raw_path": quote(address).encode(),
        "query_string": query.encode(),
        "headers": [HOST, *raw],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 6767),
        "scheme": "http" if kind == "http" else "ws",
        "root_path": "",
        "http_version": "1.1",
        "extensions": {DENIAL_EXTENSION: {}} if kind == "websocket" else {},
    }
