"""Ending tasks for good."""

import asyncio
import logging
from collections.abc import Iterable
from typing import Any

logger = logging.getLogger(__name__)

AGAIN_SECONDS = 5.0


async def end(tasks: "Iterable[asyncio.Task[Any]]", *, again: float = AGAIN_SECONDS) -> None:
    """Cancel tasks, and return when each has ended, however it did.

    Being cancelled once may not be enough: an error that comes up while a task cleans up takes the place of
    the cancellation, and a loop that lives through such errors goes on. So it is said again every `again`
    seconds.
    """
    every = list(tasks)
    going = [task for task in every if not task.done()]
    while going:
        for task in going:
            task.cancel()
        await asyncio.wait(going, timeout=again)
        going = [task for task in going if not task.done()]
        if going:
            logger.warning("tasks_go_on", extra={"tasks": [described(task) for task in going]})
    # Looked at, so that nobody is told of an outcome that nobody asked for.
    await asyncio.gather(*every, return_exceptions=True)


def described(task: "asyncio.Task[Any]") -> str:
    """A task's name and where it stands, for a log."""
    stack = task.get_stack(limit=1)
    place = f"{stack[0].f_code.co_filename}:{stack[0].f_lineno}" if stack else "about to end"
    return f"{task.get_name()} {getattr(task.get_coro(), '__qualname__', '')} at {place}"
