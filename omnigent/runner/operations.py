"""Tool calls under way or just finished, by operation, so that a repeated request does not run one twice."""

import asyncio
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from omnigent.ids import ELICITATION, mint
from omnigent.runner.approvals import Answer
from omnigent.runner.questions import STATE_PREFIX, Ask, Question

Work = Callable[[Ask], Awaitable[str]]

_KEPT: Final = 256
_REMEMBERED: Final = 1024
_KEPT_BYTES: Final = 16 * 1024 * 1024


class OperationCancelled(Exception):
    """The operation was cancelled and has no result."""


class Operations:
    """One session's operations. A caller that goes away leaves its operation running."""

    def __init__(self) -> None:
        self._running: OrderedDict[str, _Operation] = OrderedDict()
        self._bytes = 0
        self._cancelled: OrderedDict[str, None] = OrderedDict()

    async def run(
        self,
        operation_id: str,
        work: Work,
        *,
        told: Callable[[Question], None],
        state: object = None,
        answers: Mapping[str, Answer] | None = None,
    ) -> str | Question:
        """The output of the operation, which starts at most once, or what it asks before it goes on.

        `told` gets each question once. `answers` are those to its question of that `state`; the same again,
        or to an older question, is no news to it. Raises OperationCancelled.
        """
        operation = self._running.get(operation_id)
        if operation is None:
            if operation_id in self._cancelled:
                raise OperationCancelled(operation_id)
            operation = _Operation(operation_id, work, told)
            self._running[operation_id] = operation
            operation.task.add_done_callback(self._finished)
        if answers is not None:
            operation.answer(state, answers)
        return await operation.outcome()

    async def cancel(self, operation_id: str | None = None) -> None:
        """End one operation, or all of them, and wait until what they started is gone.

        One that the server asks for only after this does not start.
        """
        if operation_id is not None:
            self._cancelled[operation_id] = None
            if len(self._cancelled) > _REMEMBERED:
                self._cancelled.popitem(last=False)
        running = [
            operation.task
            for key, operation in self._running.items()
            if not operation.task.done() and operation_id in {None, key}
        ]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _finished(self, task: asyncio.Task[str]) -> None:
        if not task.cancelled() and task.exception() is None:
            self._bytes += len(task.result())
        done = [key for key, kept in self._running.items() if kept.task.done()]
        while done and (len(done) > _KEPT or self._bytes > _KEPT_BYTES):
            old = self._running.pop(done.pop(0)).task
            if not old.cancelled() and old.exception() is None:
                self._bytes -= len(old.result())


class _Operation:
    """A call and the question that it waits with, one at a time."""

    def __init__(self, operation_id: str, work: Work, told: Callable[[Question], None]) -> None:
        self.task: asyncio.Task[str] = asyncio.create_task(self._awaited(work), name=f"tool-{operation_id}")
        self._told = told
        self._asking = asyncio.Lock()
        self._question: Question | None = None
        self._answers: asyncio.Future[Mapping[str, Answer]] | None = None
        self._asked = asyncio.Event()

    async def outcome(self) -> str | Question:
        """What it says next. Raises OperationCancelled and what the work raises."""
        asked = asyncio.create_task(self._asked.wait())
        try:
            await asyncio.wait({self.task, asked}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
        if not self.task.done() and self._question is not None:
            return self._question
        if self.task.cancelled():
            raise OperationCancelled(self.task.get_name())
        return self.task.result()

    def answer(self, state: object, answers: Mapping[str, Answer]) -> None:
        """Hand over the answers to the present question."""
        if self._question is None or self._answers is None or self._question.state != state:
            return
        self._asked.clear()
        self._question = None
        self._answers.set_result(answers)

    async def _awaited(self, work: Work) -> str:
        return await work(self._ask)

    async def _ask(self, forms: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Answer]:
        async with self._asking:
            names = {mint(ELICITATION): key for key in forms}
            self._answers = asyncio.get_running_loop().create_future()
            self._question = Question(
                forms={name: forms[key] for name, key in names.items()},
                state=f"{STATE_PREFIX}{secrets.token_hex(16)}",
            )
            self._told(self._question)
            self._asked.set()
            try:
                given = await self._answers
            finally:
                self._answers = None
                self._question = None
                self._asked.clear()
            return {key: given.get(name, Answer(action="cancel")) for name, key in names.items()}
