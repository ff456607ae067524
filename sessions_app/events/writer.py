"""Continuous group commit: one thread commits what has gathered as soon as the last commit is done."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Protocol

from django.db import connection

logger = logging.getLogger(__name__)

LOADED_BATCHES = 3
"""So many batches of more than one streamed unit in a row are load; a chance meeting of two units is not."""


class Unit(Protocol):
    """One piece of work of a batch; `settle` is called on the loop with its error, or None once committed."""

    @property
    def is_awaited(self) -> bool:
        """Whether somebody goes on only after the commit, which must then not be held back."""
        ...

    def settle(self, error: BaseException | None) -> None:
        """Learn the outcome."""
        ...


Commit = Callable[[Sequence[Unit]], Sequence[BaseException | None]]


class Writer:
    """Owns the thread and its database connection. `commit` runs one batch.

    `floor` is the shortest time in seconds between two commits under load, that is while one batch after
    the other holds more than one unit that nobody waits for. A quiet writer commits at once, and so does
    any writer with what somebody waits for.
    """

    def __init__(self, commit: Commit, *, floor: float, prepare: Callable[[], None]) -> None:
        self._commit = commit
        self._floor = floor
        self._prepare = prepare
        self._queue: SimpleQueue[Unit | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._stopping = False
        self._is_prepared = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start the thread; outcomes are reported on the running loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, unit: Unit) -> None:
        """Queue a unit for the next commit; from any thread."""
        with self._lock:
            if self._stopping:
                raise RuntimeError("the writer has stopped")
            self._queue.put(unit)

    async def stop(self) -> None:
        """Commit what is queued, then end the thread."""
        with self._lock:
            if not self._stopping:
                self._stopping = True
                self._queue.put(None)
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _take(self, not_before: float) -> tuple[list[Unit], bool]:
        """What has gathered by the time `not_before`, or when somebody waits; and whether more may come."""
        batch: list[Unit] = []
        while True:
            pause = not_before - time.monotonic() if not_before else 0.0
            try:
                if not batch:
                    unit = self._queue.get()
                else:
                    unit = self._queue.get(timeout=pause) if pause > 0 else self._queue.get_nowait()
            except Empty:
                return batch, True
            if unit is None:
                return batch, False
            batch.append(unit)
            if unit.is_awaited:
                not_before = 0.0

    def _run(self) -> None:
        try:
            loaded, not_before, goes_on = 0, 0.0, True
            while goes_on:
                batch, goes_on = self._take(not_before)
                began = time.monotonic()
                streamed = sum(not unit.is_awaited for unit in batch)
                loaded = loaded + 1 if streamed > 1 else 0
                not_before = began + self._floor if loaded >= LOADED_BATCHES else 0.0
                if batch:
                    self._work(batch)
        finally:
            connection.close()

    def _work(self, batch: list[Unit]) -> None:
        try:
            if not self._is_prepared:
                self._prepare()
                self._is_prepared = True
            outcomes = self._commit(batch)
        except Exception as error:
            logger.exception("commit failed", extra={"units": len(batch)})
            connection.close()
            self._is_prepared = False
            outcomes = [error] * len(batch)
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(_settle, batch, outcomes)


def _settle(batch: Sequence[Unit], outcomes: Sequence[BaseException | None]) -> None:
    for unit, outcome in zip(batch, outcomes, strict=True):
        unit.settle(outcome)
