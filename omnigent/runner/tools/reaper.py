"""Ends the process groups that tools started, also when the runner itself is killed.

A small child process holds the other end of a pipe: when the pipe closes, it kills every group that is
still registered. It runs this file as a script, with the standard library only.
"""

import contextlib
import os
import signal
import subprocess
import sys
from typing import IO


class Reaper:
    """Registers process groups with a watchdog process, which starts on first use."""

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._watchdog: subprocess.Popen[bytes] | None = None

    def register(self, group: int) -> None:
        """Remember a group until it is released."""
        self._groups.add(group)
        self._tell(f"+{group}\n")

    def release(self, group: int) -> None:
        """The group is empty."""
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Kill what is left and end the watchdog."""
        for group in self._groups:
            kill_group(group, signal.SIGKILL)
        self._groups.clear()
        if self._watchdog is not None:
            assert self._watchdog.stdin is not None
            with contextlib.suppress(OSError):
                self._watchdog.stdin.close()
            self._watchdog.wait()
            self._watchdog = None

    def _tell(self, line: str) -> None:
        if self._watchdog is None or self._watchdog.poll() is not None:
            self._watchdog = subprocess.Popen(
                [sys.executable, "-I", "-S", __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                cwd="/",
            )
            line = "".join(f"+{group}\n" for group in self._groups)
        assert self._watchdog.stdin is not None
        with contextlib.suppress(OSError):
            self._watchdog.stdin.write(line.encode())
            self._watchdog.stdin.flush()


def kill_group(group: int, number: int) -> bool:
    """Whether the group still had a process to signal."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def watch(pipe: IO[bytes]) -> None:
    """Follow registrations until the pipe closes, then kill what is left."""
    groups: set[int] = set()
    for line in pipe:
        sign, number = line[:1], int(line[1:])
        if sign == b"+":
            groups.add(number)
        else:
            groups.discard(number)
    for group in groups:
        kill_group(group, signal.SIGKILL)


if __name__ == "__main__":
    for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    watch(sys.stdin.buffer)
