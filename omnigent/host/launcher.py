"""All runners of this host: start them, watch them, report those that die, stop them."""

import asyncio
import logging
import signal
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from omnigent.host.runner_process import Launch, LaunchSettings, Runner, Spawner, describe
from omnigent.protocol.host_frames import RunnerExited

log = logging.getLogger(__name__)

MAX_REMEMBERED = 1024


class Launcher:
    """Owns all runners of this host. `on_exit` is awaited for each one that died on its own."""

    def __init__(self, settings: LaunchSettings, on_exit: Callable[[RunnerExited], Awaitable[None]]) -> None:
        self._settings = settings
        self._on_exit = on_exit
        self._spawner = Spawner(settings)
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
        """Keep the logs of living runners and those of old ones within bounds."""
        # Called from a thread, while runners come and go.
        self._spawner.logs.rotate([runner.log for runner in tuple(self._runners.values())])

    async def _start(self, launch: Launch) -> None:
        superseded = [
            runner
            for runner in self._runners.values()
            if launch.session_id is not None and runner.launch.session_id == launch.session_id
        ]
        runner = await self._spawner.spawn(launch)
        self._runners[launch.runner_id] = runner
        self._gone.pop(launch.runner_id, None)
        runner.watcher = asyncio.create_task(self._watch(runner), name=f"watch-{launch.runner_id}")
        log.info("runner launched", extra={"runner_id": launch.runner_id, "pid": runner.process.pid})
        for old in superseded:
            self._stop_soon(old)

    async def _watch(self, runner: Runner) -> None:
        patience = self._settings.connect_seconds
        complaint = asyncio.get_running_loop().call_later(patience, self._complain, runner)
        try:
            code = await runner.process.wait()
        finally:
            complaint.cancel()
            had_connected = runner.sign.close()
        runner_id = runner.launch.runner_id
        runner.signal_group(signal.SIGKILL)
        if self._runners.get(runner_id) is runner:
            del self._runners[runner_id]
            self._gone[runner_id] = None
            while len(self._gone) > MAX_REMEMBERED:
                self._gone.popitem(last=False)
        log.info("runner ended", extra={"runner_id": runner_id, "code": code, "asked": runner.is_stopping})
        if not runner.is_stopping and (code != 0 or not had_connected):
            tail = await asyncio.to_thread(runner.log.tail)
            error = f"{describe(code)}\n--- runner log tail ---\n{tail}"
            await self._on_exit(RunnerExited(runner_id=runner_id, error=error, had_connected=had_connected))

    def _complain(self, runner: Runner) -> None:
        """A runner that lives and has not reached the server: it hangs, or something is in between."""
        if runner.sign.is_given or runner.is_stopping:
            return
        fields = {
            "runner_id": runner.launch.runner_id,
            "session_id": runner.launch.session_id,
            "pid": runner.process.pid,
            "seconds": self._settings.connect_seconds,
            "log": str(runner.log.path),
        }
        log.error("runner has not connected", extra=fields)

    async def _stop(self, runner: Runner) -> None:
        if runner.watcher is None:
            return
        if runner.process.returncode is None:
            runner.process.terminate()
        done, _ = await asyncio.wait({runner.watcher}, timeout=self._settings.stop_grace)
        if not done:
            log.warning("runner killed", extra={"runner_id": runner.launch.runner_id})
            runner.signal_group(signal.SIGKILL)
            await asyncio.wait({runner.watcher})

    def _stop_soon(self, runner: Runner) -> asyncio.Task[None]:
        runner.is_stopping = True
        task = asyncio.create_task(self._stop(runner), name=f"stop-{runner.launch.runner_id}")
        self._stops.add(task)
        task.add_done_callback(self._stops.discard)
        return task
