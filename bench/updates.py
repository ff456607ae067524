"""`python -m bench.updates`: connections that watch 500 sessions each, at rest and while these change."""

import argparse
import asyncio
import itertools
import json
import re
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop
from websockets.asyncio.client import ClientConnection, connect

from bench.client import Connection, ask
from bench.installation import Installation, installation, stores

WATCHED = 500
CONNECTIONS = (1, 20)
STAMP = re.compile(r'"title":"(\d{9,})"')
PACE = 20
WAIT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Updates:
    """`rest_cpu` is the server's CPU in percent of a core while nothing happens; `p50` and `p99` the
    milliseconds from a PATCH to its row at every socket, twenty changes a second; `cpu_ms` what such a change
    costs the server, the PATCH included. With changes as fast as they are accepted, `changes` and `rows` are
    those per second, and `cpu` the percent of a core.
    """

    connections: int
    snapshot_ms: float
    rest_cpu: float
    p50: float
    p99: float
    cpu_ms: float
    changes: float
    rows: float
    cpu: float


class Watcher:
    """One connection; notes when it saw which stamp."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.delays: list[float] = []
        self.newest: dict[int, int] = {}
        self.rows = 0
        self.latest = 0
        self.arrived = asyncio.Event()

    async def watch(self, ids: Sequence[str]) -> float:
        """Watch these; the milliseconds until their snapshot."""
        began = time.perf_counter()
        await self._socket.send(json.dumps({"type": "watch", "session_ids": ids}))
        while '"snapshot"' not in str(await self._socket.recv())[:40]:
            pass
        return 1000 * (time.perf_counter() - began)

    async def follow(self) -> None:
        """Read for good."""
        async for text in self._socket:
            now = time.perf_counter_ns()
            stamps = [int(stamp) for stamp in STAMP.findall(str(text))]
            self.delays += [(now - stamp) / 1e6 for stamp in stamps]
            self.rows += len(stamps)
            self.latest = max([self.latest, *stamps])
            self.arrived.set()

    async def until(self, stamp: int) -> None:
        """Wait for a change, or a later one."""
        async with asyncio.timeout(WAIT_SECONDS):
            while self.latest < stamp:
                self.arrived.clear()
                await self.arrived.wait()


async def rename(connection: Connection, session_id: str) -> int:
    """One change; the stamp that it wrote."""
    stamp = time.perf_counter_ns()
    answer = await connection.request("PATCH", f"/v1/sessions/{session_id}", {"title": str(stamp)})
    if answer.status != 200:
        raise RuntimeError(f"patch: {answer.status} {answer.body[:300]!r}")
    return stamp


async def figures(server: Installation, ids: Sequence[str], count: int, seconds: float) -> Updates:
    """So many connections that watch the same sessions."""
    url = f"ws://127.0.0.1:{server.port}/v1/sessions/updates"
    sockets = [await connect(url, compression=None, max_size=None) for _ in range(count)]
    watchers = [Watcher(socket) for socket in sockets]
    snapshots = await asyncio.gather(*(watcher.watch(ids) for watcher in watchers))
    readers = [asyncio.create_task(watcher.follow()) for watcher in watchers]
    began, cpu = time.perf_counter(), server.cpu_seconds()
    await asyncio.sleep(2 * seconds)
    rest = (server.cpu_seconds() - cpu) / (time.perf_counter() - began)

    turns = itertools.cycle(ids)
    cpu, paced, stamp = server.cpu_seconds(), int(PACE * seconds), 0
    async with Connection(server.port) as connection:
        for _ in range(paced):
            stamp = await rename(connection, next(turns))
            await asyncio.sleep(1 / PACE)
    await asyncio.gather(*(watcher.until(stamp) for watcher in watchers))
    paced_cpu = server.cpu_seconds() - cpu
    delays = sorted(delay for watcher in watchers for delay in watcher.delays)

    rows, cpu, began = sum(watcher.rows for watcher in watchers), server.cpu_seconds(), time.perf_counter()
    changes = await blast(server, turns, seconds)
    await asyncio.gather(*(watcher.until(changes[-1]) for watcher in watchers))
    took = time.perf_counter() - began
    for reader in readers:
        reader.cancel()
    for socket in sockets:
        await socket.close()
    return Updates(
        connections=count,
        snapshot_ms=max(snapshots),
        rest_cpu=100 * rest,
        p50=delays[len(delays) // 2],
        p99=delays[int(len(delays) * 0.99)],
        cpu_ms=1000 * paced_cpu / paced,
        changes=len(changes) / took,
        rows=(sum(watcher.rows for watcher in watchers) - rows) / took,
        cpu=100 * (server.cpu_seconds() - cpu) / took,
    )


async def blast(server: Installation, turns: Any, seconds: float) -> list[int]:
    """Changes from four connections for so long; their stamps in order."""
    until = time.perf_counter() + seconds
    stamps: list[int] = []

    async def work() -> None:
        async with Connection(server.port) as connection:
            while time.perf_counter() < until:
                stamps.append(await rename(connection, next(turns)))

    await asyncio.gather(*(work() for _ in range(4)))
    return sorted(stamps)


async def measured(server: Installation, options: argparse.Namespace) -> list[Updates]:
    """All numbers of connections, printed as they come."""
    agents = (await ask(server.port, "GET", "/v1/agents?limit=100"))["data"]
    agent_id = str(next(agent["id"] for agent in agents if agent["harness"] == "scripted"))
    ids = []
    async with Connection(server.port) as connection:
        for number in range(WATCHED):
            body = {"agent_id": agent_id, "title": f"Session {number}", "labels": {"n": str(number)}}
            ids.append(str((await connection.request("POST", "/v1/sessions", body)).json()["id"]))
    found = []
    for count in CONNECTIONS:
        row = await figures(server, ids, count, options.seconds)
        print(
            f"  {count:>11}{row.snapshot_ms:>13.0f}{row.rest_cpu:>9.1f}{row.p50:>9.0f}{row.p99:>9.0f}"
            f"{row.cpu_ms:>9.1f}{row.changes:>11.0f}{row.rows:>9.0f}{row.cpu:>9.0f}",
            flush=True,
        )
        found.append(row)
    return found


def main() -> None:
    """Measure every chosen store."""
    parser = argparse.ArgumentParser(prog="python -m bench.updates", description=__doc__)
    parser.add_argument("--server", choices=("daphne", "uvicorn"), default="uvicorn")
    parser.add_argument("--store", action="append", choices=("sqlite", "postgresql"), help="default: both")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each part takes")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    report: dict[str, list[dict[str, Any]]] = {}
    titles = ("snapshot ms", "rest %", "p50 ms", "p99 ms", "cpu ms", "changes/s", "rows/s", "cpu %")
    widths = (13, 9, 9, 9, 9, 11, 9, 9)
    for store in options.store or stores():
        head = "".join(f"{title:>{width}}" for title, width in zip(titles, widths, strict=True))
        print(f"\n{options.server}, {store}, {WATCHED} sessions\n  {'connections':>11}{head}")
        with installation(server=options.server, store=store) as running:
            report[store] = [asdict(row) for row in uvloop.run(measured(running, options))]
    if options.json:
        options.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
