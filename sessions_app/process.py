"""What a server process has once: threads, writer, broker, bus, tunnels, relays and loops."""

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone
from django.utils.crypto import salted_hmac

from omnigent.api.pool import DatabasePool
from omnigent.errors import OmnigentError
from omnigent.protocol.frames import Ping
from omnigent.version import VERSION
from sessions_app.events.announcer import Announcer
from sessions_app.events.broker import Broker
from sessions_app.events.bus import Bus, NoBus, PostgresBus, RedisBus
from sessions_app.events.writer import Writer
from sessions_app.flows import returns
from sessions_app.flows.deliver import Deliveries
from sessions_app.flows.policing import holding
from sessions_app.flows.policing.desk import PolicyDesk
from sessions_app.flows.policing.stopping import Enforcer
from sessions_app.flows.relay import Relays
from sessions_app.rpc import Rpc
from sessions_app.search import indexing
from sessions_app.search.limits import Deadline
from sessions_app.services import commit, compaction, fleet, housekeeping, presence
from sessions_app.services.policing import stopping
from sessions_app.tunnels.registry import Tunnels
from sessions_app.tunnels.tunnel import Tunnel
from sessions_app.watching.viewers import RENEW_SECONDS, Viewers
from sessions_app.watching.watcher import Watcher

logger = logging.getLogger(__name__)

SUPERSEDED = 4000
SILENT = 4003
GOING_AWAY = 1012
INDEX_SLICE_SECONDS, INDEX_PAUSE_SECONDS = 0.02, 0.2


class Changes:
    """A place to wait for the next change of any tunnel."""

    def __init__(self) -> None:
        self._waiters: list[asyncio.Future[None]] = []

    def next(self) -> "asyncio.Future[None]":
        """Done at the next change."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters = [one for one in self._waiters if not one.done()]
        self._waiters.append(waiter)
        return waiter

    def ring(self, keys: tuple[str, ...] = ()) -> None:
        """Something changed."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


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


class Process:
    """One server process. `start` needs the loop that will serve; `drain` closes tunnels, `stop` ends all."""

    def __init__(self, *, address: str, bus: Bus, durations: Durations) -> None:
        self.replica_id = secrets.token_hex(8)
        self.address = address
        self.launch_seconds: float = settings.OMNIGENT_LAUNCH_SECONDS
        self.pool = DatabasePool(settings.OMNIGENT_POOL_THREADS)
        self.broker = Broker()
        self.tunnels = Tunnels()
        self.changes = Changes()
        self.rpc_key = salted_hmac("omnigent.rpc", "replicas").digest()
        self.rpc = Rpc(tunnels=self.tunnels, pool=self.pool, replica_id=self.replica_id, key=self.rpc_key)
        self.writer = Writer(
            commit.commit, floor=settings.OMNIGENT_COMMIT_FLOOR_SECONDS, prepare=prepare_writer_connection
        )
        self.announcer = Announcer(broker=self.broker, bus=bus, replica_id=self.replica_id)
        self.watcher = Watcher(pool=self.pool, spawn=self.spawn)
        self.viewers = Viewers(announcer=self.announcer, replica_id=self.replica_id)
        self.relays = Relays(self, server_version=VERSION)
        self.deliveries = Deliveries(self, interval=durations.outbox)
        self.policies = PolicyDesk()
        self.enforcer = Enforcer(self)
        self._durations = durations
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Begin to work on the running loop."""
        self._loop = asyncio.get_running_loop()
        await self.pool.run(housekeeping.open_store)
        self.announcer.on("outbox", self.deliveries.ring)
        self.announcer.on("tunnel", self._tunnel_changed)
        self.announcer.on("access", self._access_changed)
        self.announcer.on("deleted", self._sessions_deleted)
        self.announcer.on("usage", self.enforcer.ring)
        self.announcer.on(stopping.BELL, self.enforcer.ring)
        self.announcer.on("held", self._held_changed)
        self.announcer.on("returns", self._sub_agents_rest)
        self.watcher.listen(self.announcer)
        self.writer.start()
        await self.announcer.start()
        times = self._durations
        self.spawn(self.deliveries.run())
        self.spawn(self.watcher.run())
        self.spawn(self._every(times.ping, self._ping))
        self.spawn(self._every(times.renew, self._renew))
        self.spawn(self._every(times.reconcile, self._reconcile, after=times.grace))
        self.spawn(self._every(times.reconcile, self._look_after))
        self.spawn(self._every(times.prune, self._prune))
        self.spawn(self._every(times.index, self._index))
        self.spawn(self._every(settings.OMNIGENT_UPDATES_RESCAN_SECONDS, self.watcher.rescan))
        self.spawn(self._every(RENEW_SECONDS, self.viewers.renew))

    def spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run something beside, and keep it until it ends or the process stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._spawned_ended)

    def _spawned_ended(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            logger.error("background_task_failed", exc_info=task.exception())

    def on_loop(self, function: Callable[..., None], *args: object) -> None:
        """Call a function on the loop, from any thread; nothing happens once the loop has ended."""
        loop = self._loop
        if loop is None or loop.is_closed():
            return
        loop.call_soon_threadsafe(function, *args)

    async def drain(self) -> None:
        """Close tunnels and streams, so that everybody goes elsewhere; turns go on in the runners."""
        self.broker.close_all()
        self.watcher.close_all()
        await asyncio.gather(
            *(tunnel.close(GOING_AWAY, "server restart") for tunnel in self.tunnels), return_exceptions=True
        )
        await self.deliveries.stop()
        await self.relays.stop()

    async def stop(self) -> None:
        """End everything; what was submitted to the writer is committed."""
        await self.drain()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.writer.stop()
        await self.announcer.stop()
        await self.pool.run(housekeeping.close_store, self.replica_id)
        await self.rpc.close()
        await self.policies.close()
        self._loop = None
        self.pool.close()

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
        for tunnel in self.tunnels:
            if now - tunnel.heard_at > self._durations.silence:
                self.spawn(tunnel.close(SILENT, "ping timeout"))
            else:
                self.spawn(_send_ping(tunnel))

    async def _renew(self) -> None:
        now = time.monotonic()
        fresh = [
            (tunnel.kind, tunnel.name, tunnel.generation)
            for tunnel in self.tunnels
            if now - tunnel.heard_at < self._durations.silence
        ]
        kept = await self.pool.run(presence.renew, holder=self.replica_id, tunnels=fresh)
        for tunnel in self.tunnels:
            key = (tunnel.kind, tunnel.name, tunnel.generation)
            if key in fresh and key not in kept:
                tunnel.lose()
                self.spawn(tunnel.close(SUPERSEDED, "tunnel replaced"))

    async def _reconcile(self) -> None:
        settled = await self.pool.run(fleet.reconcile)
        if settled:
            logger.info("sessions_settled", extra={"count": settled})
        await self.enforcer.enforce()
        await self.pool.run(compaction.expire)

    async def _look_after(self) -> None:
        # Without the grace that leases have: an answer is as good after a restart as before.
        await holding.look_after(self)
        await returns.look_after(self)

    async def _index(self) -> None:
        # With pauses: a store full of unread items must not keep SQLite's one writer's place, or a thread.
        while True:
            is_current = await self.pool.run(indexing.catch_up, Deadline(INDEX_SLICE_SECONDS))
            if is_current:
                return
            await asyncio.sleep(INDEX_PAUSE_SECONDS)

    async def _prune(self) -> None:
        await self.pool.run(housekeeping.prune, timezone.now())

    def _tunnel_changed(self, keys: tuple[str, ...]) -> None:
        self.changes.ring()
        if len(keys) == 2 and self.tunnels.get(*keys) is not None:
            self.spawn(self._renew())

    def _sessions_deleted(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            self.broker.doubt(int(key))
            self.spawn(self.relays.drop(int(key)))

    def _held_changed(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            self.policies.waiting.ring(int(key))
            self.spawn(holding.go_on(self, int(key)))

    def _sub_agents_rest(self, keys: tuple[str, ...]) -> None:
        for key in keys:
            self.spawn(returns.settle(self, int(key)))

    def _access_changed(self, keys: tuple[str, ...]) -> None:
        for key in keys or map(str, self.broker):
            self.broker.doubt(int(key))


async def _send_ping(tunnel: Tunnel) -> None:
    try:
        await tunnel.send(Ping(ts=int(time.time() * 1000)))
    except OmnigentError:
        return


def prepare_writer_connection() -> None:
    """Streamed text may be lost with the power, never with the process: no need to wait for the disk."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"PRAGMA synchronous={settings.OMNIGENT_WRITER_SYNCHRONOUS}")
        elif not settings.OMNIGENT_WRITER_SYNCHRONOUS_COMMIT:
            cursor.execute("SET synchronous_commit TO off")


def build_bus() -> Bus:
    """The bus that the settings name: Redis, PostgreSQL's own, or none for one process alone."""
    if settings.REDIS_URL:
        return RedisBus(settings.REDIS_URL)
    if connection.vendor == "postgresql":
        return PostgresBus(settings.DATABASE_URL)
    return NoBus()


def build_process(address: str) -> Process:
    """The process that the settings describe; `address` is where the other replicas reach it."""
    durations = Durations(
        ping=settings.OMNIGENT_TUNNEL_PING_SECONDS,
        silence=settings.OMNIGENT_TUNNEL_SILENCE_SECONDS,
        renew=settings.OMNIGENT_LEASE_STORE_SECONDS,
        reconcile=settings.OMNIGENT_RECONCILE_SECONDS,
        prune=settings.OMNIGENT_PRUNE_SECONDS,
        outbox=settings.OMNIGENT_OUTBOX_SECONDS,
        index=settings.OMNIGENT_INDEX_SECONDS,
        grace=settings.OMNIGENT_LEASE_SECONDS,
    )
    return Process(address=address, bus=build_bus(), durations=durations)
