"""A private PostgreSQL server: its own cluster in a temporary directory, its own port and password."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.programs import find
from tests.services.processes import (
    ServiceError,
    end,
    free_port,
    identity,
    password,
    private_directory,
    start,
    wait_until,
)

USER = "omnigent"
READY_LINE = 7
# Nobody outlives the machine here: what tests kill are our processes, never this server.
FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")


@dataclass(frozen=True, kw_only=True, slots=True)
class PostgresServer:
    """A running server."""

    port: int
    password: str
    directory: Path

    def url(self, database: str) -> str:
        """What DATABASE_URL takes."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def create_database(self, database: str) -> str:
        """Create an empty database and return its URL."""
        psql = [program("psql"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-U", USER, "postgres"]
        subprocess.run(
            [*psql, "-c", f'CREATE DATABASE "{database}"'],
            env={**os.environ, "PGPASSWORD": self.password},
            check=True,
            timeout=60,
        )
        return self.url(database)


def program(name: str) -> str:
    """The path of one of PostgreSQL's programs."""
    path = find(name)
    if path is None:
        raise ServiceError(f"{name} is not installed; install it with: make deps-system")
    return path


def initialise(cluster: Path, secret: str) -> None:
    """Create the cluster's files."""
    secret_file = cluster.parent / "password"
    secret_file.write_text(secret)
    if owner := identity():
        os.chown(secret_file, owner["user"], owner["group"])
    subprocess.run(
        [
            program("initdb"),
            f"--pgdata={cluster}",
            f"--username={USER}",
            f"--pwfile={secret_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ],
        cwd=cluster.parent,
        check=True,
        capture_output=True,
        timeout=120,
        **identity(),
    )
    secret_file.unlink()


def is_ready(cluster: Path) -> bool:
    """Whether the server says so in its pid file."""
    try:
        lines = (cluster / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > READY_LINE and lines[READY_LINE].strip() == "ready"


@contextmanager
def private_postgres(*, durable: bool = False) -> Iterator[PostgresServer]:
    """Run a server; `durable` keeps the settings that survive a power cut."""
    with private_directory("postgres") as directory:
        cluster, log_path = directory / "cluster", directory / "log"
        secret, port = password(), free_port()
        initialise(cluster, secret)
        options = [
            "listen_addresses=127.0.0.1",
            f"unix_socket_directories={directory}",
            "max_connections=200",
            *(() if durable else FAST),
        ]
        command = [program("postgres"), "-D", str(cluster), "-p", str(port)]
        for option in options:
            command += ["-c", option]
        with log_path.open("wb") as log:
            process = start(command, directory=directory, log=log)
        try:
            wait_until(lambda: is_ready(cluster), process=process, log=log_path)
            yield PostgresServer(port=port, password=secret, directory=directory)
        finally:
            end(process, first=signal.SIGINT)
