"""A turn of a session whose harness is a program in a terminal: typed in, and over when the program rests."""

import asyncio
import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from omnigent.runner.announce import Announcer
from omnigent.runner.harnesses.base import ModelError, ModelRequest, ToolCall, Usage
from omnigent.runner.inbox import Message
from omnigent.runner.native.memory import Typed
from omnigent.runner.native.program import Launch
from omnigent.runner.native.room import Seat
from omnigent.runner.policy_gate import Verdict, llm_request_event
from omnigent.runner.turn import TurnSettings

NO_TEXT: Final = "invalid_input"
_LAST_POSTS_SECONDS: Final = 5.0


class World(Protocol):
    """What the turn asks of its session."""

    async def evaluate(self, event: Mapping[str, Any]) -> Verdict: ...

    def take_steers(self) -> Sequence[Message]: ...


class NativeTurn:
    """Runs once. `nudge` tells it that messages have come, which are typed while the program works."""

    unfinished: Sequence[ToolCall] = ()

    def __init__(
        self,
        *,
        settings: TurnSettings,
        seat: Seat,
        workspace: Path,
        announcer: Announcer,
        messages: Sequence[Message],
        world: World,
    ) -> None:
        self._settings = settings
        self._seat = seat
        self._workspace = workspace
        self._announcer = announcer
        self._messages = messages
        self._world = world
        self._came = asyncio.Event()

    def nudge(self) -> None:
        self._came.set()

    async def run(self) -> None:
        """Raises ModelError; cancelling it interrupts the program.

        Only completion is announced here, once everything that the program said has been stored.
        """
        self._announcer.start()
        seat = self._seat
        seat.attended, seat.reader.response_id = True, self._announcer.response_id
        try:
            await self._permitted()
            await seat.ensure(self._launch(), self._workspace)
            for message in self._messages:
                await seat.send(prompt_of(message))
            await self._until_over()
        except asyncio.CancelledError:
            await asyncio.shield(asyncio.ensure_future(self._stop()))
            raise
        finally:
            seat.attended = False
        await self._finish()

    async def _stop(self) -> None:
        await self._seat.interrupt()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_POSTS_SECONDS):
                await self._seat.mirror.delivered()

    async def _until_over(self) -> None:
        while True:
            over = asyncio.create_task(self._seat.over())
            came = asyncio.create_task(self._came.wait())
            try:
                await asyncio.wait({over, came}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                came.cancel()
                if not over.done():
                    over.cancel()
                await asyncio.gather(came, over, return_exceptions=True)
            self._came.clear()
            steers = self._world.take_steers()
            for message in steers:
                await self._seat.send(prompt_of(message))
            if not steers and over.done() and not over.cancelled():
                over.result()
                return

    async def _finish(self) -> None:
        await self._seat.mirror.delivered()
        ended = self._seat.reader.ended
        if ended is not None and ended.kind == "failed":
            raise ModelError("model_error", ended.message or "The program ended its turn with an error.")
        if ended is not None and ended.kind == "interrupted":
            raise asyncio.CancelledError
        self._announcer.completed(Usage())

    async def _permitted(self) -> None:
        settings = self._settings
        request = ModelRequest(
            model=settings.model,
            instructions=settings.instructions,
            items=[{"type": "message", "role": "user", "content": m.get("content")} for m in self._messages],
            tools=(),
        )
        verdict = await self._world.evaluate(llm_request_event(request, settings.harness))
        if not verdict.is_allowed:
            raise ModelError("policy_denied", verdict.refusal)

    def _launch(self) -> Launch:
        settings = self._settings
        return Launch(
            model=settings.model,
            instructions=settings.instructions,
            effort=settings.reasoning_effort,
            conversation="",
            hook="",
        )


def prompt_of(message: Message) -> Typed:
    """What is typed of a message. Raises ModelError for one without text."""
    content = message.get("content")
    blocks = [block for block in content or () if isinstance(block, Mapping)]
    text = "\n\n".join(str(block["text"]) for block in blocks if isinstance(block.get("text"), str)).strip()
    if not text:
        raise ModelError(NO_TEXT, "A program in a terminal takes text; the message has none.")
    return Typed(
        text=text,
        item_id=str(message.get("persisted_item_id") or ""),
        pending_id=str(message.get("pending_id") or ""),
    )
