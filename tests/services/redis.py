"""A private Redis server that keeps nothing on disk, on its own port with its own password."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

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


@dataclass(frozen=True, kw_only=True, slots=True)
class RedisServer:
    """A running server."""

    port: int
    password: str

    def url(self, database: int = 0) -> str:
        """What REDIS_URL takes."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"


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
    path = find("redis-server")
    if path is None:
        raise ServiceError("redis-server is not installed; install it with: make deps-system")
    with private_directory("redis") as directory:
        port, secret = free_port(), password()
        config = directory / "redis.conf"
        lines = ("bind 127.0.0.1", f"port {port}", 'save ""', "appendonly no", f"requirepass {secret}")
        config.write_text("\n".join([*lines, f"dir {directory}", ""]))
        config.chmod(0o644)
        log_path = directory / "log"
        with log_path.open("wb") as log:
            process = start([path, str(config)], directory=directory, log=log)
        try:
            wait_until(lambda: answers(port, secret), process=process, log=log_path)
            yield RedisServer(port=port, password=secret)
        finally:
            end(process, first=signal.SIGTERM)
