"""The product's ASGI application, with the fuse held to every answer, stream frame and tunnel frame."""

from collections.abc import Awaitable, Callable
from typing import Any

from omnigent.asgi import application as product
from tests.chaos.fuse import Moment, fuse_from_environment

Message = dict[str, Any]
fuse = fuse_from_environment()


async def application(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Pass everything through and watch what goes out."""
    line = f"{scope.get('method', scope['type'])} {scope.get('path', '')}"

    async def watched(message: Message) -> None:
        kind, text = message["type"], message.get("text") or ""
        if kind == "http.response.start":
            fuse.reach(Moment.BEFORE_ANSWER, line)
        elif kind == "websocket.send":
            fuse.reach(Moment.BEFORE_SOCKET_TEXT, text)
        await send(message)
        if kind == "http.response.body":
            fuse.reach(Moment.AFTER_FRAME, message.get("body", b"").decode(errors="replace"))
        elif kind == "websocket.send":
            fuse.reach(Moment.AFTER_SOCKET_TEXT, text)

    await product(scope, receive, watched)
