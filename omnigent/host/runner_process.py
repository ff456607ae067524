"""One runner process: how it is started, what it was given, and whether it has reached the server."""

import asyncio
import ctypes
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from omnigent.host.environment import runner_environment, secrets_in
from omnigent.host.runner_log import LogDirectory, LogLimits, RunnerLog

CONNECT_SECONDS = 180.0
NOT_AUTHORISED = 77

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchSettings:
    """How runners are started: which module Python runs, with which arguments."""

    server_url: str
    log_dir: Path
    environ: Mapping[str, str] = field(repr=False)
    module: str = "omnigent.runner"
    arguments: Sequence[str] = ()
    stop_grace: float = 5.0
    connect_seconds: float = CONNECT_SECONDS
    log_limits: LogLimits = field(default_factory=LogLimits)

    @property
    def command(self) -> tuple[str, ...]:
        """The command line; `-P` keeps a workspace's own modules out of the runner's imports."""
        return (sys.executable, "-P", "-m", self.module, *self.arguments)


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """One runner to start; the workspace has been checked."""

    runner_id: str
    binding_token: str = field(repr=False)
    workspace: Path
    session_id: str | None = None
    harness: str | None = None


class ConnectionSign:
    """A pipe to which the runner writes when its tunnel is open for the first time."""

    def __init__(self) -> None:
        self._reader, self.writer = os.pipe()
        os.set_blocking(self._reader, False)
        self._is_given = False

    @property
    def is_given(self) -> bool:
        """Whether the runner has ever been connected."""
        if not self._is_given and self._reader >= 0:
            with suppress(BlockingIOError):
                self._is_given = bool(os.read(self._reader, 1))
        return self._is_given

    def handed_over(self) -> None:
        """The child has its copy of the writing end, or there is no child."""
        os.close(self.writer)

    def close(self) -> bool:
        """Forget the pipe; whether the sign was given."""
        is_given = self.is_given
        if self._reader >= 0:
            os.close(self._reader)
            self._reader = -1
        return is_given


@dataclass(kw_only=True, eq=False)
class Runner:
    """A runner process and what the launcher knows about it."""

    launch: Launch
    process: Process
    log: RunnerLog
    sign: ConnectionSign
    is_stopping: bool = False
    watcher: asyncio.Task[None] | None = None

    def signal_group(self, number: signal.Signals) -> None:
        """To the runner and to whatever it left in its process group."""
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, number)


class Spawner:
    """Starts runner processes with the environment and the log that they are meant to have."""

    def __init__(self, settings: LaunchSettings) -> None:
        self._settings = settings
        self._base = runner_environment(settings.environ)
        self.logs = LogDirectory(settings.log_dir, settings.log_limits)

    async def spawn(self, launch: Launch) -> Runner:
        """A running process. Raises OSError when it cannot be started."""
        runner_log = self.logs.open(launch.runner_id, (launch.binding_token, *secrets_in(self._base)))
        sign = ConnectionSign()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._settings.command,
                stdin=DEVNULL,
                stdout=runner_log.descriptor,
                stderr=runner_log.descriptor,
                cwd=launch.workspace,
                env=self._environment(launch, sign),
                pass_fds=(sign.writer,),
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),
            )
        except BaseException:
            sign.close()
            raise
        finally:
            sign.handed_over()
            runner_log.close()
        return Runner(launch=launch, process=process, log=runner_log, sign=sign)

    def _environment(self, launch: Launch, sign: ConnectionSign) -> dict[str, str]:
        environment = {
            **self._base,
            "OMNIGENT_SERVER_URL": self._settings.server_url,
            "OMNIGENT_RUNNER_ID": launch.runner_id,
            "OMNIGENT_RUNNER_TOKEN": launch.binding_token,
            "OMNIGENT_WORKSPACE": str(launch.workspace),
            "OMNIGENT_PARENT_PID": str(os.getpid()),
            "OMNIGENT_CONNECTED_FD": str(sign.writer),
        }
        if launch.harness is not None:
            environment["OMNIGENT_HARNESS"] = launch.harness
        return environment


def describe(code: int) -> str:
    """How a process ended, for people. `code` is negative for a signal."""
    if code == NOT_AUTHORISED:
        return f"runner exited with status {code}: the server did not let it sign in"
    if code >= 0:
        return f"runner exited with status {code}"
    try:
        return f"runner was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"runner was killed by signal {-code}"


def _die_with(parent: int) -> Callable[[], None] | None:
    """What the child does between fork and exec so that it never outlives a host that was killed."""
    if _LIBC is None:
        return None
    prctl = _LIBC.prctl

    def arrange() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)

    return arrange
