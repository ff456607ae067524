"""A live tunnel of this process: one WebSocket that a runner or a host dialled, and what waits on it."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import mint
from omnigent.protocol import frames, host_frames
from sessions_app.tunnels.channel import Channel

MAX_BUFFERED = 64 * 1024 * 1024
MAX_CHANNELS = 32

SendText = Callable[[str], Awaitable[None]]
CloseSocket = Callable[[int, str], Awaitable[None]]


class TunnelLost(OmnigentError):
    """The tunnel went while something waited on it."""

    def __init__(self, name: str) -> None:
        super().__init__(ErrorCode.RUNNER_UNAVAILABLE, f"The tunnel of '{name}' was lost")


class Waiter(Protocol):
    """Something that must fail at once when its tunnel goes."""

    def lose(self, error: OmnigentError) -> None:
        """The tunnel is gone."""
        ...


class Exchange:
    """One HTTP request through a runner tunnel: its head, then its body as slices in order."""

    def __init__(self) -> None:
        self._head: asyncio.Future[frames.ResponseHead] = asyncio.get_running_loop().create_future()
        self._chunks: asyncio.Queue[bytes | OmnigentError | None] = asyncio.Queue()
        self._buffered = 0
        self._ended = False

    async def head(self) -> frames.ResponseHead:
        """Status and headers; raises when the tunnel goes or the runner aborts first."""
        return await asyncio.shield(self._head)

    async def body(self) -> AsyncIterator[bytes]:
        """The slices as they come; raises when the body was cut."""
        while True:
            chunk = await self._chunks.get()
            if chunk is None:
                return
            if isinstance(chunk, OmnigentError):
                raise chunk
            self._buffered -= len(chunk)
            yield chunk

    def lose(self, error: OmnigentError) -> None:
        """The tunnel is gone, or the answer is not to be had."""
        if self._ended:
            return
        self._ended = True
        if not self._head.done():
            self._head.set_exception(error)
            self._head.exception()
        self._chunks.put_nowait(error)

    def take(self, frame: frames.ResponseHead | frames.ResponseBody | frames.ResponseEnd) -> bool:
        """Take the next frame of this exchange; false when it was the last."""
        if self._ended:
            return not isinstance(frame, frames.ResponseEnd)
        match frame:
            case frames.ResponseHead():
                if not self._head.done():
                    self._head.set_result(frame)
            case frames.ResponseBody():
                self._take_body(frame)
            case frames.ResponseEnd(error=None):
                if not self._head.done():
                    self.lose(_aborted("the runner ended the response before its head"))
                else:
                    self._ended = True
                    self._chunks.put_nowait(None)
                return False
            case frames.ResponseEnd():
                self.lose(_aborted(frame.error or "the response was cut"))
                return False
        return True

    def _take_body(self, frame: frames.ResponseBody) -> None:
        """A body that has to be given up stays registered until its reader cancels it in the runner."""
        try:
            data = frames.decode_body(frame.body, frame.encoding)
        except frames.FrameError as error:
            self.lose(_aborted(f"an unreadable slice: {error}"))
            return
        # A single slice may be as large as a frame, whatever the reader's pace.
        if self._buffered and self._buffered + len(data) > MAX_BUFFERED:
            self.lose(_aborted("the reader of this response is too slow"))
            return
        self._buffered += len(data)
        self._chunks.put_nowait(data)


def _aborted(reason: str) -> OmnigentError:
    return OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, f"The runner's answer was cut: {reason}", status=502)


class Tunnel:
    """One connection. `generation` comes from its lease; a newer one anywhere supersedes this one."""

    def __init__(
        self,
        *,
        kind: str,
        name: str,
        generation: int,
        capabilities: frozenset[str],
        send: SendText,
        close: CloseSocket,
    ) -> None:
        self.kind = kind
        self.name = name
        self.generation = generation
        self.capabilities = capabilities
        self.heard_at = time.monotonic()
        self.lost = asyncio.Event()
        self._send = send
        self._close = close
        self._exchanges: dict[str, Exchange] = {}
        self._calls: dict[str, asyncio.Future[frames.Frame]] = {}
        self._channels: dict[str, Channel] = {}
        self._lines: set[Channel] = set()

    def hear(self) -> None:
        """A frame came: the other end lives."""
        self.heard_at = time.monotonic()

    async def send(self, frame: frames.Frame) -> None:
        """Send a frame, or raise TunnelLost."""
        if self.lost.is_set():
            raise TunnelLost(self.name)
        await self._send(frames.render(frame))

    async def request(
        self, method: str, path: str, *, headers: frames.Headers = (), body: bytes = b"", stream: bool = False
    ) -> tuple[str, Exchange]:
        """Start an HTTP request in the runner; returns its id for `cancel` and the exchange."""
        exchange_id = mint("req").removeprefix("req_")
        exchange = Exchange()
        self._exchanges[exchange_id] = exchange
        text: str | None = None
        encoding: frames.Encoding = "utf-8"
        if body:
            text, encoding = frames.encode_body(body, "application/json")
        path, _, query = path.partition("?")
        frame = frames.Request(
            id_=exchange_id,
            method=method,
            path=path,
            query_string=query,
            headers=headers,
            body=text,
            encoding=encoding,
            stream=stream,
        )
        try:
            await self.send(frame)
        except BaseException:
            self._exchanges.pop(exchange_id, None)
            raise
        return exchange_id, exchange

    async def cancel(self, exchange_id: str) -> None:
        """Nobody waits for this exchange any more; tell the runner if it is still going."""
        if self._exchanges.pop(exchange_id, None) is not None and not self.lost.is_set():
            await self.send(frames.RequestCancel(id_=exchange_id))

    async def open_channel(self, path: str, query: str) -> Channel:
        """Open a WebSocket of the runner. Raises CONFLICT when below the same resource too many are open."""
        place = path.rpartition("/resources/")[0]
        if sum(line.path.startswith(f"{place}/") for line in self._lines) >= MAX_CHANNELS:
            raise OmnigentError(
                ErrorCode.CONFLICT, f"The terminals of a session take {MAX_CHANNELS} viewers at most"
            )
        if self.lost.is_set():
            raise TunnelLost(self.name)
        channel = Channel(self, path, query)
        self._lines.add(channel)
        try:
            await channel.open()
        except BaseException:
            await channel.close()
            raise
        return channel

    def join(self, channel: Channel) -> str:
        """A new id for a channel's frames."""
        channel_id = secrets.token_hex(4)
        while channel_id in self._channels:
            channel_id = secrets.token_hex(4)
        self._channels[channel_id] = channel
        return channel_id

    def part(self, channel: Channel, channel_id: str) -> None:
        """This id is done with."""
        if self._channels.get(channel_id) is channel:
            del self._channels[channel_id]

    def forget(self, channel: Channel) -> None:
        """The channel has ended; the runner may still have to be told."""
        self._lines.discard(channel)
        for channel_id in [key for key, one in self._channels.items() if one is channel]:
            del self._channels[channel_id]

    async def call(self, frame: host_frames.Ask, seconds: float) -> frames.Frame:
        """Send a host frame and wait for the result with its `request_id`."""
        request_id = frame.request_id
        future: asyncio.Future[frames.Frame] = asyncio.get_running_loop().create_future()
        self._calls[request_id] = future
        try:
            if self.lost.is_set():
                raise TunnelLost(self.name)
            await self._send(host_frames.render(frame))
            async with asyncio.timeout(seconds):
                return await future
        finally:
            self._calls.pop(request_id, None)

    def answer(self, frame: frames.Frame) -> None:
        """Hand a response frame to whoever waits for it; late ones are dropped."""
        if isinstance(frame, frames.ResponseHead | frames.ResponseBody | frames.ResponseEnd):
            exchange = self._exchanges.get(frame.id_)
            if exchange is not None and not exchange.take(frame):
                self._exchanges.pop(frame.id_, None)
        elif isinstance(frame, frames.WsFrame | frames.WsClose):
            channel = self._channels.get(frame.ch_id)
            if channel is not None:
                channel.take(frame)

    def result(self, frame: host_frames.Result) -> bool:
        """Hand a host's result to its caller; false when nobody waits for it."""
        future = self._calls.get(frame.request_id)
        if future is None or future.done():
            return False
        future.set_result(frame)
        return True

    def lose(self) -> None:
        """The connection is gone: everything that waits on it fails now."""
        if self.lost.is_set():
            return
        self.lost.set()
        error = TunnelLost(self.name)
        for exchange in list(self._exchanges.values()):
            exchange.lose(error)
        self._exchanges.clear()
        for channel in list(self._lines):
            channel.lose(error)
        for future in list(self._calls.values()):
            if not future.done():
                future.set_exception(error)

    async def close(self, code: int, reason: str) -> None:
        """Close the socket for a stated reason."""
        self.lose()
        await self._close(code, reason)
