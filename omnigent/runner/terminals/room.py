"""The terminals of one session: opened, found, announced, and ended with it."""

import asyncio
import json
import logging
import os
import re
import secrets
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from omnigent.protocol.events import SessionResourceCreated, SessionResourceDeleted
from omnigent.runner.rooms import Home
from omnigent.runner.terminals import starter
from omnigent.runner.terminals.errors import TerminalError
from omnigent.runner.terminals.pane import Label, Pane, Size
from omnigent.runner.terminals.tmux import TmuxServer
from omnigent.spec.machine import SCROLLBACK_LINES

log = logging.getLogger(__name__)

DEFAULT_KEY: Final = "main"
MOST_TERMINALS: Final = 32
_LABEL: Final = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
_STARTER: Final = str(Path(starter.__file__))


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """How a terminal is run. With `keep` it can be read after its program has ended, until it is closed.

    `descriptors` are what the program finds on the descriptors of these numbers when it starts.
    """

    scrollback: int = SCROLLBACK_LINES
    prefix: str = "omni_"
    passthrough: bool = False
    keep: bool = False
    log_file: Path | None = None
    descriptors: Mapping[int, bytes] = field(default_factory=dict)


class Terminals:
    """A room. The tmux server starts with the first terminal and ends with the room, or with the runner."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._server: TmuxServer | None = None
        self._panes: dict[str, Pane] = {}
        self._watches: dict[str, asyncio.Task[None]] = {}
        self._opening = asyncio.Lock()

    async def launch(
        self,
        name: str,
        command: Sequence[str],
        cwd: str | Path,
        env: Mapping[str, str],
        size: Size | None = None,
        *,
        key: str = DEFAULT_KEY,
        options: Options | None = None,
    ) -> Pane:
        """Start a program in a new terminal; `env` is its whole environment. Raises TerminalError.

        A name and key that run already are an error; those of a program that has ended are free again.
        """
        label = self._label(name, key)
        async with self._opening:
            old = self._panes.get(label.resource_id)
            if old is not None and not old.exited:
                raise TerminalError(f"the terminal {name}/{key} is open already")
            if old is not None:
                await self._drop(old)
            if len(self._panes) >= MOST_TERMINALS:
                raise TerminalError(f"at most {MOST_TERMINALS} terminals may be open; close one first")
            server = await self._running()
            pane = await self._start(
                server, label, _Plan(command, str(cwd), env), size or Size(), options or Options()
            )
            self._panes[label.resource_id] = pane
            watch = self._watch(pane, keep=options is not None and options.keep)
            self._watches[label.resource_id] = asyncio.create_task(watch, name=f"watch-{label.resource_id}")
        self._home.uplink.put(SessionResourceCreated(resource=pane.resource()))
        return pane

    def find(self, name: str, key: str = DEFAULT_KEY) -> Pane | None:
        """The terminal of this name and key, also one that has ended and was kept."""
        return self._panes.get(f"terminal_{name}_{key}")

    def get(self, resource_id: str) -> Pane | None:
        return self._panes.get(resource_id)

    def all(self) -> list[Pane]:
        """In the order in which they were opened."""
        return list(self._panes.values())

    async def end(self, pane: Pane) -> None:
        """Close a terminal and tell the session that it is gone; nothing happens when it is already."""
        async with self._opening:
            await self._drop(pane)

    async def close(self) -> None:
        async with self._opening:
            for watch in self._watches.values():
                watch.cancel()
            await asyncio.gather(*self._watches.values(), return_exceptions=True)
            panes, self._panes, self._watches = self.all(), {}, {}
            server, self._server = self._server, None
            if server is not None:
                await server.close()
            for pane in panes:
                await pane.close()
                self._tell_gone(pane)

    # -- inside ----------------------------------------------------------------------------------------

    def _label(self, name: str, key: str) -> Label:
        for what, value in (("terminal", name), ("session", key)):
            if not _LABEL.match(value):
                raise TerminalError(f"{what}: 1 to 64 letters, digits, _ and - are required")
        return Label(name=name, key=key, session_id=self._home.session_id)

    async def _running(self) -> TmuxServer:
        if self._server is None or not self._server.is_alive:
            if self._server is not None:
                await self._server.close()
            self._server = await TmuxServer.start(self._home.runtime.config.child_environment)
        return self._server

    async def _start(
        self, server: TmuxServer, label: Label, plan: "_Plan", size: Size, options: Options
    ) -> Pane:
        path = server.place.directory / f"plan-{secrets.token_hex(8)}"
        await asyncio.to_thread(plan.write, path, options.descriptors)
        session = f"{re.sub('[^A-Za-z0-9_-]', '_', options.prefix)}{label.name}_{label.key}"
        printed = await server.run(
            *("set-option", "-g", "history-limit", str(options.scrollback), ";"),
            *("new-session", "-d", "-s", session, "-x", str(size.columns), "-y", str(size.rows)),
            *("-P", "-F", "#{pane_id} #{pane_pid}", "--", sys.executable, "-I", "-S", _STARTER, str(path)),
            # In the same breath: a program may end at once, and what it prints belongs in the log.
            *_more(f"={session}:", options),
        )
        target, pid = printed.split()
        return Pane(server, label, pane=target, session=session, pid=int(pid))

    async def _watch(self, pane: Pane, *, keep: bool) -> None:
        await pane.follow()
        log.info("terminal ended", extra={"terminal": pane.label.resource_id, "status": pane.exit_status})
        if keep and pane.server.is_alive:
            return
        async with self._opening:
            self._watches.pop(pane.label.resource_id, None)
            await self._drop(pane)

    async def _drop(self, pane: Pane) -> None:
        if self._panes.get(pane.label.resource_id) is not pane:
            return
        del self._panes[pane.label.resource_id]
        watch = self._watches.pop(pane.label.resource_id, None)
        await pane.close()
        if watch is not None:
            watch.cancel()
        self._tell_gone(pane)

    def _tell_gone(self, pane: Pane) -> None:
        self._home.uplink.put(
            SessionResourceDeleted(
                resource_id=pane.label.resource_id,
                resource_type="terminal",
                session_id=self._home.session_id,
            )
        )


def _more(target: str, options: Options) -> Iterator[str]:
    """Commands of tmux that follow the one that opens the terminal."""
    if options.passthrough:
        yield from (";", "set-option", "-q", "-p", "-t", target, "allow-passthrough", "on")
    if options.log_file is not None:
        yield from (";", "pipe-pane", "-o", "-t", target, _appending(options.log_file))


def _appending(path: Path) -> str:
    """A shell command for tmux, which expands `#` and `%` first."""
    return f"exec cat >> {shlex.quote(str(path))}".replace("#", "##").replace("%", "%%")


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the starter becomes."""

    command: Sequence[str]
    directory: str
    environment: Mapping[str, str]

    def write(self, path: Path, descriptors: Mapping[int, bytes]) -> None:
        body = {
            "command": list(self.command),
            "directory": self.directory,
            "environment": dict(self.environment),
            "descriptors": {
                str(number): content.decode("latin-1") for number, content in descriptors.items()
            },
        }
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(body, file)
