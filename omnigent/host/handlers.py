"""Host frame -> handler: a table, and the bounded set of tasks that run it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from omnigent.host.filesystem import FileSystem, PathRefused
from omnigent.host.fs_requests import FsRequests
from omnigent.host.inventory import Inventory
from omnigent.host.launcher import Launcher
from omnigent.host.model_options import ModelMenu
from omnigent.host.readiness import ReadinessBoard
from omnigent.host.runner_process import Launch
from omnigent.host.worktrees import Worktrees
from omnigent.ids import runner_id_for
from omnigent.protocol import host_frames as frames

log = logging.getLogger(__name__)

MAX_PENDING = 256
MAX_RUNNING = 64

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """How one kind of request is answered. `failed` is the word this result has for failure."""

    result: type[frames.Result]
    run: Callable[[Any], Awaitable[frames.Result]]  # each handler takes its own request class
    failed: str = "failed"


class Handlers:
    """What the server may ask of this host."""

    def __init__(
        self,
        *,
        launcher: Launcher,
        disk: FileSystem,
        worktrees: Worktrees,
        readiness: ReadinessBoard,
        inventory: Inventory,
        models: ModelMenu,
        files: FsRequests,
    ) -> None:
        self._launcher = launcher
        self._disk = disk
        self._worktrees = worktrees
        self._readiness = readiness
        self._inventory = inventory
        self._models = models
        self._files = files

    def table(self) -> Mapping[type[frames.Ask], Route]:
        """Every request this host answers."""
        return {
            frames.LaunchRunner: Route(result=frames.LaunchRunnerResult, run=self.launch_runner),
            frames.StopRunner: Route(result=frames.StopRunnerResult, run=self.stop_runner),
            frames.RunnerStatus: Route(result=frames.RunnerStatusResult, run=self.runner_status),
            frames.Stat: Route(result=frames.StatResult, run=self.stat),
            frames.ListDir: Route(result=frames.ListDirResult, run=self.list_dir),
            frames.CreateDir: Route(result=frames.CreateDirResult, run=self.create_dir),
            frames.RefreshHarnesses: Route(result=frames.RefreshHarnessesResult, run=self.refresh_harnesses),
            frames.CreateWorktree: Route(result=frames.CreateWorktreeResult, run=self.create_worktree),
            frames.RemoveWorktree: Route(result=frames.RemoveWorktreeResult, run=self.remove_worktree),
            frames.ListWorktrees: Route(result=frames.ListWorktreesResult, run=self.list_worktrees),
            frames.ModelOptions: Route(result=frames.ModelOptionsResult, run=self._models.answer),
            frames.FsRequest: Route(result=frames.FsResult, run=self._files.answer, failed="error"),
            frames.Skills: Route(result=frames.SkillsResult, run=self.skills),
            frames.SkillContent: Route(result=frames.SkillContentResult, run=self.skill_content),
            frames.DetectCredentials: Route(
                result=frames.DetectCredentialsResult, run=self.detect_credentials
            ),
            **_REFUSED,
        }

    async def launch_runner(self, ask: frames.LaunchRunner) -> frames.LaunchRunnerResult:
        """Check that the runner could work, then start it."""
        refusal = self._readiness.refusal(ask.harness)
        if refusal is not None:
            return _not_launched(ask, refusal, "harness_not_configured")
        try:
            workspace = await asyncio.to_thread(self._disk.is_directory, ask.workspace)
        except PathRefused as error:
            return _not_launched(ask, str(error), "workspace_missing")
        if workspace is None:
            return _not_launched(ask, f"{ask.workspace} is not a directory on this host", "workspace_missing")
        launch = Launch(
            runner_id=runner_id_for(ask.binding_token),
            binding_token=ask.binding_token,
            workspace=workspace,
            session_id=ask.session_id,
            harness=ask.harness,
        )
        try:
            await self._launcher.launch(launch)
        except OSError as error:
            return _not_launched(ask, f"the runner could not be started: {error.strerror or error}", None)
        return frames.LaunchRunnerResult(
            request_id=ask.request_id, status="launched", runner_id=launch.runner_id
        )

    async def stop_runner(self, ask: frames.StopRunner) -> frames.StopRunnerResult:
        """End a runner and wait until it is gone."""
        if await self._launcher.stop(ask.runner_id):
            return frames.StopRunnerResult(request_id=ask.request_id, status="stopped")
        return frames.StopRunnerResult(
            request_id=ask.request_id, status="failed", error="no such runner on this host"
        )

    async def runner_status(self, ask: frames.RunnerStatus) -> frames.RunnerStatusResult:
        """Whether a runner's process lives."""
        status = self._launcher.status(ask.runner_id)
        return frames.RunnerStatusResult(request_id=ask.request_id, status=status)

    async def stat(self, ask: frames.Stat) -> frames.StatResult:
        """What is at a path."""
        return await asyncio.to_thread(self._disk.stat, ask)

    async def list_dir(self, ask: frames.ListDir) -> frames.ListDirResult:
        """A page of a directory."""
        return await asyncio.to_thread(self._disk.list_dir, ask)

    async def create_dir(self, ask: frames.CreateDir) -> frames.CreateDirResult:
        """A new directory."""
        return await asyncio.to_thread(self._disk.create_dir, ask)

    async def create_worktree(self, ask: frames.CreateWorktree) -> frames.CreateWorktreeResult:
        """A new work tree of a repository."""
        return await self._git(self._worktrees.create, ask)

    async def remove_worktree(self, ask: frames.RemoveWorktree) -> frames.RemoveWorktreeResult:
        """The end of a work tree."""
        return await self._git(self._worktrees.remove, ask)

    async def list_worktrees(self, ask: frames.ListWorktrees) -> frames.ListWorktreesResult:
        """The work trees of a repository."""
        return await self._git(self._worktrees.list, ask)

    async def refresh_harnesses(self, ask: frames.RefreshHarnesses) -> frames.RefreshHarnessesResult:
        """Probe again, and answer with what was found."""
        await asyncio.to_thread(self._readiness.refresh)
        return frames.RefreshHarnessesResult(
            request_id=ask.request_id, status="ok", configured_harnesses=self._readiness.current
        )

    async def skills(self, ask: frames.Skills) -> frames.SkillsResult:
        """The skills that a session in a directory would find."""
        return await asyncio.to_thread(self._inventory.skills, ask)

    async def skill_content(self, ask: frames.SkillContent) -> frames.SkillContentResult:
        """What one of them says."""
        return await asyncio.to_thread(self._inventory.skill_content, ask)

    async def detect_credentials(self, ask: frames.DetectCredentials) -> frames.DetectCredentialsResult:
        """Which credentials there are."""
        return await asyncio.to_thread(self._inventory.credentials, ask)

    async def _git(self, operation: Callable[[A], R], ask: A) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._worktrees.threads, operation, ask)


class Requests:
    """Runs each request in a task of its own; past the bounds a request is refused at once."""

    def __init__(
        self,
        table: Mapping[type[frames.Ask], Route],
        reply: Callable[[frames.Result], Awaitable[None]],
    ) -> None:
        self._table = table
        self._reply = reply
        self._tasks: set[asyncio.Task[None]] = set()
        self._slots = asyncio.Semaphore(MAX_RUNNING)

    async def accept(self, ask: frames.Ask) -> None:
        """Start answering; returns without waiting for the answer."""
        route = self._table.get(type(ask))
        if route is None:
            log.warning("request not for a host", extra={"kind": ask.kind})
            return
        if len(self._tasks) >= MAX_PENDING:
            await self._reply(_failure(route, ask, "the host is busy"))
            return
        task = asyncio.create_task(self._run(route, ask), name=ask.kind)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Drop what is still being answered."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _run(self, route: Route, ask: frames.Ask) -> None:
        async with self._slots:
            try:
                result = await route.run(ask)
            except Exception:  # outermost loop of a request; the server gets an answer
                log.exception("request failed", extra={"kind": ask.kind})
                result = _failure(route, ask, "internal error of the host")
        await self._reply(result)


def _failure(route: Route, ask: frames.Ask, error: str) -> frames.Result:
    return route.result(request_id=ask.request_id, status=route.failed, error=error)


def _unsupported(result: type[frames.Result], *, failed: str = "failed") -> Route:
    async def refuse(ask: frames.Ask) -> frames.Result:
        return result(request_id=ask.request_id, status=failed, error="not supported by this host")

    return Route(result=result, run=refuse, failed=failed)


def _not_launched(ask: frames.LaunchRunner, error: str, code: str | None) -> frames.LaunchRunnerResult:
    return frames.LaunchRunnerResult(request_id=ask.request_id, status="failed", error=error, error_code=code)


# What only a vendor's programs and services could answer. An answer at once spares the server its time-out.
_REFUSED: Mapping[type[frames.Ask], Route] = {
    frames.FsWriteRequest: _unsupported(frames.FsResult, failed="error"),
    frames.HarnessStartup: _unsupported(frames.HarnessStartupResult),
    frames.ImportLocal: _unsupported(frames.ImportLocalDone),
    frames.ImportLocalById: _unsupported(frames.ImportLocalDone),
    frames.InstallHarness: _unsupported(frames.InstallHarnessResult),
    frames.McpServers: _unsupported(frames.McpServersResult),
    frames.McpTools: _unsupported(frames.McpToolsResult),
    frames.Plugins: _unsupported(frames.PluginsResult),
    frames.StoreSecret: _unsupported(frames.StoreSecretResult),
}
