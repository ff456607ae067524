"""One daemon for each server and data directory: two would take each other's place at the server for ever."""

import fcntl
import os
from pathlib import Path

from omnigent.host.config_file import ConfigError


class ServerLock:
    """Held while a host runs. The kernel frees it with the process, however that ends."""

    def __init__(self, path: Path, server_url: str) -> None:
        self._path = path
        self._server_url = server_url
        self._descriptor = -1

    def acquire(self) -> None:
        """Take the lock or raise ConfigError naming the process that has it."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"cannot use {self._path}: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise ConfigError(
                f"another host (pid {owner}) already serves {self._server_url} from this data directory; "
                "stop it, or give this one another --data-dir"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
