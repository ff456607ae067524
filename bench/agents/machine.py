"""The processes under measurement: a server on a fresh SQLite store, and a host that starts its runners."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.installation import MIB, start
from tests.e2e.program import Program, processes_at_home, python, runs
from tests.e2e.stack import base_environ
from tests.services.processes import free_port, private_directory

AGENT = """\
name: {name}
description: A measured agent.
prompt: |
  You are a careful engineer. Look before you act, and answer briefly.
executor:
  harness: {harness}
os_env:
  type: caller_process
  cwd: "."
  sandbox:
    type: none
"""


@dataclass(frozen=True, kw_only=True)
class Machine:
    """A running server, and with it perhaps a host."""

    port: int
    server: Program
    home: Path

    def runner_pids(self) -> set[int]:
        """The runner processes that live."""
        return {process.pid for process in processes_at_home(self.home) if runs(process, "omnigent.runner")}


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What processes have used so far: seconds of CPU and MiB of resident memory, children in both."""

    seconds: float
    mib: float
    children_mib: float
    children: int


def cost(pid: int) -> Cost:
    """Of a process and all that it started."""
    parent = psutil.Process(pid)
    living, seconds = [], 0.0
    for process in (parent, *parent.children(recursive=True)):
        try:
            times = process.cpu_times()
            seconds += times.user + times.system
            living.append(process.memory_info().rss / MIB)
        except psutil.NoSuchProcess:
            continue
    return Cost(seconds=seconds, mib=living[0], children_mib=sum(living[1:]), children=len(living) - 1)


def write_agents(directory: Path, names: Mapping[str, str]) -> Path:
    """One file for each agent, by name with its harness; the directory."""
    directory.mkdir()
    for name, harness in names.items():
        (directory / f"{name}.yaml").write_text(AGENT.format(name=name, harness=harness))
    return directory


@contextmanager
def machine(
    *, server: str, agents: Mapping[str, str], environ: Mapping[str, str], with_host: bool = True
) -> Iterator[Machine]:
    """Start everything; `agents` are added to the shipped ones, `environ` is what host and runners get."""
    with ExitStack() as stack:
        directory = stack.enter_context(private_directory("bench"))
        os.chown(directory, os.geteuid(), os.getegid())
        port = free_port()
        settings = {"PORT": str(port), "DATA_DIR": str(directory / "data"), "OMNIGENT_ASGI_SERVER": server}
        places = ["--agent", str(write_agents(directory / "agents", agents))] if agents else []
        program = running(
            stack, directory, "server", ["-m", "omnigent.server", "--migrate", *places], settings
        )
        start(program, port)
        if with_host:
            url = f"http://127.0.0.1:{port}"
            running(stack, directory, "host", ["-m", "omnigent.host", "--server", url], environ).start()
        yield Machine(port=port, server=program, home=directory / "home")


def running(
    stack: ExitStack, directory: Path, name: str, arguments: Sequence[str], settings: Mapping[str, str]
) -> Program:
    """A program that ends with the measurement; compiled modules are part of an installed product."""
    environ = base_environ(directory, settings)
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    program = Program(name, python(*arguments), environ=environ, directory=directory)
    stack.callback(lambda: program.stop() if program.is_running else None)
    return program
