"""What one runner can do: turns per second of more and more sessions, and what an idle one keeps."""

import asyncio
import itertools
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

from bench.agents.machine import Machine, cost
from bench.agents.talk import Talk, agent_ids, joined, launched
from bench.agents.vendor import Vendor

SESSIONS = (1, 10, 50)
AT_ONCE = 10
FEW = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Load:
    """Turns of twenty tokens, each session's next one as soon as it rests: how many a second, how long each
    takes, and the CPU that one costs runner (with what it started) and server; milliseconds.
    """

    harness: str
    sessions: int
    per_second: float
    p50: float
    runner_cpu: float
    server_cpu: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Idle:
    """What each session that has had a turn adds to its runner: KiB in it, MiB in programs it started."""

    harness: str
    sessions: int
    runner_mib: float
    kib_each: float
    programs_each: float
    programs_mib_each: float


class Bound:
    """Sessions of one harness on one runner, which the first of them brought up."""

    def __init__(self, machine: Machine, vendor: Vendor, harness: str) -> None:
        self._machine = machine
        self._vendor = vendor
        self._harness = harness
        self._agent_id = ""
        self._runner_id = ""
        self.pid = 0

    async def begin(self) -> Talk:
        """Start the runner; its first session, not entered yet."""
        before = self._machine.runner_pids()
        self._agent_id = (await agent_ids(self._machine.port))[f"bench-{self._harness}"]
        session = await launched(self._machine.port, self._agent_id)
        self._runner_id = session["runner_id"]
        [self.pid] = self._machine.runner_pids() - before
        return self._talk(session["id"])

    async def another(self) -> Talk:
        """One more session there."""
        return self._talk(await joined(self._machine.port, self._agent_id, self._runner_id))

    def _talk(self, session_id: str) -> Talk:
        return Talk(self._machine.port, session_id, self._harness, self._vendor)


async def measure_load(
    machine: Machine, vendor: Vendor, harness: str, *, turns: int, sessions: Sequence[int] = SESSIONS
) -> list[Load]:
    """As many turns for each number of sessions, at least two in each of them."""
    bound, rows = Bound(machine, vendor, harness), []
    async with AsyncExitStack() as stack:
        talks = [await stack.enter_async_context(await bound.begin())]
        await talks[0].turn()
        for count in sessions:
            while len(talks) < count:
                talks.append(await stack.enter_async_context(await bound.another()))
                await talks[-1].turn()
            rows.append(await loaded(machine, bound, harness, talks[:count], max(turns, 2 * count)))
    return rows


async def loaded(machine: Machine, bound: Bound, harness: str, talks: Sequence[Talk], turns: int) -> Load:
    """These sessions share so many turns."""
    left, took = itertools.count(), []

    async def work(talk: Talk) -> None:
        while next(left) < turns:
            turn = await talk.turn()
            took.append((turn.ended.result() - turn.posted) / 1e6)

    runner, server = cost(bound.pid).seconds, cost(machine.server.pid).seconds
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for talk in talks:
            group.create_task(work(talk))
    seconds = time.perf_counter() - began
    return Load(
        harness=harness,
        sessions=len(talks),
        per_second=turns / seconds,
        p50=statistics.median(took),
        runner_cpu=1000 * (cost(bound.pid).seconds - runner) / turns,
        server_cpu=1000 * (cost(machine.server.pid).seconds - server) / turns,
    )


async def measure_idle(machine: Machine, vendor: Vendor, harness: str, *, sessions: int) -> Idle:
    """The growth over so many sessions; over FEW when each of them has a program of its own."""
    bound = Bound(machine, vendor, harness)
    async with await bound.begin() as talk:
        await talk.turn()
    count = FEW if cost(bound.pid).children else sessions
    # What is loaded with the first few sessions is not theirs.
    for _ in range(min(count, AT_ONCE)):
        await used(bound)
    before = cost(bound.pid)
    limit = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with limit:
            await used(bound)

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(one())
    after = cost(bound.pid)
    return Idle(
        harness=harness,
        sessions=count,
        runner_mib=after.mib,
        kib_each=1024 * (after.mib - before.mib) / count,
        programs_each=(after.children - before.children) / count,
        programs_mib_each=(after.children_mib - before.children_mib) / count,
    )


async def used(bound: Bound) -> None:
    """A session that has had one turn, and whose stream nobody reads."""
    async with await bound.another() as talk:
        await talk.turn()
