"""Where a session's environment is worked on: here on threads, or inside the agent's sandbox."""

import asyncio
import contextlib
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar

import omnigent
from omnigent.runner.environments.hiding import shown_by
from omnigent.runner.rooms import Home
from omnigent.runner.sandbox.entry import Entry
from omnigent.runner.sandbox.room import Confinement, interpreter
from omnigent.runner.tools.base import ToolContext, ToolError
from omnigent.runner.tools.worker import answer_of
from omnigent.workspace import worker
from omnigent.workspace.baseline import Baseline, baseline_of
from omnigent.workspace.changes import Shown, everything
from omnigent.workspace.entries import Json
from omnigent.workspace.errors import Refused
from omnigent.workspace.git import Git
from omnigent.workspace.history import changes, diff
from omnigent.workspace.root import Root
from omnigent.workspace.work import done, open_unless_directory

log = logging.getLogger(__name__)

SECONDS: Final = 60.0
AT_ONCE: Final = 4
"""Operations of one session; more wait, so that one session does not take all threads."""
_REPOSITORY: Final = ".git"
_CLOSE_ON_EXEC: Final = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
_PACKAGE: Final = Path(omnigent.__file__).resolve().parent
_WORKER: Final = (_PACKAGE / "__init__.py", _PACKAGE / "workspace")

T = TypeVar("T")


class Desk:
    """A room. Raises Refused wherever an operation is refused."""

    def __init__(self, home: Home) -> None:
        self._git = Git(home.runtime.config.environment)
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._writing = asyncio.Lock()
        self._baseline: Baseline | None = None
        self._looking: asyncio.Task[None] | None = None

    async def close(self) -> None:
        self._git.close()
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)

    # -- files -----------------------------------------------------------------------------------------

    async def do(self, request: Mapping[str, Any], context: ToolContext) -> Json:
        """One operation that only looks."""
        entry = await self._entry(context)
        if entry.is_confined:
            return dict((await self._inside(request, entry, context))["output"])
        return await self._here(context, lambda root: done(root, request))

    async def change(self, request: Mapping[str, Any], context: ToolContext) -> Json:
        """One operation that writes; those of a session come one after the other."""
        async with self._writing:
            return await self.do(request, context)

    async def opened(self, path: str, context: ToolContext) -> int | None:
        """A file for reading, which the caller closes; None for a directory."""
        entry = await self._entry(context)
        if not entry.is_confined:
            return await self._here(
                context, lambda root: open_unless_directory(root, root.parts(path)), drop=_close
            )
        ours, theirs = socket.socketpair()
        with ours, theirs:
            request = {"do": "open", "path": path, "socket": theirs.fileno()}
            answer = await self._inside(request, entry, context, descriptors=(theirs.fileno(),))
            if answer["output"]["is_directory"]:
                return None
            # It was sent before the answer, so there is nothing to wait for.
            _, descriptors, _, _ = socket.recv_fds(ours, 1, 1, socket.MSG_DONTWAIT | _CLOSE_ON_EXEC)
            return descriptors[0]

    # -- history ---------------------------------------------------------------------------------------

    def begin(self, context: ToolContext) -> None:
        """Remember what a directory without a repository holds, once; changes are told from then on."""
        if self._looking is None:
            self._looking = asyncio.create_task(self._look(context), name="environment-baseline")

    async def begun(self) -> None:
        """Wait until that is done: what comes after is a change."""
        if self._looking is not None:
            await asyncio.wait({self._looking})

    async def changes(self, context: ToolContext) -> Json:
        await self.begun()
        return await self._here(
            context,
            lambda root: changes(self._git, root, baseline=self._baseline, is_shown=_shown(context)),
        )

    async def diff(self, path: str, context: ToolContext) -> Json:
        await self.begun()
        return await self._here(
            context,
            lambda root: diff(self._git, root, path, baseline=self._baseline, is_shown=_shown(context)),
        )

    async def _look(self, context: ToolContext) -> None:
        directory = context.workspace.root
        if await asyncio.to_thread(_has_repository, directory):
            return
        with contextlib.suppress(Refused):
            self._baseline = await self._here(context, baseline_of)

    # -- how -------------------------------------------------------------------------------------------

    async def _here(
        self, context: ToolContext, work: Callable[[Root], T], *, drop: Callable[[T], None] | None = None
    ) -> T:
        """On a thread, which goes on when nobody waits any more; `drop` then takes what it brings."""

        def within() -> T:
            with Root.opened(context.workspace.root) as root:
                return work(root)

        await self._slots.acquire()
        running = asyncio.ensure_future(asyncio.to_thread(within))
        running.add_done_callback(lambda _: self._slots.release())
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            running.add_done_callback(lambda late: _dropped(late, drop))
            raise

    async def _entry(self, context: ToolContext) -> Entry:
        command = (sys.executable, "-I", "-S", "-c", worker.COMMAND, str(_PACKAGE.parent))
        extra = [*interpreter(), *_WORKER]
        return await context.rooms.of(Confinement).entry(command, context, extra=extra)

    async def _inside(
        self,
        request: Mapping[str, Any],
        entry: Entry,
        context: ToolContext,
        descriptors: tuple[int, ...] = (),
    ) -> dict[str, Any]:
        async with self._slots:
            try:
                answer = await answer_of(
                    request,
                    entry,
                    context.reaper,
                    seconds=SECONDS,
                    name="environment",
                    descriptors=descriptors,
                )
            except ToolError as exc:
                raise Refused(504, "timeout", str(exc)) from exc
        if "refused" in answer:
            raise Refused(**answer["refused"])
        return answer


def _has_repository(directory: Path) -> bool:
    """Without asking git: this is before a session's first turn. In a work tree of its own it is a file."""
    found = [above / _REPOSITORY for above in (directory, *directory.parents)]
    return any(path.is_file() or (path / "HEAD").exists() for path in found)


def _shown(context: ToolContext) -> Shown:
    os_env = context.spec.os_env
    return shown_by(os_env, context.workspace.root) if os_env is not None else everything


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)


def _dropped(late: "asyncio.Future[T]", drop: Callable[[T], None] | None) -> None:
    if not late.cancelled() and late.exception() is None and drop is not None:
        drop(late.result())
