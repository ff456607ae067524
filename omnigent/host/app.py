"""The daemon: one link to the server, the requests that come over it, and the runners behind them."""

import asyncio
import logging
import secrets
import shutil
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from omnigent.host.config import HostConfig
from omnigent.host.environment import git_environment
from omnigent.host.filesystem import FileSystem
from omnigent.host.handlers import Handlers, Requests
from omnigent.host.launcher import Launcher, LaunchSettings
from omnigent.host.readiness import ReadinessBoard
from omnigent.host.worktrees import Worktrees
from omnigent.link import Link, LinkDown, LinkHooks, LinkRules
from omnigent.protocol import host_frames as frames
from omnigent.protocol.codec import FrameError
from omnigent.protocol.frames import ORIGIN, PROTOCOL_MAJOR, Frame
from omnigent.version import VERSION

log = logging.getLogger(__name__)

CAPABILITIES = ("refresh_harnesses",)
MAX_QUEUED_REPORTS = 1024
SILENCE_SECONDS = 90.0

_SHELLS = ("bash", "zsh", "fish", "sh")


def host_rules() -> LinkRules:
    """When a host redials and what ends it."""
    return LinkRules(
        backoff_cap=3.0,
        recycle_delay=(0.25, 0.75),
        recycle_limit=10,
        fatal_codes={4001: 1, 4002: 1, 4009: 1},
        fatal_statuses={400: 1, 409: 1},
        first_statuses={404: 1},
        silence_seconds=lambda: SILENCE_SECONDS,
        # A server that hangs must not hold up the end of the daemon.
        close_timeout=2.0,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class HostTimes:
    """How often the daemon looks around."""

    housekeeping_seconds: float = 60.0
    close_seconds: float = 10.0


@dataclass(kw_only=True)
class Host:
    """One running daemon."""

    config: HostConfig
    launch: LaunchSettings
    readiness: ReadinessBoard
    rules: LinkRules = field(default_factory=host_rules)
    times: HostTimes = field(default_factory=HostTimes)

    def __post_init__(self) -> None:
        self._exit_code = 0
        self._stopping = asyncio.Event()
        self._reports: deque[frames.RunnerExited] = deque(maxlen=MAX_QUEUED_REPORTS)
        self._launcher = Launcher(self.launch, self._report)
        disk = FileSystem(workspace_root=self.config.workspace_root, roots=self.config.roots)
        self._worktrees = Worktrees(disk, git_environment(self.launch.environ))
        handlers = Handlers(
            launcher=self._launcher, disk=disk, worktrees=self._worktrees, readiness=self.readiness
        )
        self._requests = Requests(handlers.table(), self._send)
        self._link = Link(
            url=self.config.tunnel_url,
            headers=self._headers,
            hello=self._hello,
            on_text=self._on_text,
            hooks=LinkHooks(on_up=self._on_up),
            rules=self.rules,
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
            await self._requests.close()
            await self._launcher.close()
        end = link.result() if link.done() and not link.cancelled() else None
        if end is None or not end.exit_code:
            return self._exit_code
        log.error("link ended", extra={"reason": end.reason})
        return end.exit_code

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
        hello = frames.HostHello(
            version=VERSION,
            frame_protocol_version=PROTOCOL_MAJOR,
            name=self.config.name,
            runners=self._launcher.alive,
            configured_harnesses=self.readiness.current,
            interactive_shells=tuple(shell for shell in _SHELLS if shutil.which(shell)),
            telemetry_opt_out=True,
            capabilities=CAPABILITIES,
            connection_id=secrets.token_hex(16),
        )
        return frames.render(hello)

    async def _on_up(self) -> None:
        log.info("connected", extra={"server": self.config.server_url, "host_id": self.config.host_id})
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
        while True:
            await asyncio.sleep(self.times.housekeeping_seconds)
            await asyncio.to_thread(self._launcher.rotate_logs)
            if self.readiness.refresh():
                await self._send(frames.HarnessReadiness(configured_harnesses=self.readiness.current))
