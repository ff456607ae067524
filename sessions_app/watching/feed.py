"""What one viewer watches: their connections, the rows these hold, and the reads that keep them current."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import orjson
from django.db import DatabaseError

from omnigent.api.pool import DatabasePool
from omnigent.ids import SESSION, canonical
from sessions_app.services import watching
from sessions_app.services.watching import Look, Shown
from sessions_app.session_rows import Viewer

logger = logging.getLogger(__name__)

CHUNK = 500
"""So many rows are read at once; what else waits for a database thread comes in between."""

MAX_OFFERS = 1000
"""A connection that has not taken so many new sessions is not reading."""

RETRY_SECONDS = 1.0
REST = 20
"""Rescans take at most this part of a viewer's time, however many rows there are."""


class Watch:
    """One connection: what it watches, and what it has still to be told.

    Of every session only the newest row is kept for it, so a client that reads slowly misses states in
    between and costs no more memory. Everything here happens on the loop.
    """

    def __init__(self, feed: "Feed") -> None:
        self.feed = feed
        self.names: dict[int, str] = {}
        self.is_doubted = False
        self.is_closed = False
        self._replies: list[bytes] = []
        self._pending: dict[int, Shown | None] = {}
        self._offers: dict[int, Shown] = {}
        self._notices: dict[str, None] = {}
        self._wake = asyncio.Event()

    @property
    def is_slow(self) -> bool:
        """Whether more is waiting than a client that reads would leave."""
        return len(self._offers) > MAX_OFFERS

    async def replace(self, ids: Sequence[str]) -> None:
        """Watch these sessions from now on and no others; done once the snapshot is ready to be sent."""
        await self.feed.ask(self, ids)

    def answer(self, names: dict[int, str], rows: Sequence[Shown], missing: Sequence[str]) -> None:
        """The answer to `replace`; what was pending before is in it, or is watched no more."""
        self.names = names
        self._pending.clear()
        for pk in names:
            self._offers.pop(pk, None)
        self._replies = [_rows("snapshot", rows)]
        if missing:
            self._replies.append(_removed(missing))
        self._wake.set()

    def tell(self, pk: int, row: Shown | None) -> None:
        """A watched row has changed, or cannot be seen any more."""
        self._pending[pk] = row
        self._wake.set()

    def offer(self, pk: int, row: Shown) -> None:
        """A session that the viewer may not know yet."""
        if pk not in self.names:
            self._offers[pk] = row
            self._wake.set()

    def notice(self, kind: str) -> None:
        """Something beside the sessions has changed."""
        self._notices[kind] = None
        self._wake.set()

    def doubt(self) -> None:
        """Find out who the caller is now before anything more is sent."""
        self.is_doubted = True
        self._wake.set()

    def close(self) -> None:
        """The server is about to stop."""
        self.is_closed = True
        self._wake.set()

    def take(self) -> list[bytes]:
        """The frames to send now."""
        frames, self._replies = self._replies, []
        pending, self._pending = self._pending, {}
        offers, self._offers = self._offers, {}
        changed = [row for row in (*pending.values(), *offers.values()) if row is not None]
        if changed:
            frames.append(_rows("changed", changed))
        gone = [self.names[pk] for pk, row in pending.items() if row is None]
        if gone:
            frames.append(_removed(gone))
        frames += [b'{"type":"%b"}' % kind.encode() for kind in self._notices]
        self._notices.clear()
        return frames

    async def wait(self, seconds: float) -> None:
        """Until there is something to do, at most for that long."""
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()


def _rows(kind: str, rows: Iterable[Shown]) -> bytes:
    return b'{"type":"%b","items":[%b]}' % (kind.encode(), b",".join([row.json for row in rows]))


def _removed(ids: Sequence[str]) -> bytes:
    return b'{"type":"removed","ids":%b}' % orjson.dumps(ids)


@dataclass(slots=True)
class Ask:
    """A connection that waits for a snapshot of these sessions; the ids as it wrote them."""

    watch: Watch
    ids: Sequence[str]
    done: "asyncio.Future[None]"


class Feed:
    """All connections of one viewer. Reads one after the other, so that the last one read is the newest."""

    def __init__(self, viewer: Viewer, pool: DatabasePool, places: asyncio.Semaphore) -> None:
        self.viewer = viewer
        self.watches: set[Watch] = set()
        self._pool = pool
        self._places = places
        self._holders: dict[int, set[Watch]] = {}
        self._shown: dict[int, Shown] = {}
        self._dirty: dict[int, None] = {}
        self._offered: set[int] = set()
        self._asks: deque[Ask] = deque()
        self._wake = asyncio.Event()
        self._scan_due = 0.0
        self._scan_began: float | None = None

    async def ask(self, watch: Watch, ids: Sequence[str]) -> None:
        """Queue a change of a connection's watched set."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asks.append(Ask(watch, ids, done))
        self._wake.set()
        await done

    def leave(self, watch: Watch) -> None:
        """Forget a connection; without any the feed ends."""
        self.watches.discard(watch)
        self._release(watch)
        if not self.watches:
            self._wake.set()

    def mark(self, keys: Collection[int]) -> None:
        """Rows may have changed."""
        mine = [pk for pk in keys if pk in self._holders]
        if mine:
            self._dirty.update(dict.fromkeys(mine))
            self._wake.set()

    def offer(self, pk: int) -> None:
        """There is a session that the viewer may not know yet."""
        self._offered.add(pk)
        self._dirty[pk] = None
        self._wake.set()

    def mark_all(self) -> None:
        """News was lost."""
        self.mark(self._holders)

    def rescan(self, now: float) -> None:
        """Look at every row, unless the last time was long or is not over."""
        if now >= self._scan_due and self._scan_began is None and self._holders:
            self._scan_began = now
            self.mark_all()

    def give_up(self) -> None:
        """Let go of everybody who waits for a snapshot; the process stops."""
        for ask in self._asks:
            if not ask.done.done():
                ask.done.set_result(None)
        self._asks.clear()

    async def run(self) -> None:
        """Read until the last connection has left."""
        while self.watches:
            if not self._asks and not self._dirty:
                self._rest()
                await self._wake.wait()
                self._wake.clear()
                continue
            try:
                await self._step()
            except DatabaseError:
                logger.exception("watched_rows_unread", extra={"asks": len(self._asks)})
                await asyncio.sleep(RETRY_SECONDS)
        self.give_up()

    def _rest(self) -> None:
        if self._scan_began is not None:
            now = time.monotonic()
            self._scan_due = now + REST * (now - self._scan_began)
            self._scan_began = None

    async def _step(self) -> None:
        """One read: for whoever waits first, then for what has changed."""
        if self._asks:
            ask = self._asks[0]
            look = await self._look((), [each for each in map(_plain, ask.ids) if each is not None])
            self._asks.popleft()
            self._answer(ask, look)
            return
        keys = list(self._dirty)[:CHUNK]
        for pk in keys:
            del self._dirty[pk]
        try:
            look = await self._look(keys, ())
        except DatabaseError:
            self._dirty.update(dict.fromkeys(keys))
            raise
        for pk in keys:
            self._spread(pk, look.rows.get(pk))

    async def _look(self, keys: Sequence[int], ids: Sequence[str]) -> Look:
        async with self._places:
            return await self._pool.run(watching.look, self.viewer, keys, ids, self._shown)

    def _spread(self, pk: int, row: Shown | None) -> None:
        """Tell the connections what a read has found."""
        if pk in self._offered:
            self._offered.discard(pk)
            if row is not None:
                for watch in self.watches:
                    watch.offer(pk, row)
        holders = self._holders.get(pk, ())
        if not holders or self._shown.get(pk) is row:
            return
        self._keep(pk, row)
        for watch in holders:
            watch.tell(pk, row)

    def _keep(self, pk: int, row: Shown | None) -> None:
        if row is None:
            self._shown.pop(pk, None)
        else:
            self._shown[pk] = row

    def _answer(self, ask: Ask, look: Look) -> None:
        if ask.done.done() or ask.watch not in self.watches:
            return
        names: dict[int, str] = {}
        missing: list[str] = []
        for written in ask.ids:
            plain = _plain(written)
            pk = None if plain is None else look.keys.get(plain)
            if pk is not None:
                names.setdefault(pk, written)
            if pk is None or pk not in look.rows:
                missing.append(written)
        self._release(ask.watch)
        for pk in names:
            self._spread(pk, look.rows.get(pk))
            self._keep(pk, look.rows.get(pk))
            self._holders.setdefault(pk, set()).add(ask.watch)
        ask.watch.answer(names, [look.rows[pk] for pk in names if pk in look.rows], missing)
        ask.done.set_result(None)

    def _release(self, watch: Watch) -> None:
        for pk in watch.names:
            holders = self._holders.get(pk, set())
            holders.discard(watch)
            if not holders:
                self._holders.pop(pk, None)
                self._shown.pop(pk, None)


def _plain(written: str) -> str | None:
    return canonical(SESSION, written)
