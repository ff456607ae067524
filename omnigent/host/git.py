"""Runs the git program for a host: nobody is asked, no hook runs, an operation has one deadline."""

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

GIT_SECONDS = 120.0
UNDO_SECONDS = 20.0
MAX_ERROR = 1000
REAP_SECONDS = 5.0

# Hooks and settings of a repository are text that its agents can write, and git runs here outside of their
# sandbox. What checking files out and fetching need themselves (filters, transports) is left as it is.
_NOTHING_ELSE = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "gc.auto=0"),
    *("-c", "maintenance.auto=false"),
    *("-c", "submodule.recurse=false"),
    *("-c", "fetch.recurseSubmodules=false"),
    *("-c", "protocol.ext.allow=never"),
)

# Nobody is there to answer: a prompt of git, of ssh or of a credential helper fails at once.
_NOBODY = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "false",
    "SSH_ASKPASS_REQUIRE": "never",
    "GCM_INTERACTIVE": "never",
    "GIT_OPTIONAL_LOCKS": "0",
    "LC_ALL": "C",
}


class GitFailed(Exception):
    """A git command that failed, or a request that makes no sense there; the text says why."""


class Git:
    """The git program in one environment, and what runs of it."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = {**environ, **_NOBODY}
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_closed = False

    def close(self) -> None:
        """Kill what runs, with the transports it started, and begin nothing more but undoing."""
        self._is_closed = True
        for process in tuple(self._running):
            _kill_group(process)

    def operation(self, *, is_undo: bool = False) -> "Operation":
        """Several commands with one deadline."""
        seconds = UNDO_SECONDS if is_undo else GIT_SECONDS
        return Operation(self, until=time.monotonic() + seconds, is_undo=is_undo)

    def run(self, directory: Path, arguments: tuple[str, ...], *, seconds: float, is_undo: bool) -> str:
        """One command's output. Raises GitFailed with git's own words."""
        if self._is_closed and not is_undo:
            raise GitFailed("the host is shutting down")
        try:
            process = subprocess.Popen(
                ("git", *_NOTHING_ELSE, *arguments),
                cwd=directory,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise GitFailed(f"git cannot be run here: {error.strerror}") from None
        self._running.add(process)
        try:
            if self._is_closed and not is_undo:
                _kill_group(process)
            output, errors = process.communicate(timeout=max(seconds, 0.0))
        except subprocess.TimeoutExpired:
            raise GitFailed(f"git {arguments[0]} took too long") from None
        finally:
            self._running.discard(process)
            if process.returncode is None:
                _kill_group(process)
                # Something that left the group may hold the pipes; nobody waits for it.
                with suppress(subprocess.TimeoutExpired):
                    process.communicate(timeout=REAP_SECONDS)
        if process.returncode != 0:
            said = errors.decode("utf-8", "replace").strip()[:MAX_ERROR]
            raise GitFailed(said or f"git {arguments[0]} failed")
        return os.fsdecode(output)


class Operation:
    """Commands that share one deadline, in seconds of the monotonic clock."""

    def __init__(self, git: Git, *, until: float, is_undo: bool) -> None:
        self._git = git
        self._until = until
        self._is_undo = is_undo

    def run(self, directory: Path, *arguments: str) -> str:
        """One command's output. Raises GitFailed."""
        left = self._until - time.monotonic()
        return self._git.run(directory, arguments, seconds=left, is_undo=self._is_undo)

    def try_run(self, directory: Path, *arguments: str) -> str | None:
        """One command's output, None when it failed."""
        try:
            return self.run(directory, *arguments)
        except GitFailed:
            return None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
