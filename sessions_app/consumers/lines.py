"""A WebSocket of ours that goes on over a line: through a tunnel here, or to the replica that has it."""

import asyncio
import logging
from collections import deque
from collections.abc import Coroutine
from typing import Any

from omnigent.api.consumer import SocketConsumer
from sessions_app.tunnels.channel import FAULT, TOO_LARGE, Ended, Line

logger = logging.getLogger(__name__)

MAX_TYPED = 1024 * 1024
PER_MESSAGE = 64


class Typed:
    """What a client has sent and the line has not yet taken, in order and bounded."""

    def __init__(self) -> None:
        self._messages: deque[bytes | str] = deque()
        self._size = 0
        self._news = asyncio.Event()

    def put(self, message: bytes | str) -> bool:
        """Keep a message; false when it is too much."""
        self._size += len(message) + PER_MESSAGE
        if self._size > MAX_TYPED:
            return False
        self._messages.append(message)
        self._news.set()
        return True

    async def get(self) -> bytes | str:
        """The next message."""
        while not self._messages:
            self._news.clear()
            await self._news.wait()
        message = self._messages.popleft()
        self._size -= len(message) + PER_MESSAGE
        return message


class LineConsumer(SocketConsumer):
    """Subclasses call `attend` in `on_connect`, once they have a line. Nothing that passes is logged."""

    typed: Typed | None = None
    gone: asyncio.Event
    attending: "asyncio.Task[None] | None" = None

    async def attend(self, line: Line) -> None:
        """Accept, and pass messages on both ways from now on."""
        try:
            await self.accept()
        except BaseException:
            await line.close()
            raise
        self.typed, self.gone = Typed(), asyncio.Event()
        self.attending = asyncio.create_task(self._attend(line, self.typed))

    async def shown(self, message: bytes | str) -> None:
        """Give the client a message of the line; waits while the client does not read."""
        if isinstance(message, bytes):
            await self.send_bytes(message)
        else:
            await self.send_text(message)

    async def doubt(self) -> Ended:
        """Return when the client may no longer be here."""
        return await asyncio.get_running_loop().create_future()  # type: ignore[no-any-return]  # never done

    async def on_text(self, text: str) -> None:
        await self.take(text)

    async def on_bytes(self, data: bytes) -> None:
        await self.take(data)

    async def take(self, message: bytes | str) -> None:
        """Keep what the client sent for the line. Messages are read at once, so that none waits elsewhere."""
        if self.typed is not None and not self.is_closed and not self.typed.put(message):
            await self.close(TOO_LARGE, "too much input")

    async def on_disconnect(self, code: int) -> None:
        self.gone.set()
        if self.attending is not None:
            await self.attending

    async def _attend(self, line: Line, typed: Typed) -> None:
        works: tuple[Coroutine[Any, Any, Ended], ...] = (
            self._show(line),
            self._type(line, typed),
            self.doubt(),
            self._leave(),
        )
        tasks = [asyncio.create_task(work) for work in works]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            end = done.pop().result()
            await self.close(end.code, end.reason)
        except OSError:
            logger.debug("client_left_while_it_was_sent_something")
        except Exception:
            logger.exception("line_failed", extra={"path": self.scope["path"]})
            await self.close(FAULT, "internal_error")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await line.close()

    async def _leave(self) -> Ended:
        await self.gone.wait()
        return Ended(1000, "")

    async def _show(self, line: Line) -> Ended:
        try:
            while True:
                await self.shown(await line.receive())
        except Ended as end:
            return end

    async def _type(self, line: Line, typed: Typed) -> Ended:
        try:
            while True:
                await line.send(await typed.get())
        except Ended as end:
            return end
