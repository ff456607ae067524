"""The daemon: one link to the server, the requests that come over it, and the runners behind them."""

import asyncio
import importlib
import logging
import secrets
import shutil
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from omnigent.host.config import HostConfig
from omnigent.host.endings import words_for
from omnigent.host.environment import git_environment, runner_environment
from omnigent.host.filesystem import FileSystem
from omnigent.host.fs_requests import FsRequests
from omnigent.host.handlers import Handlers, Requests
from omnigent.host.inventory import Inventory
from omnigent.host.launcher import Launcher
from omnigent.host.model_options import ModelMenu
from omnigent.host.readiness import ReadinessBoard
from omnigent.host.runner_process import LaunchSettings
from omnigent.host.worktrees import Worktrees
from omnigent.link import Link, LinkDown, LinkEnd, LinkHooks, LinkRules
from omnigent.protocol import host_frames as frames
from omnigent.protocol.codec import FrameError
from omnigent.protocol.frames import ORIGIN, PROTOCOL_MAJOR, Frame
from omnigent.runner.harnesses.contributions import installed_rows
from omnigent.version import VERSION

log = logging.getLogger(__name__)

CAPABILITIES = ("refresh_harnesses", "skill_content")
MAX_QUEUED_REPORTS = 1024
SILENCE_SECONDS = 90.0
LOCAL_REFUSALS = 100

_SHELLS = ("bash", "zsh", "fish", "sh")


def host_rules(*, is_local: bool) -> LinkRules:
    """When a host redials and what ends it; a server on this machine is not waited for without end."""
    return LinkRules(
        backoff_cap=3.0,
        recycle_delay=(0.25, 0.75),
        recycle_limit=10,
        fatal_codes={4001: 1, 4002: 1, 4009: 1},
        fatal_statuses={400: 1, 409: 1},
        first_statuses={404: 1},
        refused_limit=LOCAL_REFUSALS if is_local else None,
        silence_seconds=lambda: SILENCE_SECONDS,
        # A server that hangs must not hold up the end of the daemon.
        close_timeout=2.0,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class HostTimes:
    """How often the daemon looks at its harnesses, and how often at everything."""

    look_seconds: float = 5.0
    housekeeping_seconds: float = 60.0
    close_seconds: float = 10.0


@dataclass(kw_only=True)
class Host:
    """One running daemon. After `run`, `ending` says why it did not go on, unless it was asked to end."""

    config: HostConfig
    launch: LaunchSettings
    readiness: ReadinessBoard
    rules: LinkRules | None = None
    times: HostTimes = field(default_factory=HostTimes)
    ending: str = field(default="", init=False)

    def __post_init__(self) -> None:
        self._exit_code = 0
        self._stopping = asyncio.Event()
        self._look_now = asyncio.Event()
        self._told: frames.Readiness | None = None
        self._reports: deque[frames.RunnerExited] = deque(maxlen=MAX_QUEUED_REPORTS)
        self._launcher = Launcher(self.launch, self._report)
        disk = FileSystem(workspace_root=self.config.workspace_root, roots=self.config.roots)
        self._worktrees = Worktrees(disk, git_environment(self.launch.environ))
        self._files = FsRequests(disk, git_environment(self.launch.environ))
        handlers = Handlers(
            launcher=self._launcher,
            disk=disk,
            worktrees=self._worktrees,
            readiness=self.readiness,
            inventory=Inventory(disk, runner_environment(self.launch.environ), installed_rows()),
            models=ModelMenu(runner_environment(self.launch.environ), installed_rows()),
            files=self._files,
        )
        self._requests = Requests(handlers.table(), self._send)
        self._link = Link(
            url=self.config.tunnel_url,
            headers=self._headers,
            hello=self._hello,
            on_text=self._on_text,
            hooks=LinkHooks(on_up=self._on_up),
            rules=self.rules or host_rules(is_local=self.config.is_local),
        )

    async def run(self) -> int:
        """Serve until stopped or turned away; all runners have ended when this returns an exit code."""
        link = asyncio.create_task(self._link.run(), name="host-link")
        chores = asyncio.create_task(self._housekeeping(), name="host-housekeeping")
        stopping = asyncio.create_task(self._stopping.wait(), name="host-stopping")
        try:
            await asyncio.wait({link, stopping}, return_when=asyncio.FIRST_COMPLETED)
            await self._launcher.close()
            await self._link.stop(1000, "host stopped")
            await asyncio.wait({link}, timeout=self.times.close_seconds)
        finally:
            chores.cancel()
            stopping.cancel()
            link.cancel()
            self._worktrees.close()
            self._files.close()
            await self._requests.close()
            await self._launcher.close()
        return self._settle(link.result() if link.done() and not link.cancelled() else None)

    def _settle(self, end: LinkEnd | None) -> int:
        """The exit code, and in `ending` the reason when it is not what the operator wanted."""
        if end is not None and end.exit_code:
            self.ending = words_for(end, self.config)
            self._exit_code = end.exit_code
        if self.ending:
            log.error("host ends", extra={"reason": self.ending, "exit_code": self._exit_code})
        return self._exit_code

    def stop(self, exit_code: int = 0) -> None:
        """Ask the daemon to end; `run` returns when its runners are gone."""
        self._exit_code = self._exit_code or exit_code
        self._stopping.set()

    async def _headers(self) -> Mapping[str, str]:
        headers = {"Origin": ORIGIN}
        if self.config.token:
            headers["Authorization"] = f"Bearer {self.config.token}"
        return headers

    def _hello(self) -> str:
        self._told = self.readiness.current
        hello = frames.HostHello(
            version=VERSION,
            frame_protocol_version=PROTOCOL_MAJOR,
            name=self.config.name,
            runners=self._launcher.alive,
            configured_harnesses=self._told,
            interactive_shells=tuple(shell for shell in _SHELLS if shutil.which(shell)),
            telemetry_opt_out=True,
            capabilities=CAPABILITIES,
            connection_id=secrets.token_hex(16),
        )
        return frames.render(hello)

    async def _on_up(self) -> None:
        log.info("connected", extra={"server": self.config.server_url, "host_id": self.config.host_id})
        # The machine may have slept, and much may be different.
        self._look_now.set()
        for _ in range(len(self._reports)):
            await self._report(self._reports.popleft())

    async def _on_text(self, text: str) -> None:
        try:
            frame = frames.parse(text)
        except FrameError as error:
            log.warning("frame dropped", extra={"error": str(error)})
            return
        if isinstance(frame, frames.Ping):
            await self._send(frames.Pong(ts=frame.ts))
        elif isinstance(frame, frames.Ask):
            await self._requests.accept(frame)
        elif isinstance(frame, frames.ConnectionError_):
            log.error("turned away", extra={"stage": frame.stage, "error": frame.error})
            if not frame.retryable:
                self.ending = f"{self.config.server_url} turned this host away ({frame.stage}): {frame.error}"
                self.stop(exit_code=1)

    async def _send(self, frame: Frame) -> None:
        """Send what only matters on this connection; without one the server has stopped waiting for it."""
        try:
            await self._link.send(frames.render(frame))
        except LinkDown:
            log.info("answer dropped", extra={"kind": frame.kind})

    async def _report(self, report: frames.RunnerExited) -> None:
        """Tell the server about a death now, or after the next hello."""
        try:
            await self._link.send(frames.render(report))
        except LinkDown:
            self._reports.append(report)

    async def _housekeeping(self) -> None:
        """Look at the harnesses often, and at everything from time to time."""
        due = 0.0
        while True:
            try:
                if time.monotonic() >= due:
                    due = time.monotonic() + self.times.housekeeping_seconds
                    await asyncio.to_thread(self._tidy)
                await asyncio.to_thread(self.readiness.refresh)
                await self._tell_readiness()
            except Exception:  # outermost loop of the daemon's chores; a full disk must not end them
                log.exception("housekeeping failed")
            self._look_now.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self.times.look_seconds):
                    await self._look_now.wait()

    def _tidy(self) -> None:
        # What was installed since is not seen otherwise.
        importlib.invalidate_caches()
        self._launcher.rotate_logs()

    async def _tell_readiness(self) -> None:
        current = self.readiness.current
        if self._link.is_up and current != self._told:
            self._told = current
            await self._send(frames.HarnessReadiness(configured_harnesses=current))
