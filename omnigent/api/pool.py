"""The threads that run synchronous work: few, long-lived, each with its own database connection."""

import asyncio
import logging
import threading
from collections.abc import Callable
from contextvars import Context, copy_context
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from django.db import close_old_connections, connections

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """A call, the context it runs in, and the future that waits for it on its loop."""

    call: Callable[[], Any]  # answers whatever the caller of `run` asked for
    context: Context
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Any]"


class DatabasePool:
    """A fixed number of threads behind one queue.

    The queue holds at most one job for each task that awaits it, so the connections the server accepts bound
    it. Jobs must not wait for clients, tunnels, subprocesses or people: there are only `size` of them.
    """

    def __init__(self, size: int, *, name: str = "database") -> None:
        if size < 1:
            raise ValueError("a pool needs at least one thread")
        self.size = size
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True)
            for number in range(size)
        ]
        for thread in self._threads:
            thread.start()

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` on a pool thread, in a copy of the caller's context, and return its result.

        A cancelled caller stops waiting; a call that has begun runs to its end.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._jobs.put(Job(lambda: function(*args, **kwargs), copy_context(), loop, future))
        return await future

    def close(self, timeout: float = 5.0) -> None:
        """End the threads once they are done with what is queued; their connections close with them."""
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join(timeout)

    def _work(self) -> None:
        try:
            while (job := self._jobs.get()) is not None:
                self._perform(job)
        finally:
            connections.close_all()

    def _perform(self, job: Job) -> None:
        if job.future.cancelled():
            return
        result, error = None, None
        try:
            result = in_order(job)
        except BaseException as exc:  # noqa: BLE001  # the caller's errors go to the caller
            error = exc
        try:
            job.loop.call_soon_threadsafe(settle, job.future, result, error)
        except RuntimeError:
            logger.debug("pool_result_dropped", extra={"reason": "loop closed"})


def in_order(job: Job) -> object:
    """Make the call with a connection that is fit for use before it and free of locks after it."""
    try:
        close_old_connections()
        result: object = job.context.run(job.call)
        return result
    finally:
        close_unfinished()


def close_unfinished() -> None:
    """A call that left a transaction open would keep its locks until this thread's next one."""
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and not connection.get_autocommit():
            connection.close()


def settle(future: "asyncio.Future[Any]", result: object, error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)
