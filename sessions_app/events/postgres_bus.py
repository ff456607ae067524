"""Bells by PostgreSQL's LISTEN and NOTIFY, on connections of their own."""

import psycopg
from psycopg import sql

from sessions_app.events.bus import Lost, Receive
from sessions_app.events.connected_bus import CONNECT_SECONDS, ConnectedBus

CHANNEL = "omnigent_bells"
LIMIT = 7900
"""Bytes; PostgreSQL takes payloads of less than 8,000."""


class PostgresBus(ConnectedBus):
    """LISTEN on one connection, NOTIFY on another."""

    limit = LIMIT
    troubles = (*ConnectedBus.troubles, psycopg.Error)

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
