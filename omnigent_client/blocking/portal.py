"""An event loop in a thread of its own, where plain code has coroutines run."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import CancelledError, Future
from typing import Any, TypeVar

from omnigent_client.errors import ClientClosedError

T = TypeVar("T")


class Portal:
    """May be used from any number of threads at once, its own excepted. Must be closed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._lock = threading.Lock()
        self._is_closed = False
        # A daemon: a program that forgets to close its client can still end.
        self._thread = threading.Thread(target=self._run, name="omnigent-client", daemon=True)
        self._thread.start()

    @property
    def is_closed(self) -> bool:
        """Whether nothing more can be run."""
        return self._is_closed

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The coroutine's result, or what it raises. An interrupt of the caller cancels it."""
        future = self.start(work)
        try:
            return future.result()
        except CancelledError:
            raise ClientClosedError("the client was closed") from None
        except BaseException:
            future.cancel()
            raise

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Run it in the background; cancelling the future cancels it."""
        with self._lock:
            if self._is_closed or threading.current_thread() is self._thread:
                work.close()
                reason = "the client is closed" if self._is_closed else "called from the client's own loop"
                raise ClientClosedError(reason)
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self, farewell: Coroutine[Any, Any, None]) -> None:
        """Cancel what still runs, run `farewell`, and end the thread; a second time does nothing."""
        with self._lock:
            if self._is_closed:
                farewell.close()
                return
            self._is_closed = True
            ending = asyncio.run_coroutine_threadsafe(self._end(farewell), self._loop)
        try:
            ending.result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    async def _end(self, farewell: Coroutine[Any, Any, None]) -> None:
        running = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await farewell

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
        finally:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            asyncio.set_event_loop(None)
            self._loop.close()
