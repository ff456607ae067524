"""Reading agents: lists of few and of many, and the agent of a session."""

import json
import statistics
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass

from bench.agents.machine import Machine, cost, machine
from bench.agents.vendor import SCRIPTED
from bench.client import Connection, ask
from tests.e2e.program import ROOT, python

AGENTS = (20, 500)
WARM_UP = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """`agents` are those of the server; milliseconds of the median, of the server's CPU, and statements."""

    read: str
    agents: int
    p50: float
    cpu: float
    kib: float
    statements: int


async def measure_listing(server: str, wanted: int, *, count: int) -> list[Reading]:
    """A server with so many agents."""
    shipped = 0
    with machine(server=server, agents={}, environ={}, with_host=False) as bare:
        shipped = len((await ask(bare.port, "GET", "/v1/agents?limit=1000"))["data"])
    own = {f"bench-{number:03}": SCRIPTED for number in range(max(1, wanted - shipped))}
    with machine(server=server, agents=own, environ={}, with_host=False) as full:
        agents = (await ask(full.port, "GET", "/v1/agents?limit=1000"))["data"]
        agent_id = str(agents[0]["id"])
        session = await ask(full.port, "POST", "/v1/sessions", {"agent_id": agent_id}, expect=201)
        reads = {
            "page of 20": "/v1/agents",
            "all on one page": "/v1/agents?limit=1000",
            "one": f"/v1/agents/{agent_id}",
            "of a session": f"/v1/sessions/{session['id']}/agent",
        }
        numbers = statements(full, reads)
        return [
            await reading(full, name, path, len(agents), count=count, statements=numbers[name])
            for name, path in reads.items()
        ]


async def reading(
    full: Machine, name: str, path: str, agents: int, *, count: int, statements: int
) -> Reading:
    """One read, again and again."""
    times, size = [], 0
    async with Connection(full.port) as connection:
        for _ in range(WARM_UP):
            await connection.request("GET", path)
        used = cost(full.server.pid).seconds
        for _ in range(count):
            began = time.perf_counter()
            answer = await connection.request("GET", path)
            times.append(1000 * (time.perf_counter() - began))
            assert answer.status == 200, answer.body
            size = len(answer.body)
    return Reading(
        read=name,
        agents=agents,
        p50=statistics.median(times),
        cpu=1000 * (cost(full.server.pid).seconds - used) / count,
        kib=size / 1024,
        statements=statements,
    )


def statements(full: Machine, reads: Mapping[str, str]) -> dict[str, int]:
    """How many statements each read takes, counted by another process on the same store."""
    done = subprocess.run(
        python("-m", "bench.agents.statements", *reads.values()),
        cwd=ROOT,
        env=full.server.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(zip(reads, json.loads(done.stdout), strict=True))
