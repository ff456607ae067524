"""A private Redis server that keeps nothing on disk, on its own port with its own password."""

import signal
import socket
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
    password,
    private_directory,
    start,
    wait_until,
)


@dataclass(kw_only=True, slots=True)
class RedisServer:
    """A server that can be killed and started again, empty, on its port."""

    port: int
    password: str
    directory: Path
    process: subprocess.Popen[bytes] | None = None

    def url(self, database: int = 0) -> str:
        """What REDIS_URL takes."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it, and return when it accepts commands."""
        log_path = self.directory / "log"
        command = [program(), str(self.directory / "redis.conf")]
        with log_path.open("ab") as log:
            self.process = start(command, directory=self.directory, log=log)
        wait_until(lambda: answers(self.port, self.password), process=self.process, log=log_path)

    def kill(self) -> None:
        """kill -9."""
        self.stop(signal.SIGKILL)

    def stop(self, first: signal.Signals = signal.SIGTERM) -> None:
        """End it."""
        if self.process is not None:
            end(self.process, first=first)


def program() -> str:
    """The path of the server's program."""
    path = find("redis-server")
    if path is None:
        raise ServiceError("redis-server is not installed; install it with: make deps-system")
    return path


def answers(port: int, secret: str) -> bool:
    """Whether the server accepts commands."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            connection.sendall(f"AUTH {secret}\r\nPING\r\n".encode())
            received = b""
            while received.count(b"\r\n") < 2:
                chunk = connection.recv(100)
                if not chunk:
                    return False
                received += chunk
            return b"+PONG" in received
    except OSError:
        return False


@contextmanager
def private_redis() -> Iterator[RedisServer]:
    """Run a server."""
    with private_directory("redis") as directory:
        server = RedisServer(port=free_port(), password=password(), directory=directory)
        config = directory / "redis.conf"
        lines = (
            "bind 127.0.0.1",
            f"port {server.port}",
            'save ""',
            "appendonly no",
            f"requirepass {server.password}",
        )
        config.write_text("\n".join([*lines, f"dir {directory}", ""]))
        config.chmod(0o644)
        try:
            server.start()
            yield server
        finally:
            server.stop()
