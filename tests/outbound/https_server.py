"""A small HTTPS server on loopback whose answers are raw bytes, so that it can answer wrongly."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

Reply = Callable[[asyncio.StreamWriter], Awaitable[None]]


@dataclass(frozen=True, kw_only=True)
class Received:
    """One request as it came over the wire; header names in lower case."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass(kw_only=True)
class HttpsServer:
    """What it was asked and what it answers next, which may be changed; `greeting` is sent unasked."""

    port: int = 0
    reply: Reply
    greeting: bytes = b""
    requests: list[Received] = field(default_factory=list)
    server_names: list[str | None] = field(default_factory=list)
    connections: int = 0
    line_ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(self.greeting)
        with suppress(asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            while True:
                self.requests.append(await _read_request(reader))
                await self.reply(writer)
        writer.close()
        self.line_ended.set()


def answer(status: str = "200 OK", body: bytes = b"", *headers: str) -> Reply:
    """A whole, well-formed answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return raw("\r\n".join(lines).encode() + body)


def raw(data: bytes) -> Reply:
    """These bytes, and the connection stays open."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return write


def drip(head: bytes, part: bytes) -> Reply:
    """The head, and then for ever another part, faster than any read time-out would notice."""

    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)

    return write


async def silence(writer: asyncio.StreamWriter) -> None:
    """No answer, ever."""
    await asyncio.Event().wait()


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close instead of answering."""
    writer.close()


@asynccontextmanager
async def https_server(
    context: ssl.SSLContext | None, reply: Reply, *, address: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[HttpsServer]:
    """A running server; without a context it speaks plain HTTP."""
    state = HttpsServer(reply=reply)
    handlers: set[asyncio.Task[None]] = set()
    writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        writers.append(writer)
        with suppress(asyncio.CancelledError):
            await state.serve(reader, writer)

    if context is not None:
        context.sni_callback = lambda _socket, name, _context: state.server_names.append(name)
    server = await asyncio.start_server(serve, address, port, ssl=context)
    state.port = server.sockets[0].getsockname()[1]
    try:
        yield state
    finally:
        server.close()
        for task in handlers:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)
        for writer in writers:
            writer.transport.abort()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()


async def _read_request(reader: asyncio.StreamReader) -> Received:
    line, *rows = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (row.partition(":") for row in rows if row)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Received(line=line, headers=headers, body=body)
