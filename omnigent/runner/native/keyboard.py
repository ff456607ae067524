"""Types into a program as a person does, with a look at its screen before each key that acts."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from omnigent.runner.native.program import NativeProgram
from omnigent.runner.terminals.errors import TerminalError
from omnigent.runner.terminals.pane import Pane

START_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.1
_SETTLE_SECONDS: Final = 1.0
_TRIES: Final = 5
_APPEAR_SECONDS: Final = 5.0
_OVER_SECONDS: Final = 3.0

Fact = Callable[[], bool]


class Keyboard:
    """One prompt at a time. Methods raise TerminalError when the program has ended."""

    def __init__(self, program: NativeProgram, pane: Pane) -> None:
        self._program = program
        self._pane = pane
        self._hands = asyncio.Lock()

    async def ready(self, *, starting: bool = False) -> None:
        """Wait until the program takes a prompt; one that starts has a minute for it."""
        until = time.monotonic() + START_SECONDS
        while not self._program.is_ready(screen := await self._pane.screen()):
            if keys := self._program.dismissal(screen):
                # A dialog takes no keys for a moment, and longer when more come.
                await asyncio.sleep(_SETTLE_SECONDS)
                await self._pane.press(*keys)
                await asyncio.sleep(_SETTLE_SECONDS)
            if self._pane.exited:
                raise TerminalError("the program has ended")
            if starting and time.monotonic() > until:
                raise TerminalError("The program shows something that nobody expected.")
            await asyncio.sleep(_LOOK_SECONDS)

    async def enter(self, prompt: str, *, is_taken: Fact, is_busy: Fact) -> None:
        """Type a prompt, and press Enter for as long as it stands in the input field.

        A program that has just started may show its field before it reads keys: what does not appear there
        is typed again. What stood there before, given back by an interrupt or left by a person, must not
        become a part of the prompt.
        """
        async with self._hands:
            await self._have_room(is_busy)
            for _ in range(_TRIES):
                await self.ready()
                await self._pane.paste(self._program.typed(prompt))
                if await self._seen(self._program.holds_text, _APPEAR_SECONDS) or is_taken():
                    break
            for _ in range(_TRIES):
                await self.ready()
                if is_taken() or not self._program.holds_text(await self._pane.screen()):
                    return
                await self._pane.press("Enter")
                await self._seen(self._is_empty, _SETTLE_SECONDS)

    async def _have_room(self, is_busy: Fact) -> None:
        """Empty the input field; while the program works, wait instead: the key would interrupt it.

        Its screen alone does not tell: with text in the field it may not say that it works.
        """
        await self.ready()
        while is_busy() and self._program.holds_text(await self._pane.screen()):
            if self._pane.exited:
                raise TerminalError("the program has ended")
            await asyncio.sleep(_LOOK_SECONDS)
        if not is_busy():
            await self._clear()

    async def _clear(self) -> None:
        """Empty the input field of a program that rests.

        The key is pressed once only, since the second time in an empty field ends the program.
        """
        screen = await self._pane.screen()
        if self._program.holds_text(screen) and not self._program.is_working(screen):
            await self._pane.press("C-c")
            await self._seen(self._is_empty, _SETTLE_SECONDS)

    def _is_empty(self, screen: str) -> bool:
        return self._program.is_ready(screen) and not self._program.holds_text(screen)

    async def _seen(self, shows: Callable[[str], bool], seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not (found := shows(await self._pane.screen())) and time.monotonic() < until:
            if self._pane.exited:
                raise TerminalError("the program has ended")
            await asyncio.sleep(_LOOK_SECONDS)
        return found

    async def interrupt(self, *, is_over: Fact) -> bool:
        """Press the program's key for it. False when the program rests without having said that it was
        interrupted; what it put back into its input field is gone then.
        """
        async with self._hands:
            for _ in range(_TRIES):
                await self._pane.press(self._program.interrupt_key)
                if await self._wait(is_over, _OVER_SECONDS):
                    return True
                screen = await self._pane.screen()
                if self._program.is_ready(screen) and not self._program.is_working(screen):
                    await self._clear()
                    return is_over()
            return is_over()

    async def _wait(self, fact: Fact, seconds: float) -> bool:
        until = time.monotonic() + seconds
        while not fact() and time.monotonic() < until and not self._pane.exited:  # noqa: ASYNC110 - no event
            await asyncio.sleep(_LOOK_SECONDS / 2)
        return fact()
