"""What a run shows on its way, handed over one by one, so that nothing overtakes what came before it."""

import asyncio
from collections.abc import AsyncGenerator

from omnigent.runner.harnesses.base import SampleEvent


class Progress:
    """Between the vendor's tasks, which show, and the turn, which takes."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[SampleEvent | None] = asyncio.Queue()
        self.failure: Exception | None = None

    async def show(self, event: SampleEvent) -> None:
        """Return when the turn has dealt with the event."""
        self._queue.put_nowait(event)
        await self._queue.join()

    def fail(self, problem: Exception) -> None:
        """End the turn with this problem, whatever the vendor's loop makes of it; the first one counts."""
        if self.failure is None:
            self.failure = problem
        self.end()

    def end(self) -> None:
        """Nothing more is shown."""
        self._queue.put_nowait(None)

    async def events(self) -> AsyncGenerator[SampleEvent, None]:
        """What is shown, until the end."""
        while (event := await self._queue.get()) is not None:
            yield event
            self._queue.task_done()
