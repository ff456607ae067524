"""Where runners write their output, kept small, and the tail of it that goes into a crash report."""

import os
import re
import shutil
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

MAX_BYTES = 8 * 1024 * 1024
MAX_FILES = 50
TAIL_BYTES = 4096
TAIL_LINES = 15

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")


class RunnerLog:
    """One runner's log. The child writes to it directly, so it stays complete when the host dies."""

    def __init__(self, path: Path, secrets: Iterable[str]) -> None:
        self.path = path
        self.secrets = tuple(secrets)
        # In append mode a truncated file is simply continued from its start.
        self.descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def close(self) -> None:
        """Close this process's end; the child has its own."""
        os.close(self.descriptor)

    def tail(self) -> str:
        """The last lines, bounded, without the secrets the runner was given."""
        try:
            with self.path.open("rb") as stream:
                size = stream.seek(0, os.SEEK_END)
                # A secret that the window cuts in half cannot be recognised; its rest is cut off below.
                margin = max((len(secret.encode()) for secret in self.secrets), default=0)
                start = max(0, size - TAIL_BYTES - margin)
                stream.seek(start)
                text = stream.read().decode("utf-8", "replace").replace("\x00", "\ufffd")
        except OSError:
            return ""
        for secret in self.secrets:
            text = text.replace(secret, "[REDACTED]")
        whole = text.encode()[margin if start else 0 :]
        clipped = whole[-TAIL_BYTES:].decode("utf-8", "ignore")
        return "\n".join(clipped.splitlines()[-TAIL_LINES:])


class LogDirectory:
    """All runner logs of a host: one file each, rotated by size, the oldest removed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def open(self, runner_id: str, secrets: Iterable[str]) -> RunnerLog:
        """The log for a runner; one that is launched again continues its file."""
        return RunnerLog(self.path / f"{_UNSAFE.sub('_', runner_id)[:100]}.log", secrets)

    def rotate(self, living: Iterable[RunnerLog]) -> None:
        """Cut logs that have grown too large, keeping one earlier piece, and drop the oldest files."""
        in_use = {runner_log.path for runner_log in living}
        for path in in_use:
            with suppress(OSError):
                if path.stat().st_size > MAX_BYTES:
                    shutil.copyfile(path, path.with_suffix(".log.1"))
                    os.truncate(path, 0)
        kept = {path.with_suffix(".log.1") for path in in_use} | in_use
        old = sorted((path for path in self.path.iterdir() if path not in kept), key=_modified)
        for path in old[: max(0, len(old) - MAX_FILES)]:
            with suppress(OSError):
                path.unlink()


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
