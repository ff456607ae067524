"""A small TCP balancer with fault switches: round-robin over backends, failover, and ways to break a line."""

import asyncio
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

Address = tuple[str, int]
CHUNK = 65536
# Small enough that a reader who stops is felt by the sender soon.
RECEIVE_BUFFER = 16384


@dataclass(slots=True, kw_only=True)
class Faults:
    """What the proxy does to bytes in flight; the tests turn these."""

    swallow: bool = False
    delay_seconds: float = 0.0
    bytes_per_second: int | None = None
    cut_next: bool = False


def reset(writer: asyncio.StreamWriter) -> None:
    """Close so that the other side sees a reset and not an orderly end."""
    connection = writer.get_extra_info("socket")
    if connection is not None and not writer.transport.is_closing():
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class Line:
    """One accepted connection and the backend connection that serves it."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter, backend: int) -> None:
        self.client = client
        self.server = server
        self.backend = backend
        self.damaged = False

    def abort(self) -> None:
        """Reset both ends; nothing buffered is sent."""
        for writer in (self.client, self.server):
            reset(writer)


class Proxy:
    """Forwards TCP connections to the first backend that accepts, starting after the last one used.

    `route_to(n)` sends new connections to one backend only; `route_to(None)` balances again.
    """

    def __init__(self, backends: Sequence[Address], *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.backends = list(backends)
        self.host = host
        self.port = port
        self.faults = Faults()
        self._healed = asyncio.Event()
        self._only: int | None = None
        self._next = 0
        self._lines: set[Line] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen; `port` says where."""
        self._server = await asyncio.start_server(self._accept, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening and reset what is open."""
        if self._server is not None:
            self._server.close()
        self.kill_connections()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @property
    def open_connections(self) -> int:
        """How many connections are being forwarded."""
        return len(self._lines)

    def route_to(self, backend: int | None) -> None:
        """Choose where new connections go."""
        self._only = backend

    def kill_connections(self, backend: int | None = None) -> None:
        """Reset every connection, or those of one backend."""
        for line in list(self._lines):
            if backend is None or line.backend == backend:
                line.abort()

    def heal(self) -> None:
        """Turn every fault off; connections that lost bytes are reset, since nobody could use them."""
        self.faults = Faults()
        self._healed.set()
        self._healed = asyncio.Event()
        for line in list(self._lines):
            if line.damaged:
                line.abort()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        with suppress(asyncio.CancelledError, OSError):
            await self._forward(reader, writer)
        writer.transport.abort()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await self._connect()
        if upstream is None:
            return
        backend, up_reader, up_writer = upstream
        line = Line(writer, up_writer, backend)
        self._lines.add(line)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, up_writer, line))
                group.create_task(self._pump(up_reader, writer, line))
        except* OSError:
            line.abort()
        finally:
            self._lines.discard(line)
            up_writer.close()
            writer.close()

    async def _connect(self) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter] | None:
        count = len(self.backends)
        order = [self._only] if self._only is not None else [(self._next + i) % count for i in range(count)]
        for backend in order:
            connection = socket.socket()
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
            connection.setblocking(False)
            try:
                await asyncio.get_running_loop().sock_connect(connection, self.backends[backend])
            except OSError:
                connection.close()
                continue
            self._next = (backend + 1) % count
            reader, writer = await asyncio.open_connection(sock=connection, limit=RECEIVE_BUFFER)
            return backend, reader, writer
        return None

    async def _pump(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, line: Line) -> None:
        while True:
            chunk = await source.read(CHUNK)
            if self.faults.swallow:
                line.damaged = True
                if not chunk:
                    # The end of a connection must not reach the other side of a dead line either.
                    await self._healed.wait()
                    return
                continue
            if not chunk:
                break
            if self.faults.delay_seconds:
                await asyncio.sleep(self.faults.delay_seconds)
            if self.faults.cut_next and len(chunk) > 1:
                self.faults.cut_next = False
                target.write(chunk[: len(chunk) // 2])
                await target.drain()
                line.abort()
                return
            await self._write(target, chunk)
        if target.can_write_eof():
            target.write_eof()

    async def _write(self, target: asyncio.StreamWriter, chunk: bytes) -> None:
        while chunk:
            speed = self.faults.bytes_per_second
            size = len(chunk) if speed is None else max(1, speed // 20)
            piece, chunk = chunk[:size], chunk[size:]
            if speed is not None:
                await asyncio.sleep(len(piece) / speed)
            target.write(piece)
            await target.drain()
