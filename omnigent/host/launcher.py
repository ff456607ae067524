"""Runner processes: start them, watch them, report those that die, stop them."""

import asyncio
import ctypes
import logging
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from omnigent.host.environment import runner_environment, secrets_in
from omnigent.host.runner_log import LogDirectory, RunnerLog
from omnigent.protocol.host_frames import RunnerExited

log = logging.getLogger(__name__)

MAX_REMEMBERED = 1024
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


@dataclass(kw_only=True, eq=False)
class Runner:
    """A runner process and what the launcher knows about it."""

    launch: Launch
    process: Process
    log: RunnerLog
    is_stopping: bool = False
    watcher: asyncio.Task[None] | None = None


class Launcher:
    """Owns all runners of this host. `on_exit` is awaited for each one that died on its own."""

    def __init__(self, settings: LaunchSettings, on_exit: Callable[[RunnerExited], Awaitable[None]]) -> None:
        self._settings = settings
        self._on_exit = on_exit
        self._base = runner_environment(settings.environ)
        self._logs = LogDirectory(settings.log_dir)
        self._runners: dict[str, Runner] = {}
        self._gone: OrderedDict[str, None] = OrderedDict()
        self._stops: set[asyncio.Task[None]] = set()
        self._launching = asyncio.Lock()
        self._is_closed = False

    @property
    def alive(self) -> tuple[str, ...]:
        """Ids of the runners whose process lives and is wanted."""
        return tuple(runner_id for runner_id, runner in self._runners.items() if not runner.is_stopping)

    def status(self, runner_id: str) -> str:
        """`alive`, `dead` or `unknown`."""
        if runner_id in self._runners:
            return "alive"
        return "dead" if runner_id in self._gone else "unknown"

    async def launch(self, launch: Launch) -> None:
        """Start a runner, superseding the one of the same session; raises OSError when it cannot start.

        A repeat for a runner that lives changes nothing, so a lost answer may be asked for again.
        """
        async with self._launching:
            if self._is_closed:
                raise OSError("the host is shutting down")
            if launch.runner_id not in self.alive:
                await self._start(launch)

    async def stop(self, runner_id: str) -> bool:
        """End a runner: SIGTERM, a grace, then SIGKILL for its whole group. False when it is not known."""
        runner = self._runners.get(runner_id)
        if runner is None:
            return runner_id in self._gone
        # Whoever asked may go away; the stop goes on.
        await asyncio.shield(self._stop_soon(runner))
        return True

    async def close(self) -> None:
        """Stop all runners and refuse new ones."""
        self._is_closed = True
        async with self._launching:
            for runner in list(self._runners.values()):
                self._stop_soon(runner)
        while self._stops:
            await asyncio.gather(*self._stops)

    def rotate_logs(self) -> None:
        """Keep the logs of living runners and the number of old ones within bounds."""
        self._logs.rotate([runner.log for runner in self._runners.values()])

    async def _start(self, launch: Launch) -> None:
        superseded = [
            runner
            for runner in self._runners.values()
            if launch.session_id is not None and runner.launch.session_id == launch.session_id
        ]
        runner = await self._spawn(launch)
        self._runners[launch.runner_id] = runner
        self._gone.pop(launch.runner_id, None)
        runner.watcher = asyncio.create_task(self._watch(runner), name=f"watch-{launch.runner_id}")
        log.info("runner launched", extra={"runner_id": launch.runner_id, "pid": runner.process.pid})
        for old in superseded:
            self._stop_soon(old)

    async def _spawn(self, launch: Launch) -> Runner:
        runner_log = self._logs.open(launch.runner_id, (launch.binding_token, *secrets_in(self._base)))
        try:
            process = await asyncio.create_subprocess_exec(
                *self._settings.command,
                stdin=DEVNULL,
                stdout=runner_log.descriptor,
                stderr=runner_log.descriptor,
                cwd=launch.workspace,
                env=self._environment(launch),
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),
            )
        finally:
            runner_log.close()
        return Runner(launch=launch, process=process, log=runner_log)

    def _environment(self, launch: Launch) -> dict[str, str]:
        environment = {
            **self._base,
            "OMNIGENT_SERVER_URL": self._settings.server_url,
            "OMNIGENT_RUNNER_ID": launch.runner_id,
            "OMNIGENT_RUNNER_TOKEN": launch.binding_token,
            "OMNIGENT_WORKSPACE": str(launch.workspace),
            "OMNIGENT_PARENT_PID": str(os.getpid()),
        }
        if launch.harness is not None:
            environment["OMNIGENT_HARNESS"] = launch.harness
        return environment

    async def _watch(self, runner: Runner) -> None:
        code = await runner.process.wait()
        runner_id = runner.launch.runner_id
        _signal_group(runner.process.pid, signal.SIGKILL)
        if self._runners.get(runner_id) is runner:
            del self._runners[runner_id]
            self._gone[runner_id] = None
            while len(self._gone) > MAX_REMEMBERED:
                self._gone.popitem(last=False)
        log.info("runner ended", extra={"runner_id": runner_id, "code": code, "asked": runner.is_stopping})
        if code != 0 and not runner.is_stopping:
            report = f"{_describe(code)}\n--- runner log tail ---\n{runner.log.tail()}"
            await self._on_exit(RunnerExited(runner_id=runner_id, error=report))

    async def _stop(self, runner: Runner) -> None:
        if runner.watcher is None:
            return
        if runner.process.returncode is None:
            runner.process.terminate()
        done, _ = await asyncio.wait({runner.watcher}, timeout=self._settings.stop_grace)
        if not done:
            log.warning("runner killed", extra={"runner_id": runner.launch.runner_id})
            _signal_group(runner.process.pid, signal.SIGKILL)
            await asyncio.wait({runner.watcher})

    def _stop_soon(self, runner: Runner) -> asyncio.Task[None]:
        runner.is_stopping = True
        task = asyncio.create_task(self._stop(runner), name=f"stop-{runner.launch.runner_id}")
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)
        return task


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


def _signal_group(group: int, number: signal.Signals) -> None:
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):
        return


def _describe(code: int) -> str:
    if code >= 0:
        return f"runner exited with status {code}"
    try:
        return f"runner was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"runner was killed by signal {-code}"
