"""One server process per data directory: with SQLite, a second one would not see what the first announces."""

import fcntl
import os
from pathlib import Path
from types import TracebackType
from typing import IO

FILE_NAME = "server.lock"


class AlreadyRunning(Exception):
    """Another process holds the data directory."""


class DataDirLock:
    """Held until it is closed or the process dies, however it dies."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE_NAME
        self._file: IO[str] | None = None

    def __enter__(self) -> "DataDirLock":
        file = self.path.open("a+")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            file.close()
            raise AlreadyRunning(
                f"another server (process {holder}) uses {self.path.parent}; SQLite allows one. "
                "Stop it, choose another DATA_DIR, or set DATABASE_URL to run several."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        self._file = file
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
