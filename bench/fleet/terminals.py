"""A terminal whose program never stops printing, one person who looks at it, and the tunnel beside it."""

import asyncio
import time
from dataclasses import dataclass

from websockets.asyncio.client import ClientConnection, connect

from bench.client import Connection, ask
from bench.fleet.grounds import Grounds
from bench.fleet.watch import Watch
from bench.installation import MIB
from bench.journeys import Journey, one

FLOOD = b"yes omnigent-terminal-output-of-a-usual-width-0123456789-abcdefghijklmnopqrstuvwxyz\r"
STOP = b"\x03"
MIN_CALLS = 20
WAIT_SECONDS = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Terminal:
    """MB that reach the viewer a second, after tmux has left out what no screen would have shown; other
    requests through the same tunnel before (`quiet`) and meanwhile, in milliseconds; per cent of CPU; MiB.
    """

    mb_per_s: float
    quiet_p50_ms: float
    p50_ms: float
    p99_ms: float
    server_cpu_pct: float
    runner_cpu_pct: float
    server_grown_mib: float
    runner_grown_mib: float


class Viewer:
    """Reads a terminal and counts what came."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.count = 0

    async def read(self) -> None:
        """Until the terminal closes."""
        async for data in self._socket:
            self.count += len(data)

    async def until(self, count: int) -> None:
        """Wait for a number of bytes."""
        async with asyncio.timeout(WAIT_SECONDS):
            while self.count < count:  # noqa: ASYNC110  a count that grows with every piece needs no event
                await asyncio.sleep(0.01)


async def measure_terminal(grounds: Grounds, *, seconds: float) -> list[Terminal]:
    """One flood of so many seconds."""
    session_id, runner = await grounds.session_on_runner(grounds.workspace("terminal"))
    port, pid = grounds.ports[0], grounds.servers[0].pid
    base = f"/v1/sessions/{session_id}/resources"
    made = await ask(port, "POST", f"{base}/terminals", {"terminal": "shell"})
    journey = Journey(name="environments", method="GET", path=f"{base}/environments")
    quiet = await calls(port, journey, seconds=seconds / 4)
    address = f"ws://127.0.0.1:{port}{base}/terminals/{made['id']}/attach"
    async with connect(address, compression=None, max_size=None) as socket:
        viewer = Viewer(socket)
        reading = asyncio.create_task(viewer.read())
        await viewer.until(1)
        await socket.send(FLOOD)
        await viewer.until(MIB // 4)
        async with Watch((pid, runner)) as watch:
            before = viewer.count
            meanwhile = await calls(port, journey, seconds=seconds)
            came = viewer.count - before
        await socket.send(STOP)
    await asyncio.gather(reading, return_exceptions=True)
    await grounds.delete(session_id)
    return [
        Terminal(
            mb_per_s=came / 1e6 / watch.seconds,
            quiet_p50_ms=quiet[len(quiet) // 2],
            p50_ms=meanwhile[len(meanwhile) // 2],
            p99_ms=meanwhile[int(len(meanwhile) * 0.99)],
            server_cpu_pct=watch.cpu(pid),
            runner_cpu_pct=watch.cpu(runner),
            server_grown_mib=watch.grown(pid),
            runner_grown_mib=watch.grown(runner),
        )
    ]


async def calls(port: int, journey: Journey, *, seconds: float) -> list[float]:
    """Milliseconds of requests one after the other, sorted."""
    times: list[float] = []
    deadline = time.perf_counter() + seconds
    async with Connection(port) as connection:
        while time.perf_counter() < deadline or len(times) < MIN_CALLS:
            times.append(1000 * await one(connection, journey))
    return sorted(times)
