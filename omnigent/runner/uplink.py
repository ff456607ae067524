"""A session's events on their way to the server: ordered, numbered, kept until acknowledged, bounded."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from typing import Final

from omnigent.protocol.events import Event, SessionHeartbeat, to_json
from omnigent.protocol.sse import DONE, encode_data

HEARTBEAT_SECONDS: Final = 15.0
DEFAULT_LIMIT: Final = 64 * 1024 * 1024
_SLICE: Final = 64 * 1024
_ENTRY_OVERHEAD: Final = 128


class Subscription:
    """One reader of an uplink; a newer one ends it."""

    def __init__(self, *, acknowledges: bool, position: int) -> None:
        self.acknowledges = acknowledges
        self.position = position
        self.ended = False
        self.wake = asyncio.Event()

    def end(self) -> None:
        self.ended = True
        self.wake.set()


class Uplink:
    """Events of one session, from the first `publish` to the server's acknowledgement.

    Numbers start at 1 in the namespace `stream`, which is new for every Uplink. A reader that acknowledges
    gets ids and may ask for everything after one again; for any other reader an event is gone once sent.
    """

    def __init__(self, *, limit: int = DEFAULT_LIMIT, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self.stream = secrets.token_hex(4)
        self._limit = limit
        self._heartbeat_seconds = heartbeat_seconds
        self._heartbeat = encode_data(to_json(SessionHeartbeat()))
        self._events: dict[int, bytes] = {}
        self._last = 0
        self._bytes = 0
        self._space = asyncio.Event()
        self._dropped = asyncio.Event()
        self._reader: Subscription | None = None
        self._closed = False

    @property
    def retained_bytes(self) -> int:
        return self._bytes

    async def publish(self, event: Event) -> None:
        """Append an event; waits while the limit of unacknowledged bytes is reached."""
        await self.room()
        self.put(event)

    async def room(self) -> None:
        """Wait until the retained bytes are below the limit."""
        while self._bytes >= self._limit and not self._closed:
            self._space.clear()
            await self._space.wait()

    def put(self, event: Event) -> None:
        """Append without waiting, for the few events that end a turn or answer a request."""
        if self._closed:
            return
        data = to_json(event)
        self._last += 1
        self._events[self._last] = data
        self._bytes += len(data) + _ENTRY_OVERHEAD
        if self._reader is not None:
            self._reader.wake.set()

    def acknowledge(self, event_id: str) -> None:
        """Drop everything up to this id; ids of other streams and future numbers mean nothing here."""
        number = self._number(event_id)
        if number is not None:
            self._drop(number)

    async def delivered(self) -> None:
        """Wait until the server has everything that was published up to now."""
        target = self._last
        while self._events and next(iter(self._events)) <= target:
            self._dropped.clear()
            await self._dropped.wait()

    def close(self) -> None:
        """No more events; the reader gets what is left and then the end of the stream."""
        self._closed = True
        self._space.set()
        if self._reader is not None:
            self._reader.wake.set()

    async def subscribe(
        self, *, acknowledges: bool, last_event_id: str | None = None
    ) -> AsyncGenerator[bytes, None]:
        """Frames for one reader, the older reader's stream ends; starts with a heartbeat."""
        if last_event_id is not None:
            self.acknowledge(last_event_id)
        reader = Subscription(acknowledges=acknowledges, position=self._last - len(self._events))
        if self._reader is not None:
            self._reader.end()
        self._reader = reader
        try:
            yield self._heartbeat
            while not reader.ended:
                chunk = self._next_slice(reader)
                if chunk:
                    yield chunk
                    if not acknowledges:
                        self._drop(reader.position)
                elif self._closed:
                    break
                elif not await self._wait(reader):
                    yield self._heartbeat
            yield DONE
        finally:
            if self._reader is reader:
                self._reader = None

    async def _wait(self, reader: Subscription) -> bool:
        """Whether something happened before the time for a heartbeat came."""
        reader.wake.clear()
        try:
            async with asyncio.timeout(self._heartbeat_seconds):
                await reader.wake.wait()
        except TimeoutError:
            return False
        return True

    def _next_slice(self, reader: Subscription) -> bytes:
        """The frames that come next for this reader, several at once when they have piled up."""
        parts: list[bytes] = []
        size = 0
        reader.position = max(reader.position, self._last - len(self._events))
        while size < _SLICE and reader.position < self._last:
            reader.position += 1
            number = reader.position
            event_id = f"{self.stream}.{number}" if reader.acknowledges else None
            parts.append(encode_data(self._events[number], event_id))
            size += len(parts[-1])
        return b"".join(parts)

    def _number(self, event_id: str) -> int | None:
        stream, _, digits = event_id.rpartition(".")
        if stream != self.stream or not digits.isdecimal() or len(digits) > 18:
            return None
        number = int(digits)
        return number if number <= self._last else None

    def _drop(self, number: int) -> None:
        first = self._last - len(self._events) + 1
        for dropped in range(first, number + 1):
            self._bytes -= len(self._events.pop(dropped)) + _ENTRY_OVERHEAD
        if self._bytes < self._limit:
            self._space.set()
        self._dropped.set()
