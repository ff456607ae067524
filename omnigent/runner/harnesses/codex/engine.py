"""The engine of the `codex` harness: one app server and one thread for a session."""

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any, Final

from omnigent.runner.harnesses.base import Finished, ModelError, ModelRequest, Retry, SampleEvent
from omnigent.runner.harnesses.codex.launch import Launch, prepare
from omnigent.runner.harnesses.codex.memory import Item, Memory, Thread, Transcript, divided, offer_of
from omnigent.runner.harnesses.codex.place import Limits, Place
from omnigent.runner.harnesses.codex.prompt import input_of
from omnigent.runner.harnesses.codex.turn import Leg
from omnigent.runner.harnesses.codex.wire import Gone, Refused, Wire
from omnigent.runner.harnesses.codex.workshop import Suppressed, Workshop
from omnigent.runner.harnesses.engine import Desk, EngineSettings
from omnigent.runner.harnesses.failures import AttemptFailed
from omnigent.runner.harnesses.responses_wire import input_of as responses_input

_CLIENT: Final = {"name": "omnigent", "title": "Omnigent", "version": "1"}
_ABILITIES: Final = {"experimentalApi": True, "requestAttestation": False}


class Codex:
    """An `Engine`. A thread that does not know the history is replaced by one that is told it.

    Anything that leaves the state of the app server in doubt ends it; the next turn starts another one.
    """

    samples_itself = True

    def __init__(self, settings: EngineSettings, *, limits: Limits | None = None) -> None:
        self._settings = settings
        self._limits = limits or Limits.of(settings)
        self._memory = Memory(settings.state_dir / "thread.json")
        self._wire: Wire | None = None
        self._is_confined = True
        self._loaded = ""

    @property
    def group(self) -> int | None:
        """The process group of the app server, None when none runs."""
        return self._wire.group if self._wire is not None and self._wire.is_open else None

    def run(self, request: ModelRequest, desk: Desk) -> AsyncIterator[SampleEvent]:
        return self._run(request, desk)

    async def close(self) -> None:
        wire, self._wire, self._loaded = self._wire, None, ""
        if wire is not None:
            await wire.close()

    async def _run(self, request: ModelRequest, desk: Desk) -> AsyncGenerator[SampleEvent, None]:
        before, new = divided(request.items)
        transcript = Transcript([*before, *new])
        place = await self._ready(request, before)
        # What a turn leaves behind is known at its end; until then nobody may take it up.
        self._memory.forget()
        is_ours = True
        try:
            async with aclosing(self._legs(place, request, desk, transcript, new)) as events:
                async for event in events:
                    yield event
        except Gone as problem:
            raise ModelError("harness_error", f"Codex broke down: {problem}") from problem
        except Refused as problem:
            raise ModelError("harness_error", f"Codex refused the turn: {problem}") from problem
        except Suppressed:
            is_ours = False
            raise
        finally:
            if is_ours and self._loaded:
                self._memory.write(
                    Thread(thread_id=self._loaded, offer=offer_of(request), lines=transcript.digest())
                )
        yield Finished("stop")

    # -- a turn ------------------------------------------------------------------------------------------

    async def _legs(
        self,
        place: Place,
        request: ModelRequest,
        desk: Desk,
        transcript: Transcript,
        new: Sequence[Item],
    ) -> AsyncGenerator[SampleEvent, None]:
        """Run Codex's loop until the turn is done: again after a passing failure, and for late input."""
        workshop = Workshop(desk, self._settings, is_confined=self._is_confined)
        user_input = input_of(new, place.files)
        repeats = 0
        while True:
            leg = Leg(place, request, desk, workshop, transcript)
            try:
                async with aclosing(leg.run(user_input)) as events:
                    async for event in events:
                        yield event
                failure = None
            except AttemptFailed as problem:
                failure = problem
            finally:
                if not await leg.stop():
                    await self.close()
            user_input = leg.pending
            if failure is None:
                if not user_input:
                    break
                continue
            repeats = 1 if leg.has_acted else repeats + 1
            limit = 0 if leg.shown or not self._loaded else self._limit(failure)
            if repeats > limit:
                await workshop.leave()
                raise ModelError(failure.code, failure.message) from failure
            retry = self._retry(failure, repeats, limit)
            yield retry
            await asyncio.sleep(retry.delay_seconds)
        await workshop.leave()

    def _limit(self, failure: AttemptFailed) -> int:
        return min(self._limits.max_retries, failure.retries_among(self._limits.retried_statuses))

    def _retry(self, failure: AttemptFailed, attempt: int, limit: int) -> Retry:
        limits = self._limits
        longest = min(limits.backoff_max_seconds, limits.backoff_base_seconds * 2.0 ** min(attempt - 1, 32))
        return Retry(
            attempt=attempt,
            max_attempts=limit,
            delay_seconds=longest * (1 - random.random() / 2 if limits.has_jitter else 1),
            code=failure.code,
            message=failure.message,
        )

    # -- the program and its thread ----------------------------------------------------------------------

    async def _ready(self, request: ModelRequest, before: Sequence[Item]) -> Place:
        """A thread that knows what was said before. Raises ModelError when it cannot be had."""
        seconds = self._limits.start_seconds
        try:
            async with asyncio.timeout(seconds):
                wire = await self._connected()
                await self._thread(wire, request, before)
        except (Gone, Refused, TimeoutError) as problem:
            await self.close()
            words = str(problem) or f"it was not ready within {seconds:g} s"
            raise ModelError("harness_error", f"Codex could not be started: {words}") from problem
        except asyncio.CancelledError:
            await self.close()
            raise
        return Place(
            wire=wire,
            thread_id=self._loaded,
            files=self._settings.state_dir / "files",
            limits=self._limits,
        )

    async def _connected(self) -> Wire:
        if self._wire is not None and await _is_alive(self._wire, self._limits.call_seconds):
            return self._wire
        await self.close()
        launch: Launch = await asyncio.to_thread(
            prepare, self._settings, silence_seconds=self._limits.silence_seconds
        )
        self._is_confined = launch.is_confined
        wire = self._wire = await Wire.open(launch.command, launch.environment, self._settings.workspace)
        about = {"clientInfo": _CLIENT, "capabilities": _ABILITIES}
        await wire.call("initialize", about, seconds=self._limits.start_seconds)
        await wire.notify("initialized")
        return wire

    async def _thread(self, wire: Wire, request: ModelRequest, before: Sequence[Item]) -> None:
        known = self._memory.read()
        is_current = (
            known is not None
            and known.offer == offer_of(request)
            and known.lines == Transcript(before).digest()
        )
        if (known is not None and is_current) and (
            self._loaded == known.thread_id or await self._resumed(wire, request, known.thread_id)
        ):
            return
        self._loaded = ""
        tools = [
            {
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "inputSchema": {"type": "object", "properties": {}, **tool.parameters},
            }
            for tool in request.tools
        ]
        params = {**self._common(request), "dynamicTools": tools}
        answer = await wire.call("thread/start", params, seconds=self._limits.call_seconds)
        thread_id = _thread_id(answer)
        if items := responses_input(before):
            told = {"threadId": thread_id, "items": [_spelled(item) for item in items]}
            await wire.call("thread/inject_items", told, seconds=self._limits.call_seconds)
        self._loaded = thread_id

    async def _resumed(self, wire: Wire, request: ModelRequest, thread_id: str) -> bool:
        params = {**self._common(request), "threadId": thread_id, "excludeTurns": True}
        try:
            await wire.call("thread/resume", params, seconds=self._limits.call_seconds)
        except Refused:
            return False
        self._loaded = thread_id
        return True

    def _common(self, request: ModelRequest) -> dict[str, Any]:
        return {
            "model": request.model,
            "cwd": str(self._settings.workspace),
            "approvalPolicy": "untrusted",
            "developerInstructions": request.instructions or None,
        }


async def _is_alive(wire: Wire, seconds: float) -> bool:
    """Whether it can run another turn; what it said since the last one, about old commands, is dropped."""
    try:
        await wire.call("thread/loaded/list", {}, seconds=seconds)
    except Gone:
        return False
    while not wire.inbox.empty():
        message = wire.inbox.get_nowait()
        if message is not None and message.request_id is not None:
            await wire.refuse(message)
    return wire.is_open


def _spelled(item: dict[str, Any]) -> dict[str, Any]:
    """The item with the text of an assistant's message as a block, the only form that Codex reads."""
    content = item.get("content")
    if isinstance(content, str):
        return {**item, "content": [{"type": "output_text", "text": content}]}
    return item


def _thread_id(answer: Any) -> str:
    thread = answer.get("thread")
    thread_id = thread.get("id") if isinstance(thread, dict) else None
    if not isinstance(thread_id, str):
        raise Refused("it did not name the thread that it started")
    return thread_id
