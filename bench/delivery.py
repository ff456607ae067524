"""Streams: from a runner's delta to every reader, durable on the way."""

import asyncio
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from bench.installation import Installation
from bench.journeys import Seeded, bound_session

TOKEN = re.compile(rb"(\d{9,}) ")
DELTA = b"event: response.output_text.delta"
READERS = (1, 50, 200, 500)
PACE_SECONDS = 0.05
WAIT_SECONDS = 60


class Goal:
    """Reached when every reader together has that many tokens."""

    def __init__(self) -> None:
        self._tokens = 0
        self._wanted = 0
        self._reached = asyncio.Event()

    def count(self, tokens: int) -> None:
        """Some arrived."""
        self._tokens += tokens
        if self._tokens >= self._wanted:
            self._reached.set()

    async def wait(self, tokens: int) -> None:
        """Wait for a total."""
        self._wanted = tokens
        if self._tokens < tokens:
            self._reached.clear()
            await asyncio.wait_for(self._reached.wait(), WAIT_SECONDS)


class Reader(asyncio.Protocol):
    """One subscriber: notes how long each token took."""

    def __init__(self, request: bytes, goal: Goal) -> None:
        self._request = request
        self._goal = goal
        self._tail = b""
        self.delays: list[float] = []
        self.opened = asyncio.get_running_loop().create_future()
        self.transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask for the stream."""
        self.transport = cast(
            asyncio.WriteTransport, transport
        )  # uvloop's own classes share only the methods
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        """Count the tokens of deltas; items that repeat them are not deltas."""
        now = time.perf_counter_ns()
        if not self.opened.done() and b"session.heartbeat" in data:
            self.opened.set_result(None)
        *frames, self._tail = (self._tail + data).split(b"\n\n")
        for frame in frames:
            if DELTA in frame:
                stamps = TOKEN.findall(frame)
                self.delays.extend((now - int(stamp)) / 1e6 for stamp in stamps)
                self._goal.count(len(stamps))

    def connection_lost(self, exc: Exception | None) -> None:
        """A reader that is dropped fails the measurement when tokens are missing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """Milliseconds from the runner to the readers and the server's CPU per delivery, with a delta every
    twentieth of a second; deltas that reached readers per second when they come as fast as the tunnel takes
    them, where the server merges those of one commit.
    """

    readers: int
    p50: float
    p99: float
    per_second: float
    cpu_us: float
    stream_kib: float


async def open_readers(server: Installation, session_id: str, count: int, goal: Goal) -> list[Reader]:
    """Connected subscribers."""
    loop = asyncio.get_running_loop()
    lines = (
        f"GET /v1/sessions/{session_id}/stream HTTP/1.1",
        f"Host: 127.0.0.1:{server.port}",
        "Accept: text/event-stream",
    )
    request = "\r\n".join([*lines, "", ""]).encode()
    readers = []
    for _ in range(count):
        _, reader = await loop.create_connection(lambda: Reader(request, goal), "127.0.0.1", server.port)
        readers.append(reader)
        await asyncio.wait_for(reader.opened, WAIT_SECONDS)
    return readers


async def measure_delivery(server: Installation, world: Seeded, count: int) -> Delivery:
    """Paced deltas for latency, a blast for throughput and CPU."""
    session_id = await bound_session(server.port, world.agent_id, world.runner)
    memory, goal = server.memory_mib(), Goal()
    readers = await open_readers(server, session_id, count, goal)
    grown = server.memory_mib() - memory
    paced, blast = 60, max(100, 20000 // count)
    cpu = server.cpu_seconds()
    await world.runner.send_deltas(session_id, paced, every=PACE_SECONDS)
    await goal.wait(paced * count)
    used = server.cpu_seconds() - cpu
    delays = sorted(delay for reader in readers for delay in reader.delays)
    began = time.perf_counter()
    await world.runner.send_deltas(session_id, blast)
    await goal.wait((paced + blast) * count)
    took = time.perf_counter() - began
    close(readers)
    return Delivery(
        readers=count,
        p50=delays[len(delays) // 2],
        p99=delays[int(len(delays) * 0.99)],
        per_second=blast * count / took,
        cpu_us=1e6 * used / (paced * count),
        stream_kib=1024 * grown / count,
    )


async def measure_relay(
    server: Installation, world: Seeded, deltas: int = 5000, *, readers: int = 1
) -> float:
    """Deltas per second through one tunnel, committed and shown to every reader."""
    session_id = await bound_session(server.port, world.agent_id, world.runner)
    goal = Goal()
    opened = await open_readers(server, session_id, readers, goal)
    began = time.perf_counter()
    await world.runner.send_deltas(session_id, deltas)
    await goal.wait(deltas * readers)
    took = time.perf_counter() - began
    close(opened)
    return deltas / took


def close(readers: Sequence[Reader]) -> None:
    """Hang up."""
    for reader in readers:
        if reader.transport is not None:
            reader.transport.close()
