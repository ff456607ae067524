"""What a server process has once: threads, writer, broker, bus, tunnels, relays and loops."""

import asyncio
import logging
import secrets
from collections.abc import Callable, Coroutine
from typing import Any

from django.conf import settings
from django.db import connection

from omnigent.api.pool import DatabasePool
from omnigent.ending import end
from omnigent.version import VERSION
from sessions_app.events.announcer import Announcer
from sessions_app.events.broker import Broker
from sessions_app.events.bus import Bus, build_bus
from sessions_app.events.writer import Writer
from sessions_app.flows import returns
from sessions_app.flows.deliver import Deliveries
from sessions_app.flows.policing import holding
from sessions_app.flows.policing.desk import PolicyDesk
from sessions_app.flows.policing.stopping import Enforcer
from sessions_app.flows.relay import Relays
from sessions_app.loops import Durations, Loops
from sessions_app.rpc import Rpc, replicas_key
from sessions_app.services import commit, housekeeping
from sessions_app.services.policing import stopping
from sessions_app.tunnels.registry import Tunnels
from sessions_app.watching.viewers import Viewers
from sessions_app.watching.watcher import Watcher

logger = logging.getLogger(__name__)

GOING_AWAY = 1012


class Changes:
    """A place to wait for the next change of one kind, of any tunnel or of anybody's access."""

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
        self.access_changes = Changes()
        self.rpc_key = replicas_key()
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
        self.loops = Loops(self, durations)
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
        self.spawn(self.deliveries.run())
        self.spawn(self.watcher.run())
        self.loops.start()

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
        await end(self._tasks)
        await self.writer.stop()
        await self.announcer.stop()
        await self.pool.run(housekeeping.close_store, self.replica_id)
        await self.rpc.close()
        await self.policies.close()
        self._loop = None
        self.pool.close()

    def _tunnel_changed(self, keys: tuple[str, ...]) -> None:
        self.changes.ring()
        if len(keys) == 2 and self.tunnels.get(*keys) is not None:
            self.spawn(self.loops.renew())

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
        self.access_changes.ring()
        for key in keys or map(str, self.broker):
            self.broker.doubt(int(key))


def prepare_writer_connection() -> None:
    """Streamed text may be lost with the power, never with the process: no need to wait for the disk."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"PRAGMA synchronous={settings.OMNIGENT_WRITER_SYNCHRONOUS}")
        elif not settings.OMNIGENT_WRITER_SYNCHRONOUS_COMMIT:
            cursor.execute("SET synchronous_commit TO off")


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
