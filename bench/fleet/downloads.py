"""A large file of a workspace, through a real runner's tunnel to somebody who reads as fast as it comes."""

import asyncio
import secrets
from dataclasses import dataclass
from pathlib import Path

from bench.fleet.grounds import Grounds
from bench.fleet.watch import Watch
from bench.installation import MIB

CHUNK = 256 * 1024
NAME = "large.bin"


@dataclass(frozen=True, kw_only=True, slots=True)
class Download:
    """Throughput, and by how many MiB processes were larger meanwhile: of several replicas the larger one."""

    road: str
    mib: int
    mib_per_s: float
    server_grown_mib: float
    runner_grown_mib: float
    server_cpu_pct: float
    runner_cpu_pct: float


async def measure_downloads(grounds: Grounds, *, mib: int) -> list[Download]:
    """The same file from each replica."""
    workspace = grounds.workspace("download")
    session_id, runner = await grounds.session_on_runner(workspace)
    write(workspace / NAME, mib)
    path = f"/v1/sessions/{session_id}/resources/environments/default/filesystem/{NAME}?download=true"
    rows = []
    for road, replica in grounds.roads():
        async with Watch((*grounds.pids, runner)) as watch:
            size = await fetch(replica.port, path)
        if size != mib * MIB:
            raise RuntimeError(f"{size} bytes came of {mib * MIB}")
        rows.append(
            Download(
                road=road,
                mib=mib,
                mib_per_s=mib / watch.seconds,
                server_grown_mib=watch.grown(*grounds.pids),
                runner_grown_mib=watch.grown(runner),
                server_cpu_pct=watch.cpu(*grounds.pids),
                runner_cpu_pct=watch.cpu(runner),
            )
        )
    await grounds.delete(session_id)
    return rows


def write(path: Path, mib: int) -> None:
    """A file of so many MiB, each of them the same noise."""
    block = secrets.token_bytes(MIB)
    with path.open("wb") as file:
        for _ in range(mib):
            file.write(block)


async def fetch(port: int, path: str) -> int:
    """How many bytes a GET's body had; nothing of it is kept."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2 * CHUNK)
    try:
        lines = (f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        if head.split(b" ", 2)[1] != b"200" or b"content-length:" not in head.lower():
            raise RuntimeError(f"GET {path}: {head!r}")
        size = 0
        while data := await reader.read(CHUNK):
            size += len(data)
        return size
    finally:
        writer.close()
