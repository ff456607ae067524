"""Somebody who looks at a terminal from elsewhere: gets its screen and then its bytes, and may type."""

import asyncio
import contextlib
import json
import re
import time
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Final

from omnigent.runner.terminals.pane import CHUNK, Pane

ENDED: Final = 4404
DETACHED: Final = 4405
FAILED: Final = 4500
MOST_SLICE: Final = 64 * 1024
QUICK_SLICE: Final = 2 * 1024
MOST_WAITING: Final = 1024 * 1024
_QUICK_SECONDS: Final = 0.75
_DRAIN_SECONDS: Final = 0.3
_CLOSING_SECONDS: Final = 5.0
_READ: Final = 64 * 1024
_HISTORY: Final = 2000
_LARGEST: Final = 1000
_OCTAL: Final = re.compile(rb"\\([0-7]{3})")
_BEHIND: Final = b"too far behind"
# Which number sets a mode (h) and clears it (l), by the name that tmux has for it.
_MODES: Final = {
    "cursor_flag": "?25",
    "keypad_cursor_flag": "?1",
    "wrap_flag": "?7",
    "insert_flag": "4",
    "mouse_standard_flag": "?1000",
    "mouse_button_flag": "?1002",
    "mouse_all_flag": "?1003",
    "mouse_sgr_flag": "?1006",
}
_FACTS: Final = ("alternate_on", "cursor_x", "cursor_y", "keypad_flag", *_MODES)

Sender = Callable[[bytes], Awaitable[None]]


class Viewer:
    """Runs until the terminal ends, or until it is cancelled. `send` may take its time: nothing more is read
    meanwhile, and a viewer that stays too far behind starts again with the screen as it is then.
    """

    def __init__(self, pane: Pane, send: Sender, *, is_read_only: bool) -> None:
        self._pane = pane
        self._send = send
        self._is_read_only = is_read_only
        self._process: Process | None = None
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._size = b""
        self._typed_at = 0.0

    async def run(self) -> tuple[int, str]:
        """Why it ended: a WebSocket close code and words."""
        ended = asyncio.create_task(self._pane.wait(), name="viewed-end")
        try:
            while not self._pane.exited:
                following = asyncio.create_task(self._follow(), name="viewed-output")
                try:
                    await asyncio.wait({ended, following}, return_when=asyncio.FIRST_COMPLETED)
                    if ended.done():
                        await asyncio.wait({following}, timeout=_DRAIN_SECONDS)
                    elif not following.result():
                        # A terminal that is being closed loses its viewers a moment before it has ended.
                        await asyncio.wait({ended}, timeout=_CLOSING_SECONDS)
                        return _GONE if ended.done() else (DETACHED, "detached")
                finally:
                    following.cancel()
                    await asyncio.gather(following, return_exceptions=True)
            return _GONE
        finally:
            ended.cancel()

    def take(self, message: bytes | str) -> bool:
        """What the other side sent: keys as bytes, a size as text. False when it is more than it takes."""
        if self._is_read_only:
            return True
        if isinstance(message, str):
            self._resize(message)
            return True
        self._typed_at = time.monotonic()
        target = self._pane.target.encode()
        lines = b"".join(
            b"send-keys -t %s -H %s\n" % (target, message[start : start + CHUNK].hex(" ").encode())
            for start in range(0, len(message), CHUNK)
        )
        return self._tell(lines)

    # -- inside ----------------------------------------------------------------------------------------

    def _resize(self, text: str) -> None:
        with contextlib.suppress(ValueError, TypeError):
            asked = json.loads(text)
            if isinstance(asked, Mapping) and asked.get("type") == "resize":
                size = [max(1, min(int(asked[name]), _LARGEST)) for name in ("cols", "rows") if name in asked]
                if len(size) == len(("cols", "rows")):
                    self._size = b"refresh-client -C %dx%d\n" % tuple(size)
                    self._tell(self._size)

    def _tell(self, lines: bytes) -> bool:
        """Commands for tmux; those that come before it listens wait."""
        pipe = self._process.stdin if self._process is not None else None
        if pipe is not None:
            pipe.write(lines)
            return pipe.transport.get_write_buffer_size() <= MOST_WAITING
        self._waiting.append(lines)
        self._waiting_bytes += len(lines)
        return self._waiting_bytes <= MOST_WAITING

    async def _follow(self) -> bool:
        """Send the screen and what follows; whether it is worth starting again."""
        process = await self._pane.server.attach(self._pane.session, ignores_size=self._is_read_only)
        try:
            return await self._pass_on(process)
        finally:
            self._process = None
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def _begin(self, process: Process) -> None:
        """Ask for the screen and pass on what has waited: before it is attached tmux refuses commands."""
        assert process.stdin is not None
        process.stdin.write(self._size + self._seeding() + b"".join(self._waiting))
        self._process, self._waiting, self._waiting_bytes = process, [], 0

    def _seeding(self) -> bytes:
        """From here on output is told, beginning with what comes after this screen."""
        target = self._pane.target
        facts = " ".join(f"{name}=#{{{name}}}" for name in _FACTS)
        return (
            f"refresh-client -f '!no-output' ; display-message -p -t {target} '{facts}' ; "
            f"capture-pane -e -p -t {target} -S -{_HISTORY}\n"
        ).encode()

    async def _pass_on(self, process: Process) -> bool:
        output = b"%output " + self._pane.target.encode() + b" "
        replies = _Replies()
        is_seeded = False
        waiting = bytearray()
        async for lines in _lines(process):
            for line in lines:
                if replies.take(line):
                    if not is_seeded and replies.seed is not None:
                        is_seeded = True
                        waiting += replies.seed
                elif line.startswith(b"%session-changed ") and self._process is None:
                    self._begin(process)
                elif line.startswith(b"%exit"):
                    await self._flush(waiting)
                    return _BEHIND in line
                elif is_seeded and line.startswith(output):
                    waiting += _OCTAL.sub(lambda found: bytes([int(found[1], 8)]), line[len(output) :])
            await self._flush(waiting)
        return False

    async def _flush(self, waiting: bytearray) -> None:
        while waiting:
            is_quick = time.monotonic() - self._typed_at < _QUICK_SECONDS
            size = QUICK_SLICE if is_quick else MOST_SLICE
            await self._send(bytes(waiting[:size]))
            del waiting[:size]


_GONE: Final = (ENDED, "the terminal has ended")


class _Replies:
    """What tmux answers to commands, between lines that name the command: the first that looks like facts is,
    and the next is the screen. `seed` is there once both are.
    """

    def __init__(self) -> None:
        self.seed: bytes | None = None
        self._ends: tuple[bytes, ...] = ()
        self._body: list[bytes] = []
        self._facts: Mapping[str, str] | None = None

    def take(self, line: bytes) -> bool:
        """Whether the line belongs to an answer."""
        if not self._ends:
            if line.startswith(b"%begin "):
                self._ends = (line.replace(b"%begin", b"%end", 1), line.replace(b"%begin", b"%error", 1))
                self._body = []
            return bool(self._ends)
        if line not in self._ends:
            self._body.append(line)
            return True
        self._ends = ()
        if self._facts is not None and self.seed is None:
            self.seed = _seed(self._facts, self._body)
        elif self._facts is None and self._body and self._body[0].startswith(b"alternate_on="):
            self._facts = _facts(self._body[0])
        return True


async def _lines(process: Process) -> AsyncIterator[list[bytes]]:
    """Whole lines, as many as there are at a time."""
    assert process.stdout is not None
    rest = b""
    while data := await process.stdout.read(_READ):
        *lines, rest = (rest + data).split(b"\n")
        yield lines


def _facts(line: bytes) -> Mapping[str, str]:
    return dict(part.partition("=")[::2] for part in line.decode("utf-8", "replace").split())


def _seed(facts: Mapping[str, Any], screen: list[bytes]) -> bytes:
    """What makes another terminal show the same, with the lines above and the cursor where it is."""
    is_alternate = facts.get("alternate_on") == "1"
    modes = "".join(
        f"\x1b[{number}{'h' if facts.get(name) == '1' else 'l'}" for name, number in _MODES.items()
    )
    keypad = "\x1b=" if facts.get("keypad_flag") == "1" else "\x1b>"
    start = f"\x1b[!p\x1b[?1049{'h' if is_alternate else 'l'}{modes}{keypad}\x1b[0m\x1b[H\x1b[2J\x1b[3J"
    column, row = int(facts.get("cursor_x") or 0) + 1, int(facts.get("cursor_y") or 0) + 1
    return start.encode() + b"\r\n".join(screen) + f"\x1b[0m\x1b[{row};{column}H".encode()
