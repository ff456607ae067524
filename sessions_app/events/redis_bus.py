"""Bells by Redis publish and subscribe."""

from redis.asyncio import Redis
from redis.exceptions import RedisError

from sessions_app.events.bus import Lost, Receive
from sessions_app.events.connected_bus import CONNECT_SECONDS, ConnectedBus

CHANNEL = "omnigent_bells"
LIMIT = 256 * 1024


class RedisBus(ConnectedBus):
    """One client that subscribes, one that publishes."""

    limit = LIMIT
    troubles = (*ConnectedBus.troubles, RedisError)

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
