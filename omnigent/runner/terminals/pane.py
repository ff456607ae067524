"""One program in a terminal: typing, pressing keys, reading the screen, and how it ended."""

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from omnigent.runner.terminals.errors import TerminalError
from omnigent.runner.terminals.exits import remind
from omnigent.runner.terminals.keys import known
from omnigent.runner.terminals.tmux import TmuxServer

CHUNK: Final = 1024
MOST_TEXT: Final = 256 * 1024
MOST_SCREEN: Final = 256 * 1024
_LAST_LINES: Final = 200
_HANGUP_SECONDS: Final = 1.0
_FACTS: Final = "#{pane_dead}\t#{pane_dead_status}\t#{pane_dead_signal}"


@dataclass(frozen=True, slots=True)
class Size:
    """In characters."""

    columns: int = 120
    rows: int = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Label:
    """What a terminal is called: the name of its kind, and a key that tells terminals of a kind apart."""

    name: str
    key: str
    session_id: str

    @property
    def resource_id(self) -> str:
        return f"terminal_{self.name}_{self.key}"


class Pane:
    """A program that runs, or ran, on a screen of its own. Calls on one that is closed raise TerminalError,
    except `screen`, which then is the last that it showed.
    """

    def __init__(self, server: TmuxServer, label: Label, *, pane: str, session: str, pid: int) -> None:
        self.label = label
        self.target = pane
        self.session = session
        self.pid = pid
        self.started_at = int(time.time())
        self.exit_status: int | None = None
        """The exit code; 128 and more for a signal; None while it runs and when nobody knows."""
        self._server = server
        self._ended = asyncio.Event()
        self._closed = False
        self._last = ""
        self._typing = asyncio.Lock()

    @property
    def exited(self) -> bool:
        return self._ended.is_set()

    @property
    def server(self) -> TmuxServer:
        return self._server

    async def wait(self) -> int | None:
        """Wait until the program has ended; its `exit_status`."""
        await self._ended.wait()
        return self.exit_status

    def resource(self) -> dict[str, Any]:
        """The terminal as the API shows it."""
        label = self.label
        return {
            "id": label.resource_id,
            "object": "session.resource",
            "type": "terminal",
            "session_id": label.session_id,
            "name": label.name,
            "environment": f"env_{label.resource_id}",
            "metadata": {
                "terminal_name": label.name,
                "session_key": label.key,
                "running": not self.exited,
                "exit_status": self.exit_status,
                "started_at": self.started_at,
            },
        }

    # -- in and out ------------------------------------------------------------------------------------

    async def type(self, text: str | bytes) -> None:
        """Send characters as they are; a line break is the Enter key only where the program takes it so."""
        data = text.encode("utf-8", "replace") if isinstance(text, str) else text
        if len(data) > MOST_TEXT:
            raise TerminalError(f"text: at most {MOST_TEXT} bytes at once")
        self._require_running()
        async with self._typing:
            for start in range(0, len(data), CHUNK):
                codes = [f"{byte:02x}" for byte in data[start : start + CHUNK]]
                await self._server.run("send-keys", "-t", self.target, "-H", *codes)

    async def paste(self, text: str) -> None:
        """Insert text as one piece: a program that knows pastes does not act on the line breaks in it."""
        self._require_running()
        data = "".join(sign for sign in text if sign in "\n\t" or sign.isprintable()).encode(
            "utf-8", "replace"
        )
        if len(data) > MOST_TEXT:
            raise TerminalError(f"text: at most {MOST_TEXT} bytes at once")
        buffer = f"paste{self.target.removeprefix('%')}"
        async with self._typing:
            await self._server.run("load-buffer", "-b", buffer, "-", given=data)
            await self._server.run("paste-buffer", "-d", "-p", "-b", buffer, "-t", self.target)

    async def press(self, *keys: str) -> None:
        """Press keys by name, such as `Enter`, `C-c`, `Down`. Raises TerminalError for unknown ones."""
        self._require_running()
        async with self._typing:
            await self._server.run("send-keys", "-t", self.target, "--", *known(list(keys)))

    async def screen(self, scrollback: int = 0) -> str:
        """What is on the screen, with so many lines from above it; at most the last 256 KiB."""
        if self._closed:
            return self._last
        start = ("-S", str(-scrollback)) if scrollback > 0 else ()
        try:
            text = await self._server.run("capture-pane", "-p", "-t", self.target, *start)
        except TerminalError:
            if self._closed or self._ended.is_set():
                return self._last  # it was closed meanwhile
            raise
        return text.rstrip()[-MOST_SCREEN:]

    # -- the end ---------------------------------------------------------------------------------------

    async def follow(self) -> None:
        """Return when the program has ended, however that came; only the room calls this."""
        reminding = asyncio.create_task(remind(self.pid, self._server.pid), name=f"remind-{self.pid}")
        try:
            await self._server.run("wait-for", f"ended{self.target}", patient=True)
            facts = await self._server.run("display-message", "-p", "-t", self.target, _FACTS)
            _, status, number = facts.rstrip("\n").split("\t")
            self.exit_status = int(status) if status else 128 + int(number) if number.isdigit() else None
            self._last = await self.screen(_LAST_LINES)
        except TerminalError:
            self.exit_status = None
        finally:
            reminding.cancel()
        self._ended.set()

    async def close(self) -> None:
        """End the program and everything in its session; nothing happens the second time."""
        if self._closed:
            return
        if self._server.is_alive:
            with contextlib.suppress(TerminalError):
                self._last = await self.screen(_LAST_LINES)
        self._closed = True
        if self._server.is_alive:
            with contextlib.suppress(TerminalError):
                await self._server.run("kill-session", "-t", f"={self.session}")
        await asyncio.to_thread(_end_members, self.pid)
        self._ended.set()

    def _require_running(self) -> None:
        if self._closed or self.exited:
            raise TerminalError(f"the terminal {self.label.name}/{self.label.key} has ended")


def _end_members(session: int) -> None:
    """Let them take the hangup, then kill."""
    until = time.monotonic() + _HANGUP_SECONDS
    while (left := _members(session)) and time.monotonic() < until:
        time.sleep(0.02)
    for process in left:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(process, signal.SIGKILL)


def _members(session: int) -> list[int]:
    """Processes of a kernel session that still run; where there is no /proc, none."""
    found = []
    for entry in os.scandir("/proc") if Path("/proc/self/stat").exists() else ():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = Path(entry.path, "stat").read_text().rpartition(")")[2].split()
                if int(fields[3]) == session and fields[0] != "Z":
                    found.append(int(entry.name))
    return found
