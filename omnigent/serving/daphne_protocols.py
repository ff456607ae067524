"""Daphne's two connection types with flow control, a bounded request body, JSON errors and any close code."""

import asyncio
import logging
from typing import Any

import orjson
from daphne.http_protocol import WebRequest
from daphne.ws_protocol import WebSocketProtocol

from omnigent.api.asgi import JSON_HEADERS
from omnigent.api.body import rules_for
from omnigent.api.errors import error_body
from omnigent.errors import ErrorCode, OmnigentError

logger = logging.getLogger(__name__)

LATE_BODY = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


class Pace:
    """Twisted's push producer interface over an event: open while the transport takes more."""

    def __init__(self) -> None:
        self._open = asyncio.Event()
        self._open.set()

    async def wait(self) -> None:
        if not self._open.is_set():
            await self._open.wait()

    def pauseProducing(self) -> None:
        self._open.clear()

    def resumeProducing(self) -> None:
        self._open.set()

    def stopProducing(self) -> None:
        self._open.set()


class PacedRequest(WebRequest):  # type: ignore[misc]  # Daphne is untyped
    """One HTTP request."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.pace = Pace()
        self.body_size = 0
        self.body_limit = 0
        self.body_timer: asyncio.TimerHandle | None = None
        super().__init__(*args, **kwargs)

    def gotLength(self, length: int | None) -> None:
        """The headers are in. Twisted reads the body before the application sees the request, so the limits
        of a body apply here as well.
        """
        super().gotLength(length)
        if length == 0:
            return
        content_types = self.requestHeaders.getRawHeaders(b"content-type") or []
        self.body_limit = rules_for({"headers": [(b"content-type", each) for each in content_types]}).limit
        loop = asyncio.get_event_loop()
        self.body_timer = loop.call_later(self.server.body_seconds, self.give_up_on_body)

    def handleContentChunk(self, data: bytes) -> None:
        """Keep one byte more than is allowed: the application sees that it is too much and answers."""
        room = self.body_limit + 1 - self.body_size
        self.body_size += len(data)
        if room > 0:
            super().handleContentChunk(data[:room])

    def give_up_on_body(self) -> None:
        if self.channel is not None:
            self.channel.transport.write(LATE_BODY)
            self.channel.loseConnection()

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self.stop_body_timer()
        super().requestReceived(command, path, version)

    def connectionLost(self, reason: Any) -> None:
        self.stop_body_timer()
        super().connectionLost(reason)

    def stop_body_timer(self) -> None:
        if self.body_timer is not None:
            self.body_timer.cancel()
            self.body_timer = None

    def handle_reply(self, message: dict[str, Any]) -> None:
        is_part = message["type"] == "http.response.body" and message.get("more_body", False)
        if is_part and self.producer is None and self.channel is not None and not self.finished:
            self.registerProducer(self.pace, streaming=True)
        super().handle_reply(message)

    def finish(self) -> None:
        if self.producer is not None:
            self.unregisterProducer()
        super().finish()

    def handle_exception(self, exception: BaseException) -> None:
        """An application failed. Once its answer has begun there is nothing to add: break it off, so that the
        client does not take the part for the whole.
        """
        if self._response_started:
            if self.channel is not None:
                self.channel.transport.abortConnection()
        else:
            super().handle_exception(exception)

    def basic_error(self, status: int, status_text: bytes, body: str) -> None:
        code = ErrorCode.INTERNAL_ERROR if status >= 500 else ErrorCode.INVALID_INPUT
        _, content, _ = error_body(OmnigentError(code, body, status=status))
        self.handle_reply({"type": "http.response.start", "status": status, "headers": JSON_HEADERS})
        self.handle_reply({"type": "http.response.body", "body": orjson.dumps(content)})


class PacedSocket(WebSocketProtocol):  # type: ignore[misc]  # Daphne is untyped
    """One WebSocket."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.pace = Pace()
        super().__init__(*args, **kwargs)

    def onOpen(self) -> None:
        # The HTTP channel that the connection began as is still registered.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self.pace, streaming=True)
        super().onOpen()

    def handle_reply(self, message: dict[str, Any]) -> None:
        """Daphne drops the reason of a close, and autobahn refuses codes below 3000 that servers do send."""
        if message["type"] == "websocket.close" and self.state != self.STATE_CONNECTING:
            reason = str(message.get("reason") or "").encode()
            self.sendCloseFrame(code=message.get("code") or 1000, reasonUtf8=reason, isReply=False)
        elif message["type"] == "websocket.send" and self.state not in (
            self.STATE_OPEN,
            self.STATE_CONNECTING,
        ):
            logger.debug("message_after_close_dropped")
        else:
            super().handle_reply(message)

    def handle_exception(self, exception: BaseException) -> None:
        if self.state != self.STATE_CLOSED:
            super().handle_exception(exception)
