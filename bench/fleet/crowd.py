"""Many tunnels on one process: what they keep, what they cost at rest, and with some of them in turns."""

import asyncio
from dataclasses import dataclass

from bench.delivery import Goal, close, open_readers
from bench.fake_runner import FakeRunner
from bench.fleet.grounds import Grounds
from bench.fleet.watch import Watch
from bench.journeys import bound_session

SETTLE_SECONDS = 3.0
PACE_SECONDS = 0.05
WARM_UP = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Crowd:
    """KiB of the server for each idle tunnel; per cent of its CPU before they came, with them at rest, and
    with `turns` of them saying something every twentieth of a second to a reader each; milliseconds until it
    is read.
    """

    tunnels: int
    kib_each: float
    cpu_pct_before: float
    cpu_pct_idle: float
    turns: int
    deltas_per_s: float
    cpu_pct_turns: float
    p50_ms: float
    p99_ms: float
    grown_mib: float


async def measure_crowd(grounds: Grounds, *, tunnels: int, turns: int, seconds: float) -> list[Crowd]:
    """Open the tunnels, let them rest, then begin the turns."""
    server = grounds.replica(0)
    runners = [FakeRunner(server.port) for _ in range(tunnels + WARM_UP)]
    try:
        # What is loaded with the first tunnels is not theirs.
        await asyncio.gather(*(runner.start() for runner in runners[:WARM_UP]))
        await asyncio.sleep(SETTLE_SECONDS)
        before, quiet = server.memory_mib(), await at_rest(server.pid, seconds)
        for runner in runners[WARM_UP:]:
            await runner.start()
        await asyncio.sleep(SETTLE_SECONDS)
        grown, idle = server.memory_mib() - before, await at_rest(server.pid, seconds)
        agent_id, goal = await grounds.agent_id(), Goal()
        talking = runners[: min(turns, len(runners))]
        sessions = [await bound_session(server.port, agent_id, runner) for runner in talking]
        readers = [(await open_readers(server, session_id, 1, goal))[0] for session_id in sessions]
        each = int(seconds / PACE_SECONDS)
        async with Watch((server.pid,)) as watch, asyncio.TaskGroup() as group:
            for runner, session_id in zip(talking, sessions, strict=True):
                group.create_task(runner.send_deltas(session_id, each, every=PACE_SECONDS))
            group.create_task(goal.wait(each * len(talking)))
        close(readers)
        delays = sorted(delay for reader in readers for delay in reader.delays)
    finally:
        await asyncio.gather(*(runner.stop() for runner in runners))
    return [
        Crowd(
            tunnels=tunnels,
            kib_each=1024 * grown / tunnels,
            cpu_pct_before=quiet,
            cpu_pct_idle=idle,
            turns=len(talking),
            deltas_per_s=len(delays) / watch.seconds,
            cpu_pct_turns=watch.cpu(server.pid),
            p50_ms=delays[len(delays) // 2],
            p99_ms=delays[int(len(delays) * 0.99)],
            grown_mib=watch.grown(server.pid),
        )
    ]


async def at_rest(pid: int, seconds: float) -> float:
    """Per cent of CPU that a process uses while nobody wants anything."""
    async with Watch((pid,)) as watch:
        await asyncio.sleep(seconds)
    return watch.cpu(pid)
