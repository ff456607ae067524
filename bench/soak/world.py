"""The installation under trouble: two replicas on PostgreSQL and Redis, and runners started by hand."""

import asyncio
import os
import random
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench.soak.asgi import PATH
from tests.e2e.program import Program, processes_at_home, python
from tests.e2e.stack import Flavour, base_environ, is_healthy, server_environ
from tests.services.postgres import private_postgres
from tests.services.processes import free_port, private_directory
from tests.services.redis import private_redis

REPLICAS = 2
READY_SECONDS = 120
MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What the watched replica held at a moment."""

    at: float
    mib: float
    files: int
    tasks: Mapping[str, int]


class World:
    """Its processes. Replica 0 is watched and never killed."""

    def __init__(self, directory: Path, servers: list[Program], ports: list[int]) -> None:
        self.directory = directory
        self.servers = servers
        self.ports = ports
        self.runners: list[Program] = []
        self.workspaces: list[Path] = []

    @property
    def urls(self) -> list[str]:
        """The replicas' addresses."""
        return [f"http://127.0.0.1:{port}" for port in self.ports]

    async def until_healthy(self, index: int) -> None:
        """Wait until a replica answers."""
        async with asyncio.timeout(READY_SECONDS):
            while not await asyncio.to_thread(is_healthy, self.urls[index]):
                if not self.servers[index].is_running:
                    raise RuntimeError(self.servers[index].log())
                await asyncio.sleep(0.1)

    def add_runner(self, number: int) -> str:
        """Start a runner of its own, connected to one replica or the other; its id."""
        workspace = self.directory / f"work-{number}"
        workspace.mkdir()
        runner_id = f"soak-{number}"
        url = self.urls[number % REPLICAS]
        arguments = ("--server", url, "--runner-id", runner_id, "--workspace", str(workspace))
        program = Program(
            runner_id,
            python("-m", "omnigent.runner", *arguments),
            environ=base_environ(self.directory, {}),
            directory=self.directory,
        )
        program.start()
        self.runners.append(program)
        self.workspaces.append(workspace)
        return runner_id

    async def sample(self, client: httpx.AsyncClient) -> Sample:
        """Memory, open files and tasks of the watched replica."""
        process = psutil.Process(self.servers[0].pid)
        tasks = (await client.get(f"{self.urls[0]}{PATH}")).json()
        return Sample(
            at=asyncio.get_running_loop().time(),
            mib=process.memory_info().rss / MIB,
            files=process.num_fds(),
            tasks=tasks,
        )

    def keep_logs(self, directory: Path) -> None:
        """Copy what every process printed."""
        directory.mkdir(parents=True, exist_ok=True)
        for log in self.directory.glob("*.log"):
            shutil.copy(log, directory)

    def stop_runners(self) -> None:
        """Politely."""
        for runner in self.runners:
            runner.stop(30)

    def close(self) -> None:
        """End everything that was started."""
        for program in (*self.runners, *self.servers):
            if program.is_running:
                program.kill()
        for process in processes_at_home(self.directory / "home"):
            process.kill()


@contextmanager
def world() -> Iterator[World]:
    """Start the services and both replicas."""
    with ExitStack() as stack:
        directory = stack.enter_context(private_directory("soak"))
        os.chown(directory, os.geteuid(), os.getegid())
        postgres = stack.enter_context(private_postgres())
        redis = stack.enter_context(private_redis())
        flavour = Flavour(
            name="soak",
            server="uvicorn",
            replicas=REPLICAS,
            postgres=postgres,
            redis=redis,
            environ={"DJANGO_SETTINGS_MODULE": "bench.soak.settings"},
        )
        database = postgres.create_database("soak")
        ports = [free_port() for _ in range(REPLICAS)]
        servers = [
            Program(
                f"server-{index}",
                python("-m", "omnigent.server", *(["--migrate"] if index == 0 else [])),
                environ=server_environ(flavour, directory, port, database),
                directory=directory,
            )
            for index, port in enumerate(ports)
        ]
        running = World(directory, servers, ports)
        stack.callback(running.close)
        yield running


def picks(seed: int, name: str) -> random.Random:
    """Chance of its own for each part, so that one part's pace does not change another's luck."""
    return random.Random(f"{seed} {name}")
