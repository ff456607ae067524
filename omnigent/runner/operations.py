"""Tool calls under way or just finished, by operation, so that a repeated request does not run one twice."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final

_KEPT: Final = 256
_REMEMBERED: Final = 1024
_KEPT_BYTES: Final = 16 * 1024 * 1024


class OperationCancelled(Exception):
    """The operation was cancelled and has no result."""


class Operations:
    """One session's operations. A caller that goes away leaves its operation running."""

    def __init__(self) -> None:
        self._tasks: OrderedDict[str, asyncio.Task[str]] = OrderedDict()
        self._bytes = 0
        self._cancelled: OrderedDict[str, None] = OrderedDict()

    async def run(self, operation_id: str, work: Callable[[], Awaitable[str]]) -> str:
        """The output of the operation, which starts at most once; raises OperationCancelled."""
        task = self._tasks.get(operation_id)
        if task is None:
            if operation_id in self._cancelled:
                raise OperationCancelled(operation_id)
            task = asyncio.create_task(_awaited(work), name=f"tool-{operation_id}")
            self._tasks[operation_id] = task
            task.add_done_callback(self._finished)
        await asyncio.wait({task})
        if task.cancelled():
            raise OperationCancelled(operation_id)
        return task.result()

    async def cancel(self, operation_id: str | None = None) -> None:
        """End one operation, or all of them, and wait until what they started is gone.

        One that the server asks for only after this does not start.
        """
        if operation_id is not None:
            self._cancelled[operation_id] = None
            if len(self._cancelled) > _REMEMBERED:
                self._cancelled.popitem(last=False)
        running = [
            task for key, task in self._tasks.items() if not task.done() and operation_id in {None, key}
        ]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _finished(self, task: asyncio.Task[str]) -> None:
        if not task.cancelled() and task.exception() is None:
            self._bytes += len(task.result())
        done = [key for key, kept in self._tasks.items() if kept.done()]
        while done and (len(done) > _KEPT or self._bytes > _KEPT_BYTES):
            old = self._tasks.pop(done.pop(0))
            if not old.cancelled() and old.exception() is None:
                self._bytes -= len(old.result())


async def _awaited(work: Callable[[], Awaitable[str]]) -> str:
    return await work()
