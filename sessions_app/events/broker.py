"""In-process fan-out: an event is encoded once, kept once, and sent to every reader of its session."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

Frame = tuple[int, bytes]

Push = Callable[[bytes], Awaitable[None] | None]
"""Sends at once; gives what is left to be awaited when the client does not read."""

SLICE = 64
"""So many readers are sent to before the loop may do something else."""


class Subscription:
    """One reader's place in a session's log. `cursor` is the last number taken.

    A reader that waits is sent to directly by its feed. When frames are missing, or it was too slow for what
    the feed keeps, it is `behind`: it then reads the log from its cursor, and `rejoin` puts it back on the
    feed. `fed_at` is when it was last sent anything, by `time.monotonic`. `aside` is to be sent next and is
    not in the log.
    """

    def __init__(self, session_id: int, cursor: int, feed: "Feed") -> None:
        self.session_id = session_id
        self.cursor = cursor
        self.behind = True
        self.is_doubted = False
        self.is_closed = False
        self.fed_at = time.monotonic()
        self.aside = b""
        self._feed = feed
        self._push: Push | None = None
        self._unsent: Awaitable[None] | None = None
        self._waiter: asyncio.Future[None] | None = None

    def offer(self, now: float) -> None:
        """Send what is new if the reader waits for it; a busy one takes it by itself. Called on the loop."""
        waiter = self._waiter
        if waiter is None or self._push is None or waiter.done():
            return
        data = self.take()
        if data:
            self.fed_at = now
            try:
                self._unsent = self._push(data)
            except Exception as error:  # noqa: BLE001  # the ASGI server's errors end this reader, not the others
                waiter.set_exception(error)
                return
        if self.behind or self._unsent is not None:
            waiter.set_result(None)

    def take(self) -> bytes:
        """What follows the cursor without a gap; a gap makes the reader `behind`."""
        data = self._feed.after(self.cursor)
        if data is None:
            self.behind = True
            return b""
        if data:
            self.cursor = self._feed.head
        return data

    def lag(self) -> None:
        """Something was committed that this reader has not been given: read the log."""
        self.behind = True
        self._wake()

    def doubt(self) -> None:
        """Access may have changed, or the session may be gone: look before sending anything more."""
        self.is_doubted = True
        self._wake()

    def close(self) -> None:
        """The server is about to stop: the reader ends, and resumes elsewhere."""
        self.is_closed = True
        self._wake()

    def put_aside(self, data: bytes) -> None:
        """Send this when the reader has caught up; it replaces what was not sent yet."""
        self.aside = data
        self._wake()

    def rejoin(self) -> None:
        """Go back to the feed before the last read of the log, so that nothing falls between."""
        self.behind = False

    async def wait(self, push: Push, seconds: float) -> None:
        """Have the feed send through `push` until there is something else to do, at most for that long."""
        if self.behind or self.is_doubted or self.is_closed or self.aside:
            return
        loop = asyncio.get_running_loop()
        self._push, self._waiter = push, loop.create_future()
        timer = loop.call_later(seconds, self._wake)
        try:
            await self._waiter
        finally:
            timer.cancel()
            self._waiter = None
            unsent, self._unsent = self._unsent, None
        if unsent is not None:
            await unsent

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class Feed:
    """The live end of one session's log. Keeps up to `capacity` frames for readers that have not taken them.

    Frames are sent in rounds: each visits everybody who was there when the last frames came. `readers` is
    exchanged by any thread, everything else happens on the loop.
    """

    def __init__(self, capacity: int) -> None:
        self.readers: tuple[Subscription, ...] = ()
        self.head = 0
        self._capacity = capacity
        self._frames: list[bytes] = []
        self._joined = b""
        self._joined_count = 0
        self._round: tuple[Subscription, ...] = ()
        self._unvisited = 0
        self._turn = 0

    def after(self, cursor: int) -> bytes | None:
        """The frames past `cursor`; None when some of them are not here."""
        count = self.head - cursor
        if count <= 0:
            return b""
        if count > len(self._frames):
            return None
        if count != self._joined_count:
            # Readers stand at the same place, as a rule: what one is sent is what the next one is sent.
            self._joined, self._joined_count = b"".join(self._frames[-count:]), count
        return self._joined

    def publish(self, frames: Sequence[Frame]) -> None:
        """Take committed frames and send them to whoever waits."""
        for seq, data in frames:
            if seq <= self.head:
                continue
            if seq != self.head + 1:
                self._frames.clear()
            self._frames.append(data)
            self.head = seq
        self._joined_count = 0
        del self._frames[: -self._capacity]
        was_idle = not self._unvisited
        self._round = self.readers
        self._unvisited = len(self._round)
        if was_idle:
            self._visit()

    def forget(self) -> None:
        """Frames were lost: the log has them."""
        self.head = 0
        self._frames.clear()
        for subscription in self.readers:
            subscription.lag()

    def _visit(self) -> None:
        """Send to the next readers in turn. What is published between slices goes out with the rest."""
        readers, count, now = self._round, len(self._round), time.monotonic()
        part = min(self._unvisited, SLICE)
        for turn in range(self._turn, self._turn + part):
            readers[turn % count].offer(now)
        self._turn += part
        self._unvisited -= part
        if self._unvisited:
            asyncio.get_running_loop().call_soon(self._visit)
        elif all(subscription.cursor >= self.head for subscription in self.readers):
            self._frames.clear()
            self._joined, self._joined_count = b"", 0


class Broker:
    """The readers of this process, by session. `subscribe` and `leave` may be called from any thread."""

    def __init__(self, capacity: int = 1024) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._feeds: dict[int, Feed] = {}

    def subscribe(self, session_id: int, cursor: int) -> Subscription:
        """A new reader whose first read is from the log after `cursor`."""
        with self._lock:
            feed = self._feeds.get(session_id)
            if feed is None:
                feed = self._feeds[session_id] = Feed(self._capacity)
            subscription = Subscription(session_id, cursor, feed)
            feed.readers = (*feed.readers, subscription)
        return subscription

    def leave(self, subscription: Subscription) -> None:
        """Forget a reader."""
        with self._lock:
            feed = self._feeds.get(subscription.session_id)
            if feed is None:
                return
            feed.readers = tuple(other for other in feed.readers if other is not subscription)
            if not feed.readers:
                del self._feeds[subscription.session_id]

    def has_readers(self, session_id: int) -> bool:
        """Whether anybody here follows the session; may be asked from any thread."""
        return session_id in self._feeds

    def publish(self, session_id: int, frames: Sequence[Frame]) -> None:
        """Send committed frames to the session's readers; called on the loop."""
        feed = self._feeds.get(session_id)
        if feed is not None:
            feed.publish(frames)

    def ring(self, session_id: int) -> None:
        """Tell the session's readers that the log has grown."""
        feed = self._feeds.get(session_id)
        if feed is not None:
            feed.forget()

    def doubt(self, session_id: int) -> None:
        """Have the session's readers check their access now, before they are sent anything more."""
        feed = self._feeds.get(session_id)
        for subscription in feed.readers if feed is not None else ():
            subscription.doubt()

    def close_all(self) -> None:
        """End every reader's connection, for a stop of this process."""
        for feed in list(self._feeds.values()):
            for subscription in feed.readers:
                subscription.close()

    def ring_all(self) -> None:
        """Tell every reader to look at the log, after bells may have been lost."""
        for session_id in list(self._feeds):
            self.ring(session_id)

    def __iter__(self) -> Iterator[int]:
        return iter(list(self._feeds))

    def __len__(self) -> int:
        return sum(len(feed.readers) for feed in list(self._feeds.values()))
