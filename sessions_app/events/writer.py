"""Continuous group commit: one thread commits what has gathered as soon as the last commit is done."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from django.db import connection

logger = logging.getLogger(__name__)

LOADED_BATCHES = 3
"""So many batches of more than one unit in a row are load; a chance meeting of two units is not."""


class Unit(Protocol):
    """One piece of work of a batch; `settle` is called on the loop with its error, or None once committed."""

    def settle(self, error: BaseException | None) -> None:
        """Learn the outcome."""
        ...


Commit = Callable[[Sequence[Unit]], Sequence[BaseException | None]]


class Writer:
    """Owns the thread and its database connection. `commit` runs one batch in one transaction.

    `floor` is the shortest time in seconds between two commits under load, that is while one batch after
    the other holds more than one unit; a quiet writer commits at once.
    """

    def __init__(self, commit: Commit, *, floor: float, prepare: Callable[[], None]) -> None:
        self._commit = commit
        self._floor = floor
        self._prepare = prepare
        self._pending: list[Unit] = []
        self._condition = threading.Condition()
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
        with self._condition:
            if self._stopping:
                raise RuntimeError("the writer has stopped")
            self._pending.append(unit)
            self._condition.notify()

    async def stop(self) -> None:
        """Commit what is queued, then end the thread."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        if self._thread is not None:
            await asyncio.to_thread(self._thread.join)

    def _take(self) -> list[Unit]:
        with self._condition:
            while not self._pending and not self._stopping:
                self._condition.wait()
            batch, self._pending = self._pending, []
            return batch

    def _run(self) -> None:
        try:
            loaded = 0
            while batch := self._take():
                began = time.monotonic()
                loaded = loaded + 1 if len(batch) > 1 else 0
                self._work(batch)
                pause = self._floor - (time.monotonic() - began)
                if loaded >= LOADED_BATCHES and pause > 0:
                    with self._condition:
                        self._condition.wait_for(lambda: self._stopping, timeout=pause)
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
