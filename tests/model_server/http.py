"""As much of an HTTP/1.1 server as a streamed answer needs, with full control over how it breaks."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any


@dataclass(kw_only=True, slots=True)
class Recorded:
    """A request as it arrived. `left` is set when the client goes away before the answer has ended."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    left: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True, kw_only=True, slots=True)
class RawRequest:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


async def read_request(reader: asyncio.StreamReader) -> RawRequest | None:
    """The next request on a connection, or None at its end."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.rstrip().split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return RawRequest(method=method, path=target.partition("?")[0], headers=headers, body=body)


class Exchange:
    """One answer on a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self.broken = False

    async def answer(self, status: int, headers: Mapping[str, str], body: bytes) -> None:
        self._head(status, {**headers, "content-length": str(len(body))})
        self._writer.write(body)
        await self._writer.drain()

    def begin_stream(self, headers: Mapping[str, str]) -> None:
        self._head(200, {**headers, "transfer-encoding": "chunked"})

    async def send(self, data: bytes) -> None:
        if data:
            self._writer.write(b"%x\r\n%s\r\n" % (len(data), data))
            await self._writer.drain()

    async def end_stream(self) -> None:
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()

    async def cut(self) -> None:
        """Reset the connection after the beginning of a chunk."""
        self.broken = True
        self._writer.write(b"400\r\ndata: {")
        await self._writer.drain()
        self._writer.transport.abort()

    @asynccontextmanager
    async def watched(self, left: asyncio.Event) -> AsyncIterator[None]:
        """Set `left` when the client closes the connection inside the block."""
        watcher = asyncio.create_task(self._watch(left))
        try:
            yield
        finally:
            watcher.cancel()
            with suppress(asyncio.CancelledError):
                await watcher

    async def _watch(self, left: asyncio.Event) -> None:
        # No client of these protocols sends a second request before the answer has ended.
        with suppress(ConnectionError):
            await self._reader.read(1)
        self.broken = True
        left.set()

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [
            f"HTTP/1.1 {status} {_phrase(status)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self._writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unassigned"
