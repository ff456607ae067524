"""Base classes of the consumers: Channels' shape with a receive loop of their own, so that no message costs a
thread hop. An exception becomes the error answer or a close code.
"""

import asyncio
import contextlib
import logging
from collections.abc import Coroutine, Mapping
from typing import Any, TypeVar

from channels.consumer import AsyncConsumer

from omnigent.api.asgi import Headers, Message, Receive, Scope, Send, deny, send_error, send_json
from omnigent.api.body import BodyRules, Disconnected, read_body, rules_for
from omnigent.api.eager import Remainder, begin
from omnigent.errors import ErrorCode, OmnigentError

logger = logging.getLogger(__name__)

T = TypeVar("T")

INTERNAL_CLOSE = 1011
ABNORMAL_CLOSE = 1006
NO_CODE = 1005
MAX_REASON = 100


class Consumer(AsyncConsumer):  # type: ignore[misc]  # Channels is untyped
    """What both kinds share. One instance serves one connection; `Mine.as_asgi()` is the application."""

    scope: Scope
    receive: Receive
    send: Send

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        await self.serve()

    async def serve(self) -> None:
        raise NotImplementedError

    @property
    def principal(self) -> Any:  # accounts.identity.Principal, which lives one floor up
        """The caller as the gate established it; None on the gate's open paths."""
        return self.scope["principal"]

    @property
    def kwargs(self) -> Mapping[str, Any]:
        """What the URL pattern captured."""
        captured: Mapping[str, Any] = self.scope.get("url_route", {}).get("kwargs", {})
        return captured


class HttpConsumer(Consumer):
    """A long-running HTTP answer. Subclasses write `handle`.

    Read the body first; afterwards keep watching for the disconnect by running what takes time inside
    `unless_disconnected`.
    """

    is_started = False

    async def handle(self) -> None:
        raise NotImplementedError

    async def serve(self) -> None:
        try:
            await self.handle()
        except Disconnected:
            return
        except Exception as exc:
            if not isinstance(exc, OmnigentError):
                logger.exception("consumer_failed", extra={"path": self.scope["path"]})
            if self.is_started:
                # Too late for an answer: the server cuts the connection and the client sees it break off.
                raise
            await self.error(exc)

    async def body(self, rules: BodyRules | None = None) -> bytes:
        """The whole request body under the ordinary caps (or `rules`)."""
        with await read_body(self.scope, self.receive, rules or rules_for(self.scope)) as file:
            return file.read()

    async def json(self, status: int, body: object, headers: Headers = ()) -> None:
        """Answer; `body` may be bytes that are JSON already."""
        self.is_started = True
        await send_json(self.send, status, body, headers)

    async def error(self, exc: BaseException) -> None:
        self.is_started = True
        await send_error(self.send, exc)

    async def start(self, status: int, headers: Headers) -> None:
        """Open a streamed answer; `write` and `finish` follow."""
        self.is_started = True
        await self.send({"type": "http.response.start", "status": status, "headers": list(headers)})

    async def write(self, data: bytes) -> None:
        """Send a part. Waits while the client does not read."""
        await self.send({"type": "http.response.body", "body": data, "more_body": True})

    def write_at_once(self, data: bytes) -> Remainder | None:
        """Send a part without a task to do it; what is left must be awaited when the client does not read."""
        return begin(self.send({"type": "http.response.body", "body": data, "more_body": True}))

    async def finish(self) -> None:
        await self.send({"type": "http.response.body", "body": b"", "more_body": False})

    async def unless_disconnected(self, work: Coroutine[Any, Any, T]) -> T:
        """Run `work` while watching the client; when it goes, `work` is cancelled and `Disconnected` raised.

        The body must have been read (or be of no interest) by then.
        """
        working = asyncio.ensure_future(work)
        watching = asyncio.ensure_future(self.disconnected())
        try:
            await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
            raise Disconnected
        finally:
            for task in (working, watching):
                task.cancel()
            await asyncio.gather(working, watching, return_exceptions=True)

    async def disconnected(self) -> None:
        """Return once the client is gone."""
        while (await self.receive())["type"] != "http.disconnect":
            pass


class SocketConsumer(Consumer):
    """A WebSocket. Subclasses write `on_connect` (which accepts or raises), `on_text` and `on_disconnect`.

    Messages are handled one after the other in their order, so a handler must never await a reply that comes
    over this same socket.
    """

    is_accepted = False
    is_closed = False
    disconnect_code: int | None = None

    async def on_connect(self) -> None:
        await self.accept()

    async def on_text(self, text: str) -> None:
        raise NotImplementedError

    async def on_bytes(self, data: bytes) -> None:
        logger.info("binary_message_dropped", extra={"path": self.scope["path"], "size": len(data)})

    async def on_disconnect(self, code: int) -> None:
        """Called exactly once after an accepted connection ended, whoever ended it."""

    async def serve(self) -> None:
        if (await self.receive())["type"] != "websocket.connect":
            return
        try:
            await self.on_connect()
            if self.is_accepted:
                await self.converse()
        except OmnigentError as exc:
            await self.fail(exc)
        except Exception as exc:
            logger.exception("consumer_failed", extra={"path": self.scope["path"]})
            await self.fail(exc)
        finally:
            if self.is_accepted:
                await self.on_disconnect(self.disconnect_code or ABNORMAL_CLOSE)

    async def converse(self) -> None:
        """Hand messages to their handlers until the socket is closed."""
        while self.disconnect_code is None:
            message = await self.next_message()
            if message is not None:
                await self.dispatch_message(message)

    async def next_message(self) -> Message | None:
        """The next message; None when it was the disconnect, whose code is then in `disconnect_code`."""
        message = await self.receive()
        if message["type"] != "websocket.disconnect":
            return message
        self.is_closed = True
        self.disconnect_code = int(message.get("code") or NO_CODE)
        return None

    async def dispatch_message(self, message: Mapping[str, Any]) -> None:
        text = message.get("text")
        if text is not None:
            await self.on_text(text)
        elif message.get("bytes") is not None:
            await self.on_bytes(message["bytes"])

    async def first_text(self, within: float) -> str | None:
        """The first text message of an accepted socket, for protocols that open with a hello; None when it
        does not come in time or the client leaves. Only for `on_connect`: later, messages go to `on_text`.
        """
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within):
                while (message := await self.next_message()) is not None:
                    if message.get("text") is not None:
                        return str(message["text"])
        return None

    async def accept(self, subprotocol: str | None = None) -> None:
        await self.send({"type": "websocket.accept", "subprotocol": subprotocol})
        self.is_accepted = True

    async def send_text(self, text: str) -> None:
        """Waits while the client does not read; sending on a closed socket does nothing."""
        if not self.is_closed:
            await self.send({"type": "websocket.send", "text": text})

    async def send_bytes(self, data: bytes) -> None:
        if not self.is_closed:
            await self.send({"type": "websocket.send", "bytes": data})

    async def close(self, code: int = 1000, reason: str = "") -> None:
        if not self.is_closed:
            self.is_closed = True
            await self.send({"type": "websocket.close", "code": code, "reason": reason})

    async def fail(self, exc: BaseException) -> None:
        """Refuse the handshake with the error answer, or close the accepted socket as an internal error."""
        if self.is_accepted:
            reason = exc.message if isinstance(exc, OmnigentError) else ErrorCode.INTERNAL_ERROR.value
            await self.close(INTERNAL_CLOSE, reason[:MAX_REASON])
        else:
            await deny(self.scope, self.send, exc)
