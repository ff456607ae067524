"""The product's ASGI application, and `/soak/tasks`: how many tasks its loop has, by what they run.

SIGUSR1 prints what every thread and every task is doing, for a process that does not end.
"""

import asyncio
import faulthandler
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from omnigent.asgi import application as product

Message = MutableMapping[str, Any]
PATH = "/soak/tasks"


def print_state() -> None:
    """To standard error, which is the process's log."""
    faulthandler.dump_traceback(all_threads=True)
    for task in asyncio.all_tasks():
        task.print_stack(limit=6, file=sys.stderr)


async def application(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    """Answer for the process, or pass everything through."""
    if scope["type"] == "websocket":
        # With the first tunnel the loop is there.
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, print_state)
    if scope["type"] != "http" or scope["path"] != PATH:
        await product(scope, receive, send)
        return
    counts = Counter(getattr(task.get_coro(), "__qualname__", "?") for task in asyncio.all_tasks())
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": orjson.dumps(counts)})
