"""`python -m bench.soak`: sessions under trouble for minutes; ends with what is broken, then exit code 1."""

import argparse
import asyncio
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import httpx

from bench.soak.checker import check
from bench.soak.follower import Follower
from bench.soak.speaker import Speaker
from bench.soak.trouble import Trouble
from bench.soak.world import Sample, World, picks, world
from omnigent.ending import end

SAMPLE_SECONDS = 5.0
SETTLE_SECONDS = 180
WARM_UP = 0.25
MAX_GROWTH = 1.05
MAX_LEFT = 10


async def bound_sessions(client: httpx.AsyncClient, running: World, count: int) -> list[tuple[str, int]]:
    """New sessions, dealt out to the runners: (id, number of its runner)."""
    url = running.urls[0]
    agents = (await client.get(f"{url}/v1/agents?limit=100")).json()["data"]
    agent = next(agent["id"] for agent in agents if agent["harness"] == "scripted")
    made = []
    for number in range(count):
        index = number % len(running.runners)
        session = (await client.post(f"{url}/v1/sessions", json={"agent_id": agent})).json()
        bound = await client.patch(
            f"{url}/v1/sessions/{session['id']}", json={"runner_id": running.runners[index].name}
        )
        bound.raise_for_status()
        made.append((str(session["id"]), index))
    return made


async def until_online(client: httpx.AsyncClient, running: World) -> None:
    """Wait for every runner."""
    async with asyncio.timeout(SETTLE_SECONDS):
        for runner in running.runners:
            path = f"{running.urls[0]}/v1/runners/{runner.name}/status"
            online = False
            while not online:
                await asyncio.sleep(0.1)
                online = (await client.get(path)).json()["online"]


async def until_even(groups: Sequence[Sequence[Follower]]) -> None:
    """Wait until every session rests and its readers have the same; after long enough the checker tells."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        if all(len({one.seen.last_id for one in group}) == 1 and group[0].is_at_rest for group in groups):
            return
        await asyncio.sleep(0.5)


async def watch(running: World, client: httpx.AsyncClient, stopping: asyncio.Event) -> list[Sample]:
    """Samples until it stops."""
    samples = []
    while not stopping.is_set():
        samples.append(await running.sample(client))
        await asyncio.sleep(SAMPLE_SECONDS)
    return samples


def growth(samples: Sequence[Sample]) -> float:
    """The last tenth's memory by that of the tenth after the warm-up."""
    tenth = max(1, len(samples) // 10)
    start = int(len(samples) * WARM_UP)
    first = statistics.median(sample.mib for sample in samples[start : start + tenth])
    return statistics.median(sample.mib for sample in samples[-tenth:]) / first


async def left_over(running: World, client: httpx.AsyncClient, before: Sample) -> list[str]:
    """What the watched replica still holds once everybody has left."""
    deadline = time.monotonic() + SETTLE_SECONDS
    while True:
        now = await running.sample(client)
        files, tasks = now.files - before.files, Counter(now.tasks) - Counter(before.tasks)
        if files <= MAX_LEFT and tasks.total() <= MAX_LEFT:
            print(f"left when all have gone: {files} files, {tasks.total()} tasks", flush=True)
            return []
        if time.monotonic() > deadline:
            return [f"leak: {files} files more than before, and {dict(tasks)}"]
        await asyncio.sleep(1)


async def soak(running: World, options: argparse.Namespace) -> list[str]:
    """The whole run; answers what is broken."""
    limits = httpx.Limits(max_connections=100)
    async with httpx.AsyncClient(timeout=30, limits=limits, trust_env=False) as client:
        for index, server in enumerate(running.servers):
            server.start()
            await running.until_healthy(index)
        before = await running.sample(client)
        for number in range(options.runners):
            running.add_runner(number)
        await until_online(client, running)
        sessions = await bound_sessions(client, running, options.sessions)
        each = max(1, options.readers // options.sessions)
        chance = picks(options.seed, "readers")
        groups = [[Follower(name, running.ports, chance) for _ in range(each)] for name, _ in sessions]
        speakers = [
            Speaker(group[0], running.urls, running.workspaces[index], picks(options.seed, name))
            for (name, index), group in zip(sessions, groups, strict=True)
        ]
        samples, trouble = await converse(running, client, speakers, groups, options)
        faults = list(trouble.faults)
        for speaker, group in zip(speakers, groups, strict=True):
            faults += await check(client, running.urls[0], speaker, group, options.logs)
        await asyncio.gather(*(one.close() for group in groups for one in group))
        await asyncio.to_thread(running.stop_runners)
        grown = growth(samples)
        report(samples, speakers, groups, trouble.counts, grown)
        if grown > MAX_GROWTH:
            faults.append(f"memory: grown to {grown:.3f} of what it was after warming up")
        return faults + await left_over(running, client, before)


async def converse(
    running: World,
    client: httpx.AsyncClient,
    speakers: Sequence[Speaker],
    groups: Sequence[Sequence[Follower]],
    options: argparse.Namespace,
) -> tuple[list[Sample], Trouble]:
    """People talk while things break; then all comes to rest."""
    stopping, quiet = asyncio.Event(), asyncio.Event()
    everybody = [one for group in groups for one in group]
    trouble = Trouble(running, everybody, picks(options.seed, "trouble"), every=options.every)
    talks = [asyncio.create_task(speaker.run(client, stopping)) for speaker in speakers]
    replies = [asyncio.create_task(speaker.attend(client)) for speaker in speakers]
    mishaps = asyncio.create_task(trouble.run(stopping))
    sampling = asyncio.create_task(watch(running, client, quiet))
    await asyncio.sleep(options.minutes * 60)
    stopping.set()
    await mishaps
    await asyncio.gather(*talks)
    await until_even(groups)
    await end(replies)
    quiet.set()
    return await sampling, trouble


def report(
    samples: Sequence[Sample],
    speakers: Sequence[Speaker],
    groups: Sequence[Sequence[Follower]],
    counts: dict[str, int],
    grown: float,
) -> None:
    """What happened, in figures."""
    said = [deed for speaker in speakers for deed in speaker.said]
    frames = sum(one.seen.frames for group in groups for one in group)
    connections = sum(one.connections for group in groups for one in group)
    verdicts = sum(len(speaker.verdicts) for speaker in speakers)
    print(f"{len(said)} messages accepted, {verdicts} verdicts given", flush=True)
    print(f"{frames} frames to {sum(map(len, groups))} readers over {connections} connections")
    print("trouble: " + ", ".join(f"{name} {count}" for name, count in sorted(counts.items())))
    sizes = [sample.mib for sample in samples]
    print(
        f"memory {min(sizes):.0f} to {max(sizes):.0f} MiB, grown to {grown:.3f} after warming up", flush=True
    )


def main() -> None:
    """Run, and say what is broken."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--runners", type=int, default=20)
    parser.add_argument("--readers", type=int, default=1000)
    parser.add_argument("--every", type=float, default=6.0, help="seconds between mishaps, on average")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--logs", type=Path, help="a directory for what the processes printed")
    options = parser.parse_args()
    if options.logs:
        options.logs.mkdir(parents=True, exist_ok=True)
    print(f"seed {options.seed}", flush=True)
    with world() as running:
        try:
            faults = asyncio.run(soak(running, options))
        finally:
            if options.logs:
                running.keep_logs(options.logs)
    for fault in faults:
        print(f"BROKEN {fault}")
    print(f"{len(faults)} broken promises")
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
