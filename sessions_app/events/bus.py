"""Bells between replicas. A bus is a hint: what it loses costs a read of the log, never an event."""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import psycopg
from psycopg import sql
from redis.asyncio import Redis
from redis.exceptions import RedisError

from omnigent.ending import end

logger = logging.getLogger(__name__)

CHANNEL = "omnigent_bells"
NOTIFY_LIMIT = 7900
REDIS_LIMIT = 256 * 1024
CONNECT_SECONDS = 5
RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 5.0

Receive = Callable[[bytes], None]
Lost = Callable[[], None]


class Bus(Protocol):
    """Carries small messages to the other server processes. `limit` is the largest message in bytes."""

    limit: int

    async def start(self, receive: Receive, lost: Lost) -> None:
        """Begin to listen; `lost` is called whenever messages may have been missed."""
        ...

    def send(self, message: bytes) -> None:
        """Queue a message; never waits and never fails."""
        ...

    async def stop(self) -> None:
        """Stop listening."""
        ...


class NoBus:
    """One process alone: nobody to ring."""

    limit = 0

    async def start(self, receive: Receive, lost: Lost) -> None:
        """Nothing to listen to."""

    def send(self, message: bytes) -> None:
        """Nobody hears it."""

    async def stop(self) -> None:
        """Nothing to stop."""


class _Connected:
    """What the real buses share: a bounded queue, a sender, a listener, and reconnection of both."""

    limit = 0

    def __init__(self) -> None:
        self._queue: deque[bytes] = deque(maxlen=10_000)
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, receive: Receive, lost: Lost) -> None:
        """Begin to listen and to send."""
        self._tasks = [
            asyncio.create_task(self._forever(lambda: self._listen(receive, lost)), name="bus-listen"),
            asyncio.create_task(self._forever(self._pump), name="bus-send"),
        ]

    def send(self, message: bytes) -> None:
        """Queue a message; when the bus is away too long the oldest are dropped."""
        self._queue.append(message)
        self._wake.set()

    async def stop(self) -> None:
        """Cancel both tasks."""
        await end(self._tasks)

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        """Repeat a step that ends when its connection does; the longer nothing comes about, the later."""
        pause = RETRY_SECONDS
        while True:
            began = time.monotonic()
            try:
                await step()
            except (psycopg.Error, RedisError, OSError, TimeoutError) as error:
                logger.warning("bus_connection_lost", extra={"reason": str(error)[:200]})
            if time.monotonic() - began > MAX_RETRY_SECONDS:
                pause = RETRY_SECONDS
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, MAX_RETRY_SECONDS)

    async def _drain(self, publish: Callable[[bytes], Awaitable[object]]) -> None:
        while True:
            # First what a connection that was lost has left behind.
            self._wake.clear()
            while self._queue:
                await publish(self._queue[0])
                self._queue.popleft()
            await self._wake.wait()

    async def _listen(self, receive: Receive, lost: Lost) -> None:
        raise NotImplementedError

    async def _pump(self) -> None:
        raise NotImplementedError


class PostgresBus(_Connected):
    """LISTEN and NOTIFY on connections of its own."""

    limit = NOTIFY_LIMIT

    def __init__(self, conninfo: str) -> None:
        super().__init__()
        self._conninfo = conninfo

    async def _connect(self) -> psycopg.AsyncConnection[tuple[object, ...]]:
        return await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True, connect_timeout=CONNECT_SECONDS
        )

    async def _listen(self, receive: Receive, lost: Lost) -> None:
        async with await self._connect() as connection:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(CHANNEL)))
            lost()
            async for notice in connection.notifies():
                receive(notice.payload.encode())

    async def _pump(self) -> None:
        async with await self._connect() as connection:

            async def publish(message: bytes) -> None:
                await connection.execute("SELECT pg_notify(%s, %s)", (CHANNEL, message.decode()))

            await self._drain(publish)


class RedisBus(_Connected):
    """Redis publish and subscribe."""

    limit = REDIS_LIMIT

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def _client(self) -> Redis:
        return Redis.from_url(self._url, socket_connect_timeout=CONNECT_SECONDS)

    async def _listen(self, receive: Receive, lost: Lost) -> None:
        async with self._client() as client, client.pubsub() as subscription:
            await subscription.subscribe(CHANNEL)
            async for message in subscription.listen():
                if message["type"] == "subscribe":
                    # At first, and whenever the client has reconnected by itself.
                    lost()
                elif message["type"] == "message":
                    receive(message["data"])

    async def _pump(self) -> None:
        async with self._client() as client:
            await self._drain(lambda message: client.publish(CHANNEL, message))
