"""Two server processes behind a balancer, on private PostgreSQL and Redis servers, with one host.

Everything lives in a temporary directory and ends with this process. PORT is the balancer's.
"""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from scripts.programs import guarded, missing
from tests.net.proxy import Proxy
from tests.services.postgres import private_postgres
from tests.services.processes import free_port, private_directory
from tests.services.redis import private_redis

ROOT = Path(__file__).resolve().parent.parent
REPLICAS = 2
PROGRAMS = ("initdb", "postgres", "redis-server")
READY_SECONDS = 60
END_SECONDS = 15


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One process of the cluster."""

    name: str
    process: asyncio.subprocess.Process


class Cluster:
    """Starts the members in order and ends them in reverse."""

    def __init__(self, *, port: int, environ: Mapping[str, str]) -> None:
        self.ports = [free_port() for _ in range(REPLICAS)]
        self.balancer = Proxy([("127.0.0.1", each) for each in self.ports], port=port)
        self._environ = environ
        self._members: list[Member] = []

    async def start(self) -> None:
        """Servers one after the other, since the first one migrates; then the balancer; then the host."""
        for index, port in enumerate(self.ports):
            settings = {"HOST": "127.0.0.1", "PORT": str(port), "OMNIGENT_ASGI_SERVER": "uvicorn"}
            arguments = ["-m", "omnigent.server", *(["--migrate"] if index == 0 else [])]
            await self._spawn(f"server {index}", arguments, settings)
            await self._ready(f"http://127.0.0.1:{port}/health")
        await self.balancer.start()
        await self._spawn("host", ["-m", "omnigent.host", "--server", self.url], {})

    @property
    def url(self) -> str:
        """The address of the balancer."""
        return f"http://127.0.0.1:{self.balancer.port}"

    async def first_end(self) -> str:
        """The name of the first member that ends by itself."""
        waits = {asyncio.create_task(member.process.wait()): member.name for member in self._members}
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            return waits[next(iter(done))]
        finally:
            for task in waits:
                task.cancel()

    async def stop(self) -> None:
        """End everything: politely, then for certain."""
        for member in reversed(self._members):
            if member.process.returncode is None:
                member.process.send_signal(signal.SIGTERM)
        for member in self._members:
            try:
                await asyncio.wait_for(member.process.wait(), END_SECONDS)
            except TimeoutError:
                print(f"{member.name} did not end in time and is killed", flush=True)
                member.process.kill()
        await self.balancer.stop()

    async def _spawn(self, name: str, arguments: list[str], settings: Mapping[str, str]) -> None:
        # A session of its own: Ctrl-C reaches this process alone, which then ends the others in order.
        process = await asyncio.create_subprocess_exec(
            *guarded([sys.executable, *arguments]),
            cwd=ROOT,
            env={**self._environ, **settings},
            stdin=asyncio.subprocess.DEVNULL,
            start_new_session=True,
        )
        self._members.append(Member(name=name, process=process))

    async def _ready(self, url: str) -> None:
        deadline = time.monotonic() + READY_SECONDS
        member = self._members[-1]
        async with httpx.AsyncClient() as client:
            while True:
                if member.process.returncode is not None:
                    raise SystemExit(f"{member.name} ended with code {member.process.returncode}")
                try:
                    if (await client.get(url)).status_code == httpx.codes.OK:
                        return
                except httpx.TransportError:
                    await asyncio.sleep(0.1)
                if time.monotonic() > deadline:
                    raise SystemExit(f"{member.name} did not answer within {READY_SECONDS} s")


async def run(cluster: Cluster) -> int:
    """Serve until a signal comes or a member ends."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    stop = asyncio.create_task(stopping.wait())
    starting = asyncio.create_task(cluster.start())
    try:
        await asyncio.wait({stop, starting}, return_when=asyncio.FIRST_COMPLETED)
        if stop.done():
            return 0
        starting.result()
        replicas = ", ".join(f"http://127.0.0.1:{port}" for port in cluster.ports)
        print(f"\ncluster at {cluster.url}  (replicas: {replicas})\n", flush=True)
        ended = asyncio.create_task(cluster.first_end())
        await asyncio.wait({stop, ended}, return_when=asyncio.FIRST_COMPLETED)
        if ended.done() and not stop.done():
            print(f"{ended.result()} ended; the cluster stops", flush=True)
            return 1
        ended.cancel()
        return 0
    finally:
        starting.cancel()
        await cluster.stop()


def main() -> None:
    """Run the stores around the cluster."""
    lacking = missing(PROGRAMS)
    if lacking:
        sys.exit(f"needs {' '.join(lacking)}; install with: make deps-system")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with ExitStack() as stack, suppress(KeyboardInterrupt):
        postgres = stack.enter_context(private_postgres(durable=True))
        redis = stack.enter_context(private_redis())
        directory = stack.enter_context(private_directory("cluster"))
        os.chown(directory, os.geteuid(), os.getegid())
        environ = {
            **os.environ,
            "DATABASE_URL": postgres.create_database("omnigent"),
            "REDIS_URL": redis.url(),
            "DATA_DIR": str(directory / "data"),
            "OMNIGENT_HOST_DATA_DIR": str(directory / "host"),
            "OMNIGENT_WORKSPACE_ROOT": str(directory / "workspaces"),
        }
        cluster = Cluster(port=int(os.environ.get("PORT") or "6767"), environ=environ)
        sys.exit(asyncio.run(run(cluster)))


if __name__ == "__main__":
    main()
