"""What the buses to another program share: they queue, and connect again for as long as it takes."""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable

from omnigent.ending import end
from sessions_app.events.bus import Lost, Receive

logger = logging.getLogger(__name__)

CONNECT_SECONDS = 5
RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 5.0


class ConnectedBus:
    """A bounded queue, a sender, a listener, and reconnection of both after `troubles`."""

    limit = 0
    troubles: tuple[type[Exception], ...] = (OSError, TimeoutError)

    def __init__(self) -> None:
        self._queue: deque[bytes] = deque(maxlen=10_000)
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, receive: Receive, lost: Lost) -> None:
        """Begin to listen and to send."""
        self._tasks = [
            asyncio.create_task(self._forever(lambda: self._listen(receive, lost)), name="bus-listen"),
            asyncio.create_task(self._forever(self._pump), name="bus-send"),
        ]

    def send(self, message: bytes) -> None:
        """Queue a message; when the bus is away too long the oldest are dropped."""
        self._queue.append(message)
        self._wake.set()

    async def stop(self) -> None:
        """Cancel both tasks."""
        await end(self._tasks)

    async def _forever(self, step: Callable[[], Awaitable[None]]) -> None:
        """Repeat a step that ends when its connection does; the longer nothing comes about, the later."""
        pause = RETRY_SECONDS
        while True:
            began = time.monotonic()
            try:
                await step()
            except self.troubles as error:
                logger.warning("bus_connection_lost", extra={"reason": str(error)[:200]})
            if time.monotonic() - began > MAX_RETRY_SECONDS:
                pause = RETRY_SECONDS
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(pause * 2, MAX_RETRY_SECONDS)

    async def _drain(self, publish: Callable[[bytes], Awaitable[object]]) -> None:
        while True:
            # First what a connection that was lost has left behind.
            self._wake.clear()
            while self._queue:
                await publish(self._queue[0])
                self._queue.popleft()
            await self._wake.wait()

    async def _listen(self, receive: Receive, lost: Lost) -> None:
        raise NotImplementedError

    async def _pump(self) -> None:
        raise NotImplementedError
