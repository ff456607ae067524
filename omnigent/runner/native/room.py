"""A session's program: started when it is needed, typed into, watched, interrupted, ended."""

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from omnigent.runner.approvals import Approvals
from omnigent.runner.harnesses.base import ModelError
from omnigent.runner.native.desk import SessionDesk
from omnigent.runner.native.entries import Ended
from omnigent.runner.native.hooks import HookSocket
from omnigent.runner.native.keyboard import Keyboard
from omnigent.runner.native.memory import Memory, Typed
from omnigent.runner.native.mirror import Mirror
from omnigent.runner.native.program import Launch, NativeProgram, Place
from omnigent.runner.native.reader import Reader
from omnigent.runner.rooms import Home
from omnigent.runner.terminals.errors import TerminalError
from omnigent.runner.terminals.pane import Pane
from omnigent.runner.terminals.room import Options, Terminals

log = logging.getLogger(__name__)

EXITED: Final = "program_exited"
_LOOK_SECONDS: Final = 0.1
_LAST_POSTS_SECONDS: Final = 1.0
_TAIL_LINES: Final = 15


class Seat:
    """One program of one session. `attended` is true while a turn of the session's own runs."""

    def __init__(
        self, home: Home, terminals: Terminals, program: NativeProgram, directory: Path, approvals: Approvals
    ) -> None:
        self.program = program
        self.attended = False
        self.memory = Memory(directory)
        self.mirror = Mirror(home.runtime.api, home.session_id)
        self.reader = Reader(program, self.memory, self.mirror, attended=lambda: self.attended)
        self._home = home
        self._terminals = terminals
        self._desk = SessionDesk(home, approvals, moved=self._moved, is_typed=self._is_typed)
        self._socket = HookSocket(self._hooked)
        self._pane: Pane | None = None
        self._keyboard: Keyboard | None = None
        self._launch: Launch | None = None
        self._watching: asyncio.Task[None] | None = None
        self._look = asyncio.Event()
        self._has_resumed = False

    @property
    def is_running(self) -> bool:
        return self._pane is not None and not self._pane.exited

    # -- life --------------------------------------------------------------------------------------------

    async def ensure(self, launch: Launch, workspace: Path) -> None:
        """Have the program run and take prompts, with what was left unread before it. Raises ModelError."""
        if not self._has_resumed:
            self._has_resumed = True
            self.reader.resume()
        if self.is_running and self._launch not in (None, launch) and not self.reader.is_busy:
            await self.end()
        if not self.is_running:
            try:
                await self._start(launch, workspace)
            except TerminalError as exc:
                raise ModelError("harness_not_configured", str(exc)) from exc
            for prompt in self.memory.waiting:
                await self._typed(prompt)

    async def _start(self, launch: Launch, workspace: Path) -> None:
        await self._socket.open()
        conversation = self.memory.conversation
        place = self.program.transcript(conversation) if conversation else None
        told = replace(launch, conversation=conversation if place else "", hook=self._socket.command)
        start = await asyncio.to_thread(self.program.prepare, told)
        pane = await self._terminals.launch(
            self.program.terminal,
            start.command,
            workspace,
            start.environment,
            options=Options(keep=True, descriptors=start.descriptors),
        )
        self._pane, self._launch = pane, launch
        self._keyboard = Keyboard(self.program, pane)
        if start.conversation:
            self.memory.conversation = start.conversation
        if place is not None:
            self.reader.follow(Place(conversation=conversation, transcript=place))
        self._watching = asyncio.create_task(self._watch(pane), name=f"program-{self._home.session_id}")
        try:
            await self._keyboard.ready(starting=True)
        except TerminalError as exc:
            raise ModelError(EXITED, await self._said(pane, str(exc))) from exc

    async def end(self) -> None:
        """End the program; the conversation can be gone on with."""
        pane, self._pane = self._pane, None
        if pane is not None:
            await self._terminals.end(pane)
        if self._watching is not None:
            await asyncio.gather(self._watching, return_exceptions=True)

    async def close(self) -> None:
        await self.end()
        await self._socket.close()
        self.reader.read()
        await self.mirror.close(_LAST_POSTS_SECONDS)

    async def _watch(self, pane: Pane) -> None:
        """Read along until the program has ended."""
        while not pane.exited:
            self.reader.read()
            self._look.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._look.wait()
        self.reader.read()
        if self._pane is not pane:
            self.reader.broken_off()
            return
        if not self.attended and (self.reader.is_busy or pane.exit_status):
            self.reader.is_busy = True
            self.reader.give_up(Ended(kind="failed", message=await self._said(pane, "")))
        self.reader.broken_off()

    async def _said(self, pane: Pane, why: str) -> str:
        """What the last screen shows, for people."""
        lines = [line.rstrip() for line in (await pane.screen()).splitlines() if line.strip()]
        how = "" if pane.exit_status is None else f" with code {pane.exit_status}"
        head = why if why and not pane.exited else f"The program {self.program.terminal} has ended{how}."
        return "\n".join([f"{head} Its screen:", *lines[-_TAIL_LINES:]]) if lines else head

    # -- prompts -----------------------------------------------------------------------------------------

    async def send(self, prompt: Typed) -> None:
        """Type a prompt, unless it waits already. Raises ModelError when the program has ended."""
        if self.memory.awaits(prompt):
            return
        self.memory.will_type(prompt)
        await self._typed(prompt)

    async def _typed(self, prompt: Typed) -> None:
        assert self._keyboard is not None and self._pane is not None
        try:
            await self._keyboard.enter(
                prompt.text,
                is_taken=lambda: prompt not in self.memory.waiting,
                is_busy=lambda: self.reader.is_busy,
            )
        except TerminalError as exc:
            raise ModelError(EXITED, await self._said(self._pane, str(exc))) from exc

    async def over(self) -> Ended:
        """Wait until nothing that was typed is left to do. Raises ModelError when the program ends before."""
        while not self._rests():
            self.reader.changed.clear()
            pane, watching = self._pane, self._watching
            if pane is None or watching is None or watching.done():
                if not self._rests():
                    raise ModelError(EXITED, await self._said(pane, "") if pane else "The program was ended.")
                break
            changed = asyncio.create_task(self.reader.changed.wait())
            try:
                await asyncio.wait({changed, watching}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
            if watching.done() and pane.exited:
                raise ModelError(EXITED, await self._said(pane, ""))
        return self.reader.ended or Ended(kind="completed")

    async def interrupt(self) -> None:
        """Have the program stop what it does; nothing happens when it does nothing."""
        if self._keyboard is None or not self.is_running:
            return
        self.reader.read()
        if self._rests():
            return
        try:
            if not await self._keyboard.interrupt(is_over=self._rests):
                # It gave the prompt back as if it had never been entered, and its transcript is silent.
                self.memory.drop()
                self.reader.give_up(Ended(kind="interrupted"))
        except TerminalError as exc:
            log.info("not interrupted", extra={"error": str(exc)})

    def _rests(self) -> bool:
        """Nothing is being done, and nothing was typed of which the transcript does not tell yet."""
        return not (self.reader.is_busy or self.memory.waiting)

    # -- hooks -------------------------------------------------------------------------------------------

    async def _hooked(self, event: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = await self.program.hooked(event, self._desk)
        self._look.set()
        return answer

    def _moved(self, place: Place) -> None:
        self.reader.follow(place)
        self._look.set()

    def _is_typed(self, text: str) -> bool:
        return self.memory.knows(text)


class NativeRoom:
    """The room of a session whose harness is a program in a terminal."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._key: tuple[str, str] | None = None
        self.seat: Seat | None = None

    def has(self, key: tuple[str, str]) -> bool:
        """Whether the seat is for this harness and content of the agent."""
        return self.seat is not None and self._key == key

    async def take(
        self,
        key: tuple[str, str],
        program: NativeProgram,
        directory: Path,
        *,
        terminals: Terminals,
        approvals: Approvals,
    ) -> Seat:
        """A new seat; that of another harness or content is given up."""
        await self.close()
        self.seat = Seat(self._home, terminals, program, directory, approvals)
        self._key = key
        return self.seat

    @property
    def has_work(self) -> bool:
        return self.seat is not None and self.seat.reader.is_busy

    async def close(self) -> None:
        seat, self.seat = self.seat, None
        if seat is not None:
            await seat.close()
