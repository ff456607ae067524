"""The processes under measurement: replicas on one store, and perhaps a host that starts runners."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.agents.machine import running
from bench.agents.talk import has_host
from bench.client import ask
from bench.installation import Installation, start, stores
from bench.journeys import message, until_idle
from tests.e2e.program import Program, processes_at_home, runs
from tests.services.postgres import private_postgres
from tests.services.processes import free_port, private_directory

WAIT_SECONDS = 60
AGENT_NAME = "bench-fleet"
AGENT = f"""\
name: {AGENT_NAME}
description: An agent with a workspace and a terminal.
prompt: Be brief.
executor:
  harness: scripted
os_env:
  type: caller_process
  cwd: "."
  sandbox:
    type: none
terminals:
  shell:
    command: bash --norc
"""


@dataclass(frozen=True, kw_only=True)
class Replica(Installation):
    """A replica; `behind` are the processes of the others that its requests go through."""

    behind: tuple[int, ...] = ()

    def cpu_seconds(self) -> float:
        """What it and those behind it have used so far."""
        times = [psutil.Process(pid).cpu_times() for pid in (self.pid, *self.behind)]
        return float(sum(each.user + each.system for each in times))


@dataclass(frozen=True, kw_only=True)
class Grounds:
    """Running replicas, in the order of their ports."""

    directory: Path
    servers: tuple[Program, ...]
    ports: tuple[int, ...]

    @property
    def home(self) -> Path:
        """The home of every process of ours."""
        return self.directory / "home"

    @property
    def pids(self) -> tuple[int, ...]:
        """The replicas' processes."""
        return tuple(server.pid for server in self.servers)

    def replica(self, index: int) -> Replica:
        """One of them; all but the first, which has the tunnels, ask the first."""
        server = self.servers[index]
        behind = (self.servers[0].pid,) if index else ()
        return Replica(
            port=self.ports[index], pid=server.pid, cold_start=0.0, log=server.log_path, behind=behind
        )

    def roads(self) -> Iterator[tuple[str, Replica]]:
        """From where a tunnel can be asked: the replica that has it, and another one."""
        for index, name in zip(range(len(self.ports)), ("same replica", "other replica"), strict=False):
            yield name, self.replica(index)

    def runner_pids(self) -> set[int]:
        """The runner processes that our host has started."""
        return {process.pid for process in processes_at_home(self.home) if runs(process, "omnigent.runner")}

    async def agent_id(self) -> str:
        """The agent with a workspace and a terminal."""
        agents = (await ask(self.ports[0], "GET", "/v1/agents?limit=1000"))["data"]
        return str(next(agent["id"] for agent in agents if agent["name"] == AGENT_NAME))

    def workspace(self, name: str) -> Path:
        """A new directory."""
        path = self.directory / "work" / name
        path.mkdir(parents=True)
        return path

    async def until_host(self) -> None:
        """Wait for our host."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not await has_host(self.ports[0]):  # noqa: ASYNC110  only a request tells
                await asyncio.sleep(0.05)

    async def session_on_runner(self, workspace: Path) -> tuple[str, int]:
        """A session whose runner has just done a turn there: its id, and the runner's process."""
        await self.until_host()
        port, before = self.ports[0], self.runner_pids()
        body = {"agent_id": await self.agent_id(), "host_id": "auto", "workspace": str(workspace)}
        session = await ask(port, "POST", "/v1/sessions", body, expect=201)
        session_id = str(session["id"])
        await ask(port, "POST", f"/v1/sessions/{session_id}/events", message("Count to 1"), expect=202)
        await until_idle(port, session_id)
        [pid] = self.runner_pids() - before
        return session_id, pid

    async def delete(self, session_id: str) -> None:
        """End a session, and with it its runner."""
        await ask(self.ports[0], "DELETE", f"/v1/sessions/{session_id}")


@contextmanager
def grounds(*, server: str, replicas: int, with_host: bool) -> Iterator[Grounds]:
    """Start the replicas on PostgreSQL; one alone on SQLite where there is none. The host dials the first."""
    has_postgres = "postgresql" in stores()
    with ExitStack() as stack:
        directory = stack.enter_context(private_directory("fleet"))
        os.chown(directory, os.geteuid(), os.getegid())
        agents = directory / "agents"
        agents.mkdir()
        (agents / f"{AGENT_NAME}.yaml").write_text(AGENT)
        settings = {"DATA_DIR": str(directory / "data"), "OMNIGENT_ASGI_SERVER": server}
        if has_postgres:
            settings["DATABASE_URL"] = stack.enter_context(private_postgres(durable=True)).create_database(
                "fleet"
            )
        else:
            print("  no PostgreSQL here: one replica, on SQLite", flush=True)
        ports = tuple(free_port() for _ in range(replicas if has_postgres else 1))
        stack.callback(end_all, directory / "home")
        servers = []
        for index, port in enumerate(ports):
            arguments = [
                "-m",
                "omnigent.server",
                *(["--migrate", "--agent", str(agents)] if not index else []),
            ]
            environ = {**settings, "PORT": str(port)}
            program = running(stack, directory, f"server-{index}", arguments, environ)
            start(program, port)
            servers.append(program)
        if with_host:
            url = f"http://127.0.0.1:{ports[0]}"
            running(stack, directory, "host", ["-m", "omnigent.host", "--server", url], {}).start()
        yield Grounds(directory=directory, servers=tuple(servers), ports=ports)


def end_all(home: Path) -> None:
    """Kill what is left of the processes with this home."""
    for process in processes_at_home(home):
        process.kill()
