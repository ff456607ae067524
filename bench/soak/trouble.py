"""What goes wrong on purpose, seeded: runners and a replica are killed, paused and replaced, readers cut."""

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from bench.soak.follower import Follower
from bench.soak.world import World
from tests.e2e.program import Program

PAUSED_SECONDS = 8.0
STOP_SECONDS = 30
CUT_AT_ONCE = 100


class Trouble:
    """One mishap after the other until it is told to stop; then everything runs again. They are half to one
    and a half times `every` seconds apart.
    """

    def __init__(
        self, world: World, followers: Sequence[Follower], chance: random.Random, *, every: float
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.faults: list[str] = []
        self._world = world
        self._followers = followers
        self._chance = chance
        self._pauses = (every / 2, every * 1.5)

    async def run(self, stopping: asyncio.Event) -> None:
        """Make trouble."""
        kinds: list[Callable[[], Awaitable[None]]] = [
            self.kill_runner,
            self.kill_runner,
            self.pause_runner,
            self.cut_readers,
            self.cut_readers,
            self.kill_replica,
            self.stop_replica,
        ]
        while not stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), self._chance.uniform(*self._pauses))
                break
            kind = self._chance.choice(kinds)
            self.counts[kind.__name__] += 1
            await kind()

    async def kill_runner(self) -> None:
        """kill -9, and a new process with the same id."""
        runner = self._runner()
        await asyncio.to_thread(runner.kill)
        await asyncio.sleep(self._chance.uniform(0, 2))
        runner.start()

    async def pause_runner(self) -> None:
        """A laptop that sleeps: longer than a tunnel may be silent."""
        runner = self._runner()
        runner.signal(signal.SIGSTOP)
        await asyncio.sleep(PAUSED_SECONDS)
        runner.signal(signal.SIGCONT)

    async def cut_readers(self) -> None:
        """Many connections drop at once."""
        for follower in self._chance.sample(self._followers, min(CUT_AT_ONCE, len(self._followers))):
            follower.cut()

    async def kill_replica(self) -> None:
        """kill -9 of the second replica."""
        server = self._world.servers[1]
        await asyncio.to_thread(server.kill)
        server.start()
        await self._world.until_healthy(1)

    async def stop_replica(self) -> None:
        """A rolling restart of the second replica."""
        server = self._world.servers[1]
        server.signal(signal.SIGTERM)
        if not await self._ends(server):
            self.faults.append(f"a replica did not end within {STOP_SECONDS} s of SIGTERM")
            server.signal(signal.SIGUSR1)
            await asyncio.sleep(1)
            await asyncio.to_thread(server.kill)
        server.start()
        await self._world.until_healthy(1)

    async def _ends(self, server: Program) -> bool:
        for _ in range(STOP_SECONDS * 10):
            if not server.is_running:
                return True
            await asyncio.sleep(0.1)
        return False

    def _runner(self) -> Program:
        return self._chance.choice(self._world.runners)
