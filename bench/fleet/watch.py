"""What processes cost while something happens."""

import asyncio
import time
from collections.abc import Iterable
from typing import Self

import psutil

from bench.installation import MIB

SAMPLE_SECONDS = 0.02


class Watch:
    """The growth of processes' memory over what they had at the beginning, at its highest, and their CPU."""

    def __init__(self, pids: Iterable[int]) -> None:
        self._processes = {pid: psutil.Process(pid) for pid in pids}
        self._before = {pid: self._memory(pid) for pid in self._processes}
        self._peaks = dict(self._before)
        self._cpu = {pid: self._seconds(pid) for pid in self._processes}
        self._began = self._ended = time.perf_counter()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._began = time.perf_counter()
        self._task = asyncio.create_task(self._sample())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._ended = time.perf_counter()
        for pid, before in self._cpu.items():
            self._cpu[pid] = self._seconds(pid) - before
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._take()

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self._ended - self._began

    def grown(self, *pids: int) -> float:
        """MiB by which the memory of these was larger; the largest of them."""
        return max(self._peaks[pid] - self._before[pid] for pid in pids)

    def cpu(self, *pids: int) -> float:
        """Per cent of one processor that these used together."""
        return 100 * sum(self._cpu[pid] for pid in pids) / self.seconds

    async def _sample(self) -> None:
        while True:
            self._take()
            await asyncio.sleep(SAMPLE_SECONDS)

    def _take(self) -> None:
        for pid in self._processes:
            self._peaks[pid] = max(self._peaks[pid], self._memory(pid))

    def _memory(self, pid: int) -> float:
        return float(self._processes[pid].memory_info().rss / MIB)

    def _seconds(self, pid: int) -> float:
        times = self._processes[pid].cpu_times()
        return float(times.user + times.system)
