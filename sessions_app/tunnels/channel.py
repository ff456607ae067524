"""A WebSocket that goes through a tunnel: the runner's messages wait here for whoever reads them."""

import asyncio
import base64
import contextlib
import logging
from collections import deque
from typing import Any, Final, Protocol

import orjson

from omnigent.errors import OmnigentError
from omnigent.protocol import frames

logger = logging.getLogger(__name__)

MAX_WAITING: Final = 2 * 1024 * 1024
MAX_SIZE_TEXT: Final = 256
MAX_REASON: Final = 100
LOST: Final = 1012
TOO_LARGE: Final = 1009
FAULT: Final = 4500
PLAIN_CODES: Final = frozenset({1000, 1001, 1008, 1009, 1011, 1012, 1013})
OWN_CODES: Final = range(3000, 5000)


class Ended(Exception):
    """The other end closed, or is gone: a code that may be sent on, and words."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code if code in PLAIN_CODES or code in OWN_CODES else FAULT
        self.reason = reason.encode()[:MAX_REASON].decode(errors="ignore")


class Line(Protocol):
    """One end of a WebSocket, wherever the other one is. Bytes are binary messages, texts are text ones."""

    async def receive(self) -> bytes | str:
        """The next message. Raises Ended."""
        ...

    async def send(self, message: bytes | str) -> None:
        """Send one; waits while the other end does not take it. Raises Ended."""
        ...

    async def close(self) -> None:
        """Leave; nothing happens the second time."""
        ...


class Carrier(Protocol):
    """The tunnel."""

    async def send(self, frame: frames.Frame) -> None:
        """Send a frame, or raise."""
        ...

    def join(self, channel: "Channel") -> str:
        """A new id under which the runner's frames are handed to this channel."""
        ...

    def part(self, channel: "Channel", channel_id: str) -> None:
        """Hand it frames of this id no more."""
        ...

    def forget(self, channel: "Channel") -> None:
        """It has ended."""
        ...


class Channel:
    """The server's end of one tunnelled WebSocket, of which the runner knows as long as it has an id.

    Frames have no flow control, and a tunnel must not wait for one reader. So when more waits than
    MAX_WAITING, what waits is dropped and the runner told to close. The next time that somebody reads or
    types it is opened again, and the runner begins, as it always does, with the screen as it is then.
    """

    def __init__(self, carrier: Carrier, path: str, query: str) -> None:
        self.path = path
        self._query = query
        self._carrier = carrier
        self._id = ""
        self._waiting: deque[bytes | str] = deque()
        self._waiting_bytes = 0
        self._news = asyncio.Event()
        self._end: Ended | None = None
        self._size = ""
        self._opening = asyncio.Lock()
        self._telling: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Have the runner open it, unless it is open. Raises Ended."""
        async with self._opening:
            if self._end is not None:
                raise self._end
            if self._id:
                return
            self._id = self._carrier.join(self)
            await self._tell(frames.WsOpen(ch_id=self._id, path=self.path, query_string=self._query))
            if self._size:
                await self._tell(frames.WsFrame(ch_id=self._id, data=self._size))

    async def receive(self) -> bytes | str:
        """The runner's next message. Raises Ended."""
        while not self._waiting:
            await self.open()
            self._news.clear()
            if not self._waiting and self._end is None:
                await self._news.wait()
        message = self._waiting.popleft()
        self._waiting_bytes -= len(message)
        return message

    async def send(self, message: bytes | str) -> None:
        """Send a message to the runner; the last size that it was told is told again when it starts anew."""
        await self.open()
        if isinstance(message, bytes):
            data = base64.b64encode(message).decode("ascii")
            await self._tell(frames.WsFrame(ch_id=self._id, data=data, encoding="base64"))
            return
        if is_size(message):
            self._size = message
        await self._tell(frames.WsFrame(ch_id=self._id, data=message))

    async def close(self) -> None:
        """Nobody reads this any more."""
        if self._end is None:
            self._end = Ended(1000, "")
            self._carrier.forget(self)
            self._leave()
        if self._telling is not None:
            await self._telling

    def take(self, frame: frames.WsFrame | frames.WsClose) -> None:
        """The runner's next frame."""
        if isinstance(frame, frames.WsClose):
            self._finish(Ended(frame.code, frame.reason))
            return
        try:
            message = (
                frame.data if frame.encoding == "utf-8" else frames.decode_body(frame.data, frame.encoding)
            )
        except frames.FrameError:
            logger.info("channel_message_dropped", extra={"path": self.path})
            return
        if len(message) > MAX_WAITING:
            self._finish(Ended(TOO_LARGE, "a message is too large"))
            self._leave()
            return
        self._waiting.append(message)
        self._waiting_bytes += len(message)
        if self._waiting_bytes > MAX_WAITING:
            logger.info("channel_paused", extra={"path": self.path})
            self._waiting.clear()
            self._waiting_bytes = 0
            self._leave()
        self._news.set()

    def lose(self, error: OmnigentError) -> None:
        """The tunnel is gone, and what was typed last perhaps with it."""
        self._finish(Ended(LOST, error.message))

    def _finish(self, end: Ended) -> None:
        if self._end is None:
            self._end = end
            self._carrier.forget(self)
        self._news.set()

    def _leave(self) -> None:
        """Tell the runner that this id is done with, beside: whoever hands over its frames must not wait."""
        channel_id, self._id = self._id, ""
        if channel_id:
            self._carrier.part(self, channel_id)
            self._telling = asyncio.ensure_future(self._say_goodbye(channel_id))

    async def _say_goodbye(self, channel_id: str) -> None:
        with contextlib.suppress(OmnigentError, OSError):
            await self._carrier.send(frames.WsClose(ch_id=channel_id))

    async def _tell(self, frame: frames.Frame) -> None:
        try:
            await self._carrier.send(frame)
        except OmnigentError as error:
            self.lose(error)
            raise Ended(LOST, error.message) from None


def is_size(text: str) -> bool:
    """Whether a text message says how large the reader's screen is."""
    if len(text) > MAX_SIZE_TEXT:
        return False
    try:
        said: Any = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(said, dict) and said.get("type") == "resize"
