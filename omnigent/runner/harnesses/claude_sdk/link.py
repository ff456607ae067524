"""The connection with one running program."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final

from claude_agent_sdk import ClaudeAgentOptions, ClaudeSDKClient, Message, ResultMessage, SystemMessage

from omnigent.runner.harnesses.base import ModelError
from omnigent.runner.harnesses.claude_sdk.failing import program_error
from omnigent.runner.harnesses.claude_sdk.prompting import Block, message_of

START_SECONDS: Final = 60.0
_HELD_MESSAGES: Final = 1000
_STDERR_LINES: Final = 20
_STDERR_CHARACTERS: Final = 2000
_CLOSING_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Ended:
    """The program has ended, or cannot be understood any more."""

    words: str


class Link:
    """Messages wait in the inbox until a turn takes them; None there only wakes it. `close` ends it all."""

    def __init__(self, options: ClaudeAgentOptions) -> None:
        self.inbox: asyncio.Queue[Message | Ended | None] = asyncio.Queue(_HELD_MESSAGES)
        self.is_alive = False
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self._client = ClaudeSDKClient(replace(options, stderr=self._stderr.append))
        self._pump: asyncio.Task[None] | None = None

    @property
    def stderr(self) -> str:
        """The last that the program wrote to its standard error."""
        return "\n".join(self._stderr)[-_STDERR_CHARACTERS:]

    async def open(self, *, seconds: float = START_SECONDS) -> None:
        """Start the program. Raises ModelError when it does not come up in time."""
        try:
            async with asyncio.timeout(seconds):
                await self._client.connect()
        except TimeoutError:
            await self.close()
            raise program_error(f"did not start within {seconds:g} s", self.stderr) from None
        except Exception as exc:
            # The library raises errors of many kinds; each means that there is no program.
            await self.close()
            raise program_error(f"did not start: {exc}", self.stderr) from exc
        self.is_alive = True
        self._pump = asyncio.create_task(self._take(), name="claude-messages")

    def wake(self) -> None:
        """Have whoever waits for a message look up."""
        with suppress(asyncio.QueueFull):
            self.inbox.put_nowait(None)

    def forget(self) -> None:
        """Throw away what came between two turns."""
        while self.is_alive and not self.inbox.empty():
            self.inbox.get_nowait()

    async def send(self, blocks: Sequence[Block]) -> None:
        """Give the program a user's message. Raises ModelError when it is gone."""

        async def one() -> AsyncIterator[dict[str, object]]:
            yield message_of(blocks)

        await self._asked(self._client.query(one()))

    async def interrupt(self) -> None:
        """End the program's turn, and take what it still says of it. Raises ModelError."""
        await self._asked(self._client.interrupt())
        has_result = is_idle = False
        while not (has_result and is_idle):
            message = await self.inbox.get()
            if isinstance(message, Ended):
                raise program_error(message.words, self.stderr)
            has_result = has_result or isinstance(message, ResultMessage)
            if isinstance(message, SystemMessage) and message.subtype == "session_state_changed":
                is_idle = message.data.get("state") == "idle"

    async def close(self) -> None:
        """End the program, however long the caller has; it is not waited for for ever."""
        self.is_alive = False
        if self._pump is not None:
            self._pump.cancel()
        ending = asyncio.create_task(self._disconnect(), name="claude-disconnect")
        await asyncio.shield(ending)

    async def _disconnect(self) -> None:
        try:
            async with asyncio.timeout(_CLOSING_SECONDS):
                await self._client.disconnect()
        except Exception as exc:  # noqa: BLE001  whatever the library says, the program is not used again
            self._stderr.append(f"closing: {exc}")

    async def _asked(self, request: object) -> None:
        try:
            await request  # type: ignore[misc]  # a coroutine of the library's, one for each method
        except ModelError:
            raise
        except Exception as exc:
            self.is_alive = False
            raise program_error(f"cannot be reached: {exc}", self.stderr) from exc

    async def _take(self) -> None:
        words = "ended in the middle of the turn"
        try:
            async for message in self._client.receive_messages():
                await self.inbox.put(message)
        except Exception as exc:  # noqa: BLE001  an ended process and an unreadable message are told alike
            words = f"ended in the middle of the turn: {exc}"
        self.is_alive = False
        await self.inbox.put(Ended(words))
