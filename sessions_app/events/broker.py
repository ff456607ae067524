"""In-process fan-out: each committed event is encoded once and handed to every subscriber of its session."""

import asyncio
import threading
from collections import deque
from collections.abc import Iterator, Sequence

Frame = tuple[int, bytes]


class Subscription:
    """One reader's place in a session's log, and what it has not been sent yet.

    `cursor` is the last number taken. When frames are missing or the buffer is full the reader is `behind`:
    it then reads the log from its cursor, and `rejoin` puts it back on the live feed.
    """

    def __init__(self, session_id: int, cursor: int, capacity: int) -> None:
        self.session_id = session_id
        self.cursor = cursor
        self.behind = True
        self.is_doubted = False
        self.is_closed = False
        self._capacity = capacity
        self._frames: deque[Frame] = deque()
        self._wake = asyncio.Event()

    def offer(self, frames: Sequence[Frame]) -> None:
        """Take committed frames; called on the loop."""
        if len(self._frames) + len(frames) > self._capacity:
            self._frames.clear()
            self.behind = True
        elif not self.behind:
            self._frames.extend(frames)
        self._wake.set()

    def lag(self) -> None:
        """Something was committed that this reader has not been given: read the log."""
        self.behind = True
        self._frames.clear()
        self._wake.set()

    def doubt(self) -> None:
        """Access may have changed, or the session may be gone: look before sending anything more."""
        self.is_doubted = True
        self._wake.set()

    def close(self) -> None:
        """The server is about to stop: the reader ends, and resumes elsewhere."""
        self.is_closed = True
        self._wake.set()

    def take(self) -> list[bytes]:
        """What follows the cursor without a gap; a gap makes the reader `behind`."""
        self._wake.clear()
        ready: list[bytes] = []
        while self._frames:
            seq, data = self._frames.popleft()
            if seq <= self.cursor:
                continue
            if seq != self.cursor + 1:
                self.lag()
                break
            self.cursor = seq
            ready.append(data)
        return ready

    def rejoin(self) -> None:
        """Go back to the live feed before the last read of the log, so that nothing falls between."""
        self._frames.clear()
        self.behind = False

    async def wait(self, seconds: float) -> bool:
        """Wait until there is something to take; false after that many seconds of quiet."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return False
        return True


class Broker:
    """Subscribers of this process, by session. `subscribe` and `leave` may be called from any thread."""

    def __init__(self, capacity: int = 1024) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._readers: dict[int, tuple[Subscription, ...]] = {}

    def subscribe(self, session_id: int, cursor: int) -> Subscription:
        """A new reader whose first read is from the log after `cursor`."""
        subscription = Subscription(session_id, cursor, self._capacity)
        with self._lock:
            self._readers[session_id] = (*self._readers.get(session_id, ()), subscription)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Forget a reader."""
        with self._lock:
            rest = tuple(s for s in self._readers.get(subscription.session_id, ()) if s is not subscription)
            if rest:
                self._readers[subscription.session_id] = rest
            else:
                self._readers.pop(subscription.session_id, None)

    def has_readers(self, session_id: int) -> bool:
        """Whether anybody here follows the session."""
        return session_id in self._readers

    def publish(self, session_id: int, frames: Sequence[Frame]) -> None:
        """Hand committed frames to the session's readers; called on the loop."""
        for subscription in self._readers.get(session_id, ()):
            subscription.offer(frames)

    def ring(self, session_id: int) -> None:
        """Tell the session's readers that the log has grown."""
        for subscription in self._readers.get(session_id, ()):
            subscription.lag()

    def doubt(self, session_id: int) -> None:
        """Have the session's readers check their access now."""
        for subscription in self._readers.get(session_id, ()):
            subscription.doubt()

    def close_all(self) -> None:
        """End every reader's connection, for a stop of this process."""
        for readers in list(self._readers.values()):
            for subscription in readers:
                subscription.close()

    def ring_all(self) -> None:
        """Tell every reader to look at the log, after bells may have been lost."""
        for session_id in list(self._readers):
            self.ring(session_id)

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._readers))

    def __len__(self) -> int:
        return sum(len(readers) for readers in list(self._readers.values()))
