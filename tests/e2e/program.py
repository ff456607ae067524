"""One real process of a test: started with a log, killed by its id, never left behind."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import psutil

from scripts.programs import guarded

ROOT = Path(__file__).resolve().parent.parent.parent
POLL_SECONDS = 0.02
LOG_TAIL = 12000

Found = TypeVar("Found")


class NotInTime(AssertionError):
    """A condition did not come true before its deadline."""


def wait_for(
    condition: Callable[[], Found], *, seconds: float, what: str, every: float = POLL_SECONDS
) -> Found:
    """The first truthy value of `condition`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise NotInTime(f"{what}: not within {seconds} s")
        time.sleep(every)
    return value


class Program:
    """A process that can be started again after it was killed; its log goes on in one file."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        *,
        environ: Mapping[str, str],
        directory: Path,
        cwd: Path = ROOT,
    ) -> None:
        self.name = name
        self.environ = dict(environ)
        self.log_path = directory / f"{name}.log"
        self._cwd = cwd
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the running process."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The code it ended with; negative for a signal."""
        return None if self._process is None else self._process.poll()

    def start(self, **extra: str) -> None:
        """Start it; `extra` joins the environment of this start only."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                guarded(self._command, signal_name="KILL"),
                cwd=self._cwd,
                env={**self.environ, **extra},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if self.is_running:
            self.signal(signal.SIGKILL)
        self.wait(10)

    def stop(self, seconds: float = 15) -> int:
        """SIGTERM, and wait; a process that does not end is a failure, and is killed."""
        if self.is_running:
            self.signal(signal.SIGTERM)
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        """The exit code; kills and fails when it does not end in time."""
        assert self._process is not None
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise NotInTime(f"{self.name} did not end within {seconds} s\n{self.log()}") from None

    def log(self) -> str:
        """The end of what it printed."""
        if not self.log_path.exists():
            return ""
        text = self.log_path.read_text(errors="replace")
        return f"--- {self.name}\n{text[-LOG_TAIL:]}"


def python(*arguments: str) -> list[str]:
    """A command of the interpreter that runs the tests."""
    return [sys.executable, *arguments]


def processes_at_home(home: Path) -> list[psutil.Process]:
    """Every living process whose HOME is this directory: what a stack started, directly or not."""
    found = []
    for process in psutil.process_iter():
        try:
            is_ours = process.environ().get("HOME") == str(home)
            if is_ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def runs(process: psutil.Process, module: str) -> bool:
    """Whether the process runs this module; one that has just ended runs nothing."""
    try:
        return any(module in part for part in process.cmdline())
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False


def describe(processes: Sequence[psutil.Process]) -> str:
    """Ids and commands, for a failure message."""
    lines = []
    for process in processes:
        try:
            lines.append(f"{process.pid} {' '.join(process.cmdline())}")
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return "\n".join(lines)
