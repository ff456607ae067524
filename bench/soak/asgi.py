"""The product's ASGI application, and `/soak/tasks`: how many tasks its loop has, by what they run."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from omnigent.asgi import application as product

Message = MutableMapping[str, Any]
PATH = "/soak/tasks"


async def application(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answer for the process, or pass everything through."""
    if scope["type"] != "http" or scope["path"] != PATH:
        await product(scope, receive, send)
        return
    counts = Counter(getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": orjson.dumps(counts)})
