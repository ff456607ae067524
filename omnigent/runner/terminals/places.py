"""Private directories of tmux servers, and the removal of those that a runner left behind."""

import contextlib
import fcntl
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omnigent.runner.terminals.errors import TerminalError

_NAME: Final = "omnigent-terminals"
_DEEPEST: Final = 60
"""Of some hundred characters that the address of a socket may have, the rest is for our own directories."""
_LOCK: Final = "lock"
_KILL_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Place:
    """A directory that only this user may enter. Whoever has `lock`, a descriptor, open is its owner."""

    directory: Path
    lock: int

    @property
    def socket(self) -> Path:
        return self.directory / "socket"


def new_place(base: Path | None = None) -> Place:
    """A new one; those of dead runners are swept first, with the servers in them.

    `base` is the directory for temporary files when it is None, or the system's when that one is too deep for
    the address of a socket. Raises TerminalError.
    """
    wanted = base or Path(tempfile.gettempdir())
    root = (wanted if len(os.fsencode(wanted)) <= _DEEPEST else Path("/tmp")) / f"{_NAME}-{os.getuid()}"
    try:
        root.mkdir(mode=0o700, exist_ok=True)
        found = root.lstat()
        if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
            raise TerminalError(f"{root} must be a directory of mode 700 that belongs to the runner's user")
        with _locked(root / _LOCK):
            for entry in root.iterdir():
                if entry.is_dir():
                    _sweep(entry)
            directory = Path(tempfile.mkdtemp(prefix="t", dir=root))
            lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(lock, fcntl.LOCK_EX)
            return Place(directory, lock)
    except OSError as exc:
        raise TerminalError(f"no private directory for terminals: {exc.strerror}") from exc


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _sweep(directory: Path) -> None:
    """End the server of this directory if nobody owns it any more."""
    try:
        lock = os.open(directory / _LOCK, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        shutil.rmtree(directory, ignore_errors=True)
        return
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            subprocess.run(
                ["tmux", "-S", str(directory / "socket"), "kill-server"],
                check=False,
                capture_output=True,
                timeout=_KILL_SECONDS,
            )
        shutil.rmtree(directory, ignore_errors=True)
    except BlockingIOError:
        return
    finally:
        os.close(lock)
