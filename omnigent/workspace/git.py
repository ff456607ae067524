"""The git program, bounded in time and output, with an environment that lets nothing else run."""

import os
import signal
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

SECONDS: Final = 20.0
MOST_OUTPUT: Final = 32 * 1024 * 1024
_SAFE: Final = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.pager=cat")
_KEPT: Final = ("PATH", "HOME", "XDG_CONFIG_HOME", "TMPDIR")
_FIXED: Final = {
    "LC_ALL": "C",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_LITERAL_PATHSPECS": "1",
}


class GitFailed(Exception):
    """Git did not answer, or answered that it cannot; the text says why."""


class Git:
    """Calls block. What runs is killed when this is closed."""

    def __init__(self, environ: Mapping[str, str], *, seconds: float = SECONDS) -> None:
        self._environ = {name: environ[name] for name in _KEPT if name in environ} | _FIXED
        self._seconds = seconds
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_closed = False

    def close(self) -> None:
        """Kill what runs and start nothing more."""
        self._is_closed = True
        for process in tuple(self._running):
            _kill(process)

    def output(self, cwd: Path, *arguments: str, extra: Mapping[str, str] | None = None) -> bytes:
        """What a command prints. Raises GitFailed, also when that is too long."""
        data, code = self._printed(cwd, arguments, extra, MOST_OUTPUT)
        if len(data) > MOST_OUTPUT:
            raise GitFailed("git: the answer is too long")
        if code:
            raise GitFailed(f"git ended with exit code {code}")
        return data

    def beginning(
        self, cwd: Path, *arguments: str, most: int, extra: Mapping[str, str] | None = None
    ) -> bytes:
        """The first bytes of what a command prints. Raises GitFailed."""
        data, code = self._printed(cwd, arguments, extra, most)
        if code and len(data) <= most:
            raise GitFailed(f"git ended with exit code {code}")
        return data[:most]

    def _printed(
        self, cwd: Path, arguments: tuple[str, ...], extra: Mapping[str, str] | None, most: int
    ) -> tuple[bytes, int]:
        """At most one byte more than asked for, and the exit code."""
        if self._is_closed:
            raise GitFailed("git: this program is being stopped")
        process = self._started(cwd, arguments, extra)
        is_late = threading.Event()

        def end() -> None:
            is_late.set()
            _kill(process)

        timer = threading.Timer(self._seconds, end)
        timer.start()
        assert process.stdout is not None
        try:
            data = process.stdout.read(most + 1)
            if len(data) > most:
                _kill(process)
            code = process.wait()
        finally:
            timer.cancel()
            _kill(process)
            process.wait()
            process.stdout.close()
            self._running.discard(process)
        if is_late.is_set():
            raise GitFailed(f"git took longer than {self._seconds:g} s")
        return data, code

    def _started(
        self, cwd: Path, arguments: tuple[str, ...], extra: Mapping[str, str] | None
    ) -> "subprocess.Popen[bytes]":
        try:
            process = subprocess.Popen(
                ["git", *_SAFE, *arguments],
                cwd=cwd,
                env={**self._environ, **(extra or {})},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except (OSError, ValueError) as exc:
            raise GitFailed(f"git cannot be started: {exc}") from exc
        self._running.add(process)
        if self._is_closed:
            _kill(process)
        return process


def _kill(process: "subprocess.Popen[bytes]") -> None:
    """With everything that it started."""
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
