"""A session's events as one endless sequence over as many connections as it takes."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from types import TracebackType
from typing import Final, Self

import httpx

from omnigent_client.errors import (
    AccessLostError,
    ApiError,
    ConnectionFailedError,
    InvalidAnswerError,
    ServerError,
)
from omnigent_client.events import Event, read_event
from omnigent_client.events.session import StreamReset
from omnigent_client.streaming.position import Position
from omnigent_client.streaming.rules import Patience, StreamRules
from omnigent_client.streaming.sse import Frame, FrameReader, FrameTooLargeError
from omnigent_client.transport.http import Call, Transport, path_of

EVENT_STREAM: Final = "text/event-stream"
EPOCH_HEADER: Final = "x-omnigent-stream-epoch"
LOST_PLACE: Final = "the connection broke before the stream's place in the log was known"
REFUSALS: Final = frozenset({401, 403, 404})


class EventStream:
    """Async iterator of typed events, `async with` or `aclose()` ends it early.

    Reconnects by itself behind the last event that it yielded, so nothing is missing and nothing comes twice.
    A `StreamReset` among the events says that this was impossible. Ends when the server ends the stream.

    Raises what the first request is refused with; later AccessLostError when the login, the access or the
    session is gone, and ConnectionFailedError when no connection comes about for `StreamRules.give_up_after`.
    """

    def __init__(
        self,
        transport: Transport,
        session_id: str,
        *,
        after: int | str | None,
        idle: bool,
        rules: StreamRules,
    ) -> None:
        self.session_id = session_id
        self._transport = transport
        self._path = path_of("sessions", session_id, "stream")
        self._params = {"idle": True} if idle else {}
        self._position = Position.after(after)
        self._epoch: str | None = None
        self._rules = rules
        self._patience = Patience(rules)
        self._events = self._run()
        self._reader: asyncio.Task[object] | None = None
        self._reader_left = asyncio.Event()
        self._closed = asyncio.Event()
        transport.keep(self)

    @property
    def cursor(self) -> str | None:
        """Where a new stream would go on: behind the last event that was yielded. None if not known yet."""
        return self._position.cursor

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        if self._closed.is_set():
            raise StopAsyncIteration
        self._reader = asyncio.current_task()
        self._reader_left.clear()
        try:
            return await anext(self._events)
        except asyncio.CancelledError:
            # Ours, from `aclose`, unless somebody else wants the task to end as well.
            if self._closed.is_set() and self._reader is not None and self._reader.uncancel() == 0:
                raise StopAsyncIteration from None
            raise
        finally:
            self._reader = None
            self._reader_left.set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Drop the connection; the iterator ends, also for another task that waits for its next event."""
        if not self._closed.is_set():
            self._closed.set()
            if self._reader is not None:
                self._reader.cancel()
                await self._reader_left.wait()
        await self._events.aclose()

    async def _run(self) -> AsyncGenerator[Event, None]:
        while True:
            try:
                async with aclosing(self._connection()) as frames:
                    async for frame in frames:
                        if isinstance(frame, StreamReset):
                            yield frame
                        elif frame.is_done:
                            return
                        elif (event := self._event_of(frame)) is not None:
                            yield event
                self._patience.broke("the server closed the connection")
            except ApiError as error:
                self._refused(error)
            except (httpx.TransportError, TimeoutError, FrameTooLargeError) as error:
                self._patience.broke(str(error) or type(error).__name__)
            wait = self._patience.next_wait()
            if wait is None:
                raise ConnectionFailedError(f"stream of {self.session_id}: {self._patience.reason}")
            await asyncio.sleep(wait)

    async def _connection(self) -> AsyncGenerator[Frame | StreamReset, None]:
        headers = {"Accept": EVENT_STREAM, "Cache-Control": "no-store"}
        if self._position.cursor is not None:
            headers["Last-Event-ID"] = self._position.cursor
        call = Call(method="GET", path=self._path, params=self._params, headers=headers)
        async with self._transport.stream(call) as response:
            if not response.headers.get("content-type", "").startswith(EVENT_STREAM):
                raise InvalidAnswerError(f"{self._path} answered with no event stream")
            if self._patience.was_connected and self._position.cursor is None:
                yield StreamReset(conversation_id=self.session_id, reason=LOST_PLACE)
            self._epoch = response.headers.get(EPOCH_HEADER)
            self._patience.connected()
            reader = FrameReader()
            chunks = response.aiter_bytes()
            while (chunk := await self._next_chunk(chunks)) is not None:
                for frame in reader.feed(chunk):
                    self._patience.delivered()
                    yield frame

    async def _next_chunk(self, chunks: AsyncIterator[bytes]) -> bytes | None:
        try:
            async with asyncio.timeout(self._rules.silence_seconds):
                return await anext(chunks, None)
        except TimeoutError:
            raise TimeoutError(f"nothing came for {self._rules.silence_seconds} s") from None

    def _event_of(self, frame: Frame) -> Event | None:
        """The event, and the position moved behind it; None for one that was yielded before."""
        position = self._position.behind(frame.id, self._epoch)
        if position is None:
            return None
        event = read_event(_json(frame.data), name=frame.event, cursor=position.cursor if frame.id else None)
        self._position = position
        if isinstance(event, StreamReset):
            self._position = Position(number=event.resume_after, epoch=self._epoch)
        return event

    def _refused(self, error: ApiError) -> None:
        """Keep trying after a passing failure; raise anything else."""
        if error.status in REFUSALS and self._patience.was_connected:
            raise AccessLostError(self.session_id, error) from error
        if not isinstance(error, ServerError) and error.status != 429:
            raise error
        self._patience.broke(str(error), asked=error.retry_after)
        if not self._patience.was_connected and self._patience.is_exhausted:
            raise error


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None
