"""Ends a turn in which nothing happens any more."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from omnigent.runner.harnesses.base import ModelError

TIMED_OUT: Final = "turn_timeout"
_LOOK_SECONDS: Final = 30.0


@asynccontextmanager
async def watched(seconds: float, signs: Callable[[], object]) -> AsyncIterator[None]:
    """Raises ModelError in the block when for so long nothing has happened in it.

    What `signs` gives changes with everything that happens; None says that somebody else is waited for.
    """
    try:
        async with asyncio.timeout(seconds) as limit:
            keeping = asyncio.create_task(_keep(limit, seconds, signs), name="watchdog")
            try:
                yield
            finally:
                keeping.cancel()
    except TimeoutError as problem:
        if not limit.expired():
            raise
        message = f"The turn was ended: nothing has happened for {seconds:g} s (executor.timeout)."
        raise ModelError(TIMED_OUT, message) from problem


async def _keep(limit: asyncio.Timeout, seconds: float, signs: Callable[[], object]) -> None:
    seen = signs()
    while True:
        await asyncio.sleep(min(seconds / 4, _LOOK_SECONDS))
        now = signs()
        if now is None or now != seen:
            seen = now
            limit.reschedule(asyncio.get_running_loop().time() + seconds)
