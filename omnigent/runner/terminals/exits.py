"""Makes tmux notice the end of a program: tmux 3.3 loses about one of ten signals that tell it."""

import asyncio
import contextlib
import os
import signal
import sys
from typing import Final

_AGAIN_SECONDS: Final = 0.2


async def remind(pid: int, tmux: int) -> None:
    """Once the process of this id has ended, tell its parent again and again, until cancelled.

    The parent is the tmux server; a program that has ended stays as it is until the server collects it, so
    that its id means nobody else. Without process descriptors, which Linux has, nothing happens.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(pid)
        try:
            await _readable(descriptor)
        finally:
            os.close(descriptor)
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.kill(tmux, signal.SIGCHLD)
            await asyncio.sleep(_AGAIN_SECONDS)


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(descriptor, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(descriptor)
