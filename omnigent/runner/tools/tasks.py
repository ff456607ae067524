"""What goes on in a session beside its turns, by id, at most so much at once. It ends with the process."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from omnigent.runner.tools.base import ToolError


class Tasks:
    """The tasks of one room; `refusal` is what the model reads when there are `most`."""

    def __init__(self, *, most: int, refusal: str) -> None:
        self._most = most
        self._refusal = refusal
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def __bool__(self) -> bool:
        return bool(self._tasks)

    def require_room(self) -> None:
        """Raises ToolError when no more may begin."""
        if len(self._tasks) >= self._most:
            raise ToolError(self._refusal)

    def start(self, task_id: str, work: Coroutine[Any, Any, None]) -> None:
        """Begin one; it is forgotten when it ends."""
        task = asyncio.create_task(work, name=task_id)
        self._tasks[task_id] = task
        task.add_done_callback(lambda _: self._tasks.pop(task_id, None))

    def cancel(self, task_id: str) -> "asyncio.Task[None] | None":
        """Tell one to end; None when there is none of this id."""
        task = self._tasks.get(task_id)
        if task is not None:
            task.cancel()
        return task

    async def close(self) -> None:
        """End all of them."""
        for task in self._tasks.values():
            task.cancel()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
