"""A session's events for plain code."""

import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future
from types import TracebackType
from typing import Self

from omnigent_client.blocking.portal import Portal
from omnigent_client.events import Event
from omnigent_client.streaming.stream import EventStream


class SyncStream(Iterator[Event]):
    """`for event in stream`; `close`, also from another thread, ends it. See `EventStream`."""

    def __init__(self, stream: EventStream, portal: Portal) -> None:
        self._stream = stream
        self._portal = portal
        self._lock = threading.Lock()
        self._waiting: Future[Event | None] | None = None
        self._is_closed = False

    @property
    def session_id(self) -> str:
        """Whose events they are."""
        return self._stream.session_id

    @property
    def cursor(self) -> str | None:
        """Where a new stream would go on; see `EventStream.cursor`."""
        return self._stream.cursor

    def __next__(self) -> Event:
        with self._lock:
            if self._is_closed or self._portal.is_closed:
                raise StopIteration
            self._waiting = waiting = self._portal.start(self._next())
        try:
            event = waiting.result()
        except CancelledError:
            raise StopIteration from None
        except BaseException:
            waiting.cancel()
            raise
        if event is None:
            raise StopIteration
        return event

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Drop the connection; whoever waits for the next event gets the end."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            waiting = self._waiting
        if waiting is not None:
            waiting.cancel()
        if not self._portal.is_closed:
            self._portal.run(self._stream.aclose())

    async def _next(self) -> Event | None:
        return await anext(self._stream, None)
