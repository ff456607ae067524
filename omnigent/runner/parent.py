"""The process that started this one: notices when it is gone, and tells it that the tunnel is open."""

import asyncio
import contextlib
import os
from typing import Final

_POLL_SECONDS: Final = 1.0


async def parent_gone(pid: int) -> None:
    """Return when the process has ended; at once when there is none."""
    if not hasattr(os, "pidfd_open"):
        await _polled(pid)
        return
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except OSError:
        await _polled(pid)
        return
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        with contextlib.suppress(OSError):
            os.close(descriptor)


class ParentNote:
    """The writing end of a pipe that a host waits at; without one nothing is told.

    The descriptor is closed in this process's own children, and here after it was used.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        if descriptor is not None:
            os.set_inheritable(descriptor, False)  # noqa: FBT003 - takes no keyword

    def tell(self) -> None:
        """The tunnel is open; only the first time counts."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is None:
            return
        # A parent that is gone has nobody to be told.
        with contextlib.suppress(OSError):
            os.write(descriptor, b"\n")
        os.close(descriptor)


async def _polled(pid: int) -> None:
    while _is_alive(pid):  # noqa: ASYNC110 - the kernel offers no event here
        await asyncio.sleep(_POLL_SECONDS)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
