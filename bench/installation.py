"""The server under measurement: a real process on a fresh store, and what it costs."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.e2e.program import Program, python, wait_for
from tests.e2e.stack import base_environ, is_healthy
from tests.services.postgres import private_postgres
from tests.services.processes import free_port, private_directory

READY_SECONDS = 60
MIB = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A running server; `cold_start` is the seconds from its start to its first answer, migrated already."""

    port: int
    pid: int
    cold_start: float
    log: Path

    def cpu_seconds(self) -> float:
        """What the process has used so far."""
        times = psutil.Process(self.pid).cpu_times()
        return float(times.user + times.system)

    def memory_mib(self) -> float:
        """Its resident memory."""
        return float(psutil.Process(self.pid).memory_info().rss / MIB)


@contextmanager
def installation(*, server: str, store: str) -> Iterator[Installation]:
    """Start a server twice: once to migrate, once to be measured."""
    with ExitStack() as stack:
        directory = stack.enter_context(private_directory("bench"))
        os.chown(directory, os.geteuid(), os.getegid())
        port = free_port()
        settings = {"PORT": str(port), "DATA_DIR": str(directory / "data"), "OMNIGENT_ASGI_SERVER": server}
        if store == "postgresql":
            postgres = stack.enter_context(private_postgres(durable=True))
            settings["DATABASE_URL"] = postgres.create_database("bench")
        # Compiled modules are part of an installed product, so the cold start may find them.
        environ = base_environ(directory, settings)
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        program = Program(
            "server", python("-m", "omnigent.server", "--migrate"), environ=environ, directory=directory
        )
        stack.callback(lambda: program.stop() if program.is_running else None)
        start(program, port)
        program.stop()
        seconds = start(program, port)
        yield Installation(port=port, pid=program.pid, cold_start=seconds, log=program.log_path)


def start(program: Program, port: int) -> float:
    """Seconds until the first answer."""
    began = time.monotonic()
    program.start()

    def answers() -> bool:
        if not program.is_running:
            raise RuntimeError(program.log())
        return is_healthy(f"http://127.0.0.1:{port}")

    wait_for(answers, seconds=READY_SECONDS, what="the server answers")
    return time.monotonic() - began


def stores() -> list[str]:
    """What can be measured on this machine."""
    has_postgres = shutil.which("initdb") or any(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return ["sqlite", "postgresql"] if has_postgres else ["sqlite"]
