"""The one watcher of a process: hears which sessions change and tells the viewers whom it concerns."""

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Coroutine
from typing import Any

from django.db import DatabaseError

from omnigent.api.pool import DatabasePool
from sessions_app.events.announcer import Announcer
from sessions_app.querysets import PUBLIC_USER
from sessions_app.services import watching
from sessions_app.services.watching import Surroundings
from sessions_app.session_rows import Viewer
from sessions_app.watching.feed import CHUNK, Feed, Watch

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 0.1
"""News that comes together is read together."""

PLACES = 2
"""So many database threads read rows at the same time, whoever watches."""

Spawn = Callable[[Coroutine[Any, Any, None]], None]


class Watcher:
    """Joins the bells and the feeds. Everything happens on the loop; `spawn` runs something beside."""

    def __init__(self, *, pool: DatabasePool, spawn: Spawn) -> None:
        self._pool = pool
        self._spawn = spawn
        self._places = asyncio.Semaphore(PLACES)
        self._feeds: dict[Viewer, Feed] = {}
        self._changed: dict[int, None] = {}
        self._shown: dict[int, None] = {}
        self._is_beside_due = False
        self._beside: dict[str, Surroundings] = {}
        self._newest: int | None = None
        self._wake = asyncio.Event()

    def listen(self, announcer: Announcer) -> None:
        """Hear the bells: of this process and of the others."""
        announcer.on("rows", self._rows_changed)
        announcer.on("deleted", self._rows_changed)
        announcer.on("shown", self._sessions_shown)
        announcer.on("access", self._access_changed)
        announcer.on("tunnel", self._beside_changed)
        announcer.on("projects", self._beside_changed)

    async def join(self, viewer: Viewer) -> Watch:
        """A new connection. What its client reads from now on is kept current."""
        if viewer.user_id not in self._beside:
            self._beside |= await self._pool.run(watching.surroundings, [viewer.user_id])
        feed = self._feeds.get(viewer)
        if feed is None:
            feed = self._feeds[viewer] = Feed(viewer, self._pool, self._places)
        watch = Watch(feed)
        feed.watches.add(watch)
        if len(feed.watches) == 1:
            self._spawn(feed.run())
        return watch

    def leave(self, watch: Watch) -> None:
        """A connection is gone."""
        feed = watch.feed
        feed.leave(watch)
        if not feed.watches and self._feeds.get(feed.viewer) is feed:
            del self._feeds[feed.viewer]

    def close_all(self) -> None:
        """End every connection, for a stop of this process."""
        for feed in self._feeds.values():
            feed.give_up()
            for watch in feed.watches:
                watch.close()

    def __len__(self) -> int:
        return sum(len(feed.watches) for feed in self._feeds.values())

    async def run(self) -> None:
        """Pass on what the bells have told, a short while after the first one."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(PAUSE_SECONDS)
            self._wake.clear()
            try:
                await self._spread()
            except DatabaseError:
                # The next rescan finds what was lost here.
                logger.exception("bells_unread")

    async def rescan(self) -> None:
        """Heal what lost bells have left: read every watched row, find new sessions, look around."""
        if not self._feeds:
            self._newest = None
            return
        if self._newest is None:
            self._newest = await self._pool.run(watching.newest)
        for pk in await self._pool.run(watching.made_after, self._newest):
            self._newest = max(self._newest, pk)
            self._sessions_shown((str(pk),))
        self._beside_changed(())
        now = time.monotonic()
        for feed in self._feeds.values():
            feed.rescan(now)

    def _rows_changed(self, keys: tuple[str, ...]) -> None:
        if not self._feeds:
            return
        if keys:
            self._changed.update((int(key), None) for key in keys)
            self._wake.set()
        else:
            self._mark_all()

    def _sessions_shown(self, keys: tuple[str, ...]) -> None:
        if self._feeds and keys:
            self._shown.update((int(key), None) for key in keys)
            self._wake.set()

    def _access_changed(self, keys: tuple[str, ...]) -> None:
        """Grants of these sessions; without keys, anybody may do less now."""
        self._rows_changed(keys)
        if not keys:
            for feed in self._feeds.values():
                for watch in feed.watches:
                    watch.doubt()

    def _beside_changed(self, keys: tuple[str, ...]) -> None:
        if self._feeds:
            self._is_beside_due = True
            self._wake.set()

    def _mark_all(self) -> None:
        for feed in self._feeds.values():
            feed.mark_all()

    async def _spread(self) -> None:
        while self._changed or self._shown:
            changed, shown = _some(self._changed), _some(self._shown)
            users = {viewer.user_id for viewer in self._feeds}
            reach = await self._pool.run(watching.reach, changed, shown, users)
            for feed in list(self._feeds.values()):
                feed.mark(reach.changed)
            for pk, people in reach.people.items():
                self._offer(pk, people)
            if self._newest is not None:
                self._newest = max(self._newest, *shown, 0)
        if self._is_beside_due:
            self._is_beside_due = False
            await self._look_around()

    def _offer(self, pk: int, people: Collection[str]) -> None:
        for viewer, feed in list(self._feeds.items()):
            if viewer.sees_all or viewer.user_id in people or PUBLIC_USER in people:
                feed.offer(pk)

    async def _look_around(self) -> None:
        """Tell people whose hosts or projects are not what they were."""
        found = await self._pool.run(watching.surroundings, {viewer.user_id for viewer in self._feeds})
        # Whoever came meanwhile is known since.
        seen, present = self._beside, {viewer.user_id for viewer in self._feeds}
        self._beside = {user_id: now for user_id, now in {**seen, **found}.items() if user_id in present}
        for viewer, feed in self._feeds.items():
            before, now = seen.get(viewer.user_id), found.get(viewer.user_id)
            if before is None or now is None:
                continue
            for kind, is_other in (
                ("hosts_changed", before.hosts != now.hosts),
                ("projects_changed", before.projects != now.projects),
            ):
                for watch in feed.watches if is_other else ():
                    watch.notice(kind)


def _some(keys: dict[int, None]) -> list[int]:
    """Take up to a chunk of keys."""
    taken = list(keys)[:CHUNK]
    for key in taken:
        del keys[key]
    return taken
