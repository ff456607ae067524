"""The engine of one session."""

import asyncio
import os
import uuid
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from claude_agent_sdk import AssistantMessage, Message, ToolResultBlock, ToolUseBlock, UserMessage

from omnigent.runner.harnesses.base import ModelError, ModelRequest, SampleEvent, TextDelta
from omnigent.runner.harnesses.claude_sdk import memory
from omnigent.runner.harnesses.claude_sdk.failing import program_error, silent
from omnigent.runner.harnesses.claude_sdk.gate import Gate
from omnigent.runner.harnesses.claude_sdk.link import START_SECONDS, Ended, Link
from omnigent.runner.harnesses.claude_sdk.memory import Memory
from omnigent.runner.harnesses.claude_sdk.options import (
    Launch,
    config_dir,
    environment_of,
    options_of,
    permission_mode,
    prepare_files,
)
from omnigent.runner.harnesses.claude_sdk.prompting import blocks_of, parted
from omnigent.runner.harnesses.claude_sdk.reading import Reader
from omnigent.runner.harnesses.conversation import Entry, entries_of
from omnigent.runner.harnesses.engine import Desk, EngineSettings

_INTERRUPT_SECONDS: Final = 10.0
_IDLE_SECONDS: Final = 10.0
_OWN_SECONDS: Final = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Seconds until a program that does not start, or says nothing in a turn, is given up."""

    start_seconds: float = START_SECONDS
    silence_seconds: float = 300.0

    @classmethod
    def of(cls, settings: EngineSettings) -> "Limits":
        """Those of a session. The program's own work comes on top of what its agent allows the provider."""
        seconds = settings.patience.silence_seconds
        return cls(silence_seconds=seconds + _OWN_SECONDS) if seconds else cls()


class ClaudeSdk:
    """An `Engine`. The program is started by the first turn and serves the next ones too.

    It is started anew, on the same conversation, when the instructions, the tools or the effort have changed;
    and on a new one, with a report of the history, when it does not know the history that a turn brings.
    """

    samples_itself = True

    def __init__(self, settings: EngineSettings, limits: Limits | None = None) -> None:
        self._settings = settings
        self._limits = limits or Limits.of(settings)
        self._gate = Gate(is_planning=permission_mode(settings) == "plan")
        self._link: Link | None = None
        self._launch: Launch | None = None
        self._memory = memory.load(settings.state_dir)
        self._resting: asyncio.Task[None] | None = None
        self._problem: Exception | None = None

    async def run(self, request: ModelRequest, desk: Desk) -> AsyncIterator[SampleEvent]:
        await self._rest()
        reader, self._problem = Reader(), None
        self._gate.open(desk, steer=self._steer, fail=self._fail, saw=self._saw)
        try:
            message = await self._begun(request, reader)
            while True:
                if message is not None:
                    for event in reader.read(message):
                        if isinstance(event, TextDelta):
                            self._memory_now.hear(event.text)
                        yield event
                    await self._follow(message)
                if reader.is_over:
                    break
                message = await self._next(reader)
            await self._gate.settle_all()
            for event in reader.finish():
                yield event
        finally:
            self._gate.close()
            self._resting = asyncio.create_task(self._after(reader), name="claude-after-turn")

    async def close(self) -> None:
        await self._rest()
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    # -- before a turn ---------------------------------------------------------------------------------

    async def _rest(self) -> None:
        """Let what the last turn left behind come to its end."""
        if self._resting is not None:
            await asyncio.wait({self._resting})
            self._resting = None

    async def _begun(self, request: ModelRequest, reader: Reader) -> Message | None:
        """Give the turn to a program; its first message. One that is found dead is replaced, once."""
        before, new = parted(request.items)
        try:
            return await self._given(Launch.of(request), before, new, reader)
        except ModelError:
            if self._link is None or self._link.is_alive:
                raise
        await self._drop()
        self._memory = None
        return await self._given(Launch.of(request), before, new, reader)

    async def _given(
        self, launch: Launch, before: Sequence[Entry], new: Sequence[Entry], reader: Reader
    ) -> Message | None:
        link, untold = await self._prepared(launch, before)
        memory.forget(self._settings.state_dir)
        self._memory_now.marks.clear()
        self._memory_now.tell([*before, *new])
        link.forget()
        await link.send(blocks_of(untold, new))
        return await self._next(reader)

    async def _prepared(self, launch: Launch, before: Sequence[Entry]) -> tuple[Link, Sequence[Entry]]:
        """A running program, and what of the history it has to be told. Raises ModelError."""
        untold = self._untold(before)
        if untold is None or launch != self._launch or self._link is None or not self._link.is_alive:
            await self._drop()
        if untold is not None and self._link is None:
            try:
                self._link = await self._started(launch, resumes=True)
            except ModelError:
                # The program cannot read its own files any more; the history is here.
                untold = None
        if untold is None:
            self._memory = Memory(session_id=str(uuid.uuid4()))
            self._link = await self._started(launch, resumes=False)
        self._launch = launch
        assert self._link is not None
        return self._link, before if untold is None else untold

    @property
    def _memory_now(self) -> Memory:
        assert self._memory is not None
        return self._memory

    def _untold(self, before: Sequence[Entry]) -> list[Entry] | None:
        """What of the history the program has to be told; None when it knows nothing of it."""
        if self._memory is None or not self._has_transcript(self._memory.session_id):
            return None
        return self._memory.untold(before)

    def _has_transcript(self, session_id: str) -> bool:
        return any((config_dir(self._settings) / "projects").glob(f"*/{session_id}.jsonl"))

    async def _started(self, launch: Launch, *, resumes: bool) -> Link:
        settings = self._settings
        prepare_files(settings, os.environ)
        options = options_of(
            settings,
            launch,
            self._gate,
            session_id=self._memory_now.session_id,
            resumes=resumes,
        )
        link = Link(replace(options, env=environment_of(settings, os.environ)))
        await link.open(seconds=self._limits.start_seconds)
        return link

    async def _drop(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            await link.close()

    # -- in a turn -------------------------------------------------------------------------------------

    async def _next(self, reader: Reader) -> Message | None:
        """The program's next message, None when it may well be silent. Raises what ends the turn."""
        link = self._link
        assert link is not None
        limit = self._limits.silence_seconds + reader.extra_seconds
        if reader.has_result:
            limit = min(limit, _IDLE_SECONDS)
        try:
            async with asyncio.timeout(limit):
                item = await link.inbox.get()
        except TimeoutError:
            if reader.has_result:
                reader.is_idle = True
            elif not self._gate.is_busy:
                raise silent(limit, opened=reader.has_begun) from None
            return None
        if self._problem is not None:
            raise self._problem
        if isinstance(item, Ended):
            raise program_error(item.words, link.stderr)
        return item

    async def _follow(self, message: Message) -> None:
        """Let go on what waits until a message and all before it have been passed on."""
        if isinstance(message, AssistantMessage):
            for block in message.content:
                if isinstance(block, ToolUseBlock):
                    self._gate.announced(block.id)
        elif isinstance(message, UserMessage) and isinstance(message.content, list):
            for block in message.content:
                if isinstance(block, ToolResultBlock):
                    await self._gate.leftover(block.tool_use_id, block.content)

    def _fail(self, problem: Exception) -> None:
        """The desk said that the turn is over; that stands above what the program has still to say."""
        self._problem = problem
        if self._link is not None:
            self._link.wake()

    def _saw(self, name: str) -> None:
        self._memory_now.saw_call(name)

    async def _steer(self, messages: Sequence[Mapping[str, Any]]) -> None:
        """The program takes up what arrives in its input after the tool that is running."""
        entries = entries_of([{"type": "message", "role": "user", **message} for message in messages])
        self._memory_now.tell(entries)
        if self._link is not None and entries:
            await self._link.send(blocks_of([], entries))

    # -- after a turn ----------------------------------------------------------------------------------

    async def _after(self, reader: Reader) -> None:
        """Bring the program to rest, and keep what it knows when that is known."""
        link = self._link
        if link is None:
            return
        if not reader.is_over:
            try:
                async with asyncio.timeout(_INTERRUPT_SECONDS):
                    await link.interrupt()
                reader.partial = ""
            except (ModelError, TimeoutError):
                await self._drop()
                self._memory = None
                return
        if reader.partial or self._gate.is_spoiled:
            # What was shown is not what the program has kept: the next turn is told the history.
            self._memory = None
        elif self._memory is not None:
            with suppress(OSError):
                self._memory.save(self._settings.state_dir)
