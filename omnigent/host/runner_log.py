"""Where runners write their output, kept small, and the tail of it that goes into a crash report."""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MAX_BYTES = 8 * 1024 * 1024
TAIL_BYTES = 4096
TAIL_LINES = 15
REDACTED = "[REDACTED]"

_DAY = 86400.0
_EARLIER = ".log.1"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
# Credentials that this host never saw, because somebody else gave them to the runner.
_FOREIGN_SECRETS = re.compile(
    r"(?P<before>\bBearer\s+)\S+|(?P<scheme>://)[^\s/:@]*:[^\s/@]+(?=@)"
    r"|\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*|\b(?:sk|omni|ghp|gho|xox[abp])[-_][\w-]{12,}"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLimits:
    """What runners' logs may take: each file in bytes, those of ended runners in days and bytes together."""

    file_bytes: int = MAX_BYTES
    days: float = 14.0
    total_bytes: int = 200 * 1024 * 1024


class RunnerLog:
    """One runner's log. The child writes to it directly, so it stays complete when the host dies."""

    def __init__(self, path: Path, secrets: Iterable[str]) -> None:
        self.path = path
        # Longest first: one may be a part of another.
        self.secrets = tuple(sorted(secrets, key=len, reverse=True))
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
            text = text.replace(secret, REDACTED)
        text = _FOREIGN_SECRETS.sub(_masked, text)
        whole = text.encode()[margin if start else 0 :]
        clipped = whole[-TAIL_BYTES:].decode("utf-8", "ignore")
        return "\n".join(clipped.splitlines()[-TAIL_LINES:])


class LogDirectory:
    """All runner logs of a host: one file each, rotated by size, old ones removed by age and size."""

    def __init__(
        self, path: Path, limits: LogLimits | None = None, *, now: Callable[[], float] = time.time
    ) -> None:
        self.path = path
        self._limits = limits or LogLimits()
        self._now = now
        path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def open(self, runner_id: str, secrets: Iterable[str]) -> RunnerLog:
        """The log for a runner; one that is launched again continues its file."""
        return RunnerLog(self.path / f"{_UNSAFE.sub('_', runner_id)[:100]}.log", secrets)

    def rotate(self, living: Iterable[RunnerLog]) -> None:
        """Cut logs that have grown too large, keeping one earlier piece, and drop what is old or too much."""
        in_use = {runner_log.path for runner_log in living}
        for path in in_use:
            with suppress(OSError):
                if path.stat().st_size > self._limits.file_bytes:
                    shutil.copyfile(path, path.with_suffix(_EARLIER))
                    os.truncate(path, 0)
        kept = {path.with_suffix(_EARLIER) for path in in_use} | in_use
        total = 0
        for path, size, modified in self._newest_first():
            if path in kept:
                continue
            total += size
            if total > self._limits.total_bytes or self._now() - modified > self._limits.days * _DAY:
                with suppress(OSError):
                    path.unlink()

    def _newest_first(self) -> Iterator[tuple[Path, int, float]]:
        found = []
        for path in self.path.glob("*.log*"):
            with suppress(OSError):
                facts = path.stat()
                found.append((path, facts.st_size, facts.st_mtime))
        yield from sorted(found, key=lambda row: row[2], reverse=True)


def _masked(match: re.Match[str]) -> str:
    return (match["before"] or match["scheme"] or "") + REDACTED
