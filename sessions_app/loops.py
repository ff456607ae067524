"""What every server process does again and again: leases, the reconciler, the search index and the pruner."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import DatabaseError
from django.utils import timezone

from omnigent.errors import OmnigentError
from omnigent.protocol.frames import Ping
from sessions_app.flows import returns
from sessions_app.flows.policing import holding
from sessions_app.search import indexing
from sessions_app.search.limits import Deadline
from sessions_app.services import compaction, fleet, housekeeping, presence
from sessions_app.tunnels.tunnel import Tunnel
from sessions_app.watching.viewers import RENEW_SECONDS

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)

SUPERSEDED = 4000
SILENT = 4003
INDEX_SLICE_SECONDS, INDEX_PAUSE_SECONDS = 0.02, 0.2


@dataclass(frozen=True, kw_only=True, slots=True)
class Durations:
    """How often the loops run, in seconds.

    `grace` is how long the reconciler waits after a start: while the server was away no lease was renewed,
    so runners get as long to come back to it as after a loss of their own.
    """

    ping: float
    silence: float
    renew: float
    reconcile: float
    prune: float
    outbox: float
    index: float = 5.0
    grace: float = 0.0


class Loops:
    """The loops of one process. They are tasks of the process and end with it."""

    def __init__(self, process: "Process", durations: Durations) -> None:
        self._process = process
        self._durations = durations

    def start(self) -> None:
        """Begin them all on the running loop."""
        times, process = self._durations, self._process
        process.spawn(self._every(times.ping, self._ping))
        process.spawn(self._every(times.renew, self.renew))
        process.spawn(self._every(times.reconcile, self.reconcile, after=times.grace))
        process.spawn(self._every(times.reconcile, self._look_after))
        process.spawn(self._every(times.prune, self._prune))
        process.spawn(self._every(times.index, self._index))
        process.spawn(self._every(settings.OMNIGENT_UPDATES_RESCAN_SECONDS, process.watcher.rescan))
        process.spawn(self._every(RENEW_SECONDS, process.viewers.renew))

    async def _every(
        self, seconds: float, step: Callable[[], Coroutine[Any, Any, None]], *, after: float = 0.0
    ) -> None:
        await asyncio.sleep(after)
        while True:
            await asyncio.sleep(seconds * (0.9 + secrets.randbelow(200) / 1000))
            try:
                await step()
            except (DatabaseError, OmnigentError):
                logger.exception("loop_step_failed", extra={"step": step.__name__})

    async def _ping(self) -> None:
        now = time.monotonic()
        for tunnel in self._process.tunnels:
            if now - tunnel.heard_at > self._durations.silence:
                self._process.spawn(tunnel.close(SILENT, "ping timeout"))
            else:
                self._process.spawn(_send_ping(tunnel))

    async def renew(self) -> None:
        """Keep the leases of the tunnels that are heard from; one that somebody else has by now is closed."""
        now = time.monotonic()
        fresh = [
            (tunnel.kind, tunnel.name, tunnel.generation)
            for tunnel in self._process.tunnels
            if now - tunnel.heard_at < self._durations.silence
        ]
        kept = await self._process.pool.run(presence.renew, holder=self._process.replica_id, tunnels=fresh)
        for tunnel in self._process.tunnels:
            key = (tunnel.kind, tunnel.name, tunnel.generation)
            if key in fresh and key not in kept:
                tunnel.lose()
                self._process.spawn(tunnel.close(SUPERSEDED, "tunnel replaced"))

    async def reconcile(self) -> None:
        """Settle the turns of runners that are gone, and stop what may not go on."""
        settled = await self._process.pool.run(fleet.reconcile)
        if settled:
            logger.info("sessions_settled", extra={"count": settled})
        await self._process.enforcer.enforce()
        await self._process.pool.run(compaction.expire)

    async def _look_after(self) -> None:
        # Without the grace that leases have: an answer is as good after a restart as before.
        await holding.look_after(self._process)
        await returns.look_after(self._process)

    async def _index(self) -> None:
        # With pauses: a store full of unread items must not keep SQLite's one writer's place, or a thread.
        while True:
            is_current = await self._process.pool.run(indexing.catch_up, Deadline(INDEX_SLICE_SECONDS))
            if is_current:
                return
            await asyncio.sleep(INDEX_PAUSE_SECONDS)

    async def _prune(self) -> None:
        await self._process.pool.run(housekeeping.prune, timezone.now())


async def _send_ping(tunnel: Tunnel) -> None:
    try:
        await tunnel.send(Ping(ts=int(time.time() * 1000)))
    except OmnigentError:
        return
