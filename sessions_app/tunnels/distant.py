"""A WebSocket to another replica, which has the tunnel that its messages go through."""

from collections.abc import Mapping
from typing import Final

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from sessions_app.tunnels.channel import LOST, MAX_WAITING, Ended

OPEN_SECONDS: Final = 10.0
CLOSE_SECONDS: Final = 1.0
PING_SECONDS: Final = 30.0
SILENCE_SECONDS: Final = 90.0
GONE: Final = "the connection to another replica was lost"


class Refused(Exception):
    """The other replica answered the handshake with an error."""

    def __init__(self, status: int, body: bytes) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


class DistantLine:
    """The same as a channel of this process: messages both ways, each side waiting for the other."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def receive(self) -> bytes | str:
        """The next message. Raises Ended."""
        try:
            return await self._socket.recv()
        except ConnectionClosed as closed:
            raise ended(closed) from None

    async def send(self, message: bytes | str) -> None:
        """Send one. Raises Ended."""
        try:
            await self._socket.send(message)
        except ConnectionClosed as closed:
            raise ended(closed) from None

    async def close(self) -> None:
        """Leave."""
        await self._socket.close()


def ended(closed: ConnectionClosed) -> Ended:
    """How the other replica has closed; a connection that broke off is a lost one."""
    return Ended(LOST, GONE) if closed.rcvd is None else Ended(closed.rcvd.code, closed.rcvd.reason)


async def dial(url: str, headers: Mapping[str, str]) -> DistantLine:
    """Connect to a replica. Raises Refused, or OSError when it does not answer at all."""
    try:
        socket = await connect(
            url,
            additional_headers=headers,
            compression=None,
            proxy=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            ping_interval=PING_SECONDS,
            ping_timeout=SILENCE_SECONDS,
            max_size=MAX_WAITING,
        )
    except InvalidStatus as refused:
        raise Refused(refused.response.status_code, bytes(refused.response.body or b"")) from None
    except (TimeoutError, InvalidHandshake, EOFError) as error:
        raise ConnectionError(str(error)) from None
    return DistantLine(socket)
