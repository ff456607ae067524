"""Single requests: how long they take one after the other, and how many fit into a second from sixteen."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson

from bench.client import Connection, ask
from bench.fake_runner import FakeRunner
from bench.installation import Installation

CONNECTIONS = 16
WARM_UP = 20
SESSIONS = 120
ITEMS = 100
FORKED = (50, 500)


@dataclass(frozen=True, kw_only=True, slots=True)
class Journey:
    """One kind of request; `body` makes the next one's. With `deletes`, what it made is deleted again."""

    name: str
    method: str
    path: str
    status: int = 200
    body: Callable[[], Any] | None = None
    deletes: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a journey measured: milliseconds, and requests per second."""

    name: str
    p50: float
    p99: float
    cpu: float
    per_second: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Seeded:
    """What the journeys work on."""

    agent_id: str
    session_id: str
    runner: FakeRunner
    sources: Mapping[int, str]


def message(text: str) -> dict[str, Any]:
    """A user message."""
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "data": {"role": "user", "content": content}}


async def bound_session(port: int, agent_id: str, runner: FakeRunner) -> str:
    """A session bound to the fake runner, whose stream is open."""
    session = await ask(port, "POST", "/v1/sessions", {"agent_id": agent_id}, expect=201)
    session_id = str(session["id"])
    await ask(port, "PATCH", f"/v1/sessions/{session_id}", {"runner_id": runner.runner_id})
    # The server opens a runner's stream with the first thing it has to tell it.
    await ask(port, "POST", f"/v1/sessions/{session_id}/events", message("0"), expect=202)
    await until_idle(port, session_id)
    return session_id


async def source(port: int, agent_id: str, size: int) -> str:
    """A session with so many items, to be forked."""
    items = [
        {"type": "message", "data": message(f"Line {number} of {size}")["data"]} for number in range(size)
    ]
    made = await ask(port, "POST", "/v1/sessions", {"agent_id": agent_id, "initial_items": items}, expect=201)
    return str(made["id"])


async def until_idle(port: int, session_id: str) -> None:
    """Wait until the session rests."""
    async with asyncio.timeout(60):
        while True:
            path = f"/v1/sessions/{session_id}?include_items=false&include_liveness=false"
            if (await ask(port, "GET", path))["status"] == "idle":
                return
            await asyncio.sleep(0.01)


@asynccontextmanager
async def seeded(port: int) -> AsyncIterator[Seeded]:
    """A store with some sessions, and one with items in it."""
    agents = (await ask(port, "GET", "/v1/agents?limit=100"))["data"]
    agent_id = str(next(agent["id"] for agent in agents if agent["harness"] == "scripted"))
    runner = FakeRunner(port)
    await runner.start()
    try:
        async with Connection(port) as connection:
            for number in range(SESSIONS):
                body = {"agent_id": agent_id, "title": f"Session {number}", "labels": {"n": str(number)}}
                await connection.request("POST", "/v1/sessions", body)
        session_id = await bound_session(port, agent_id, runner)
        for _ in range(ITEMS // 2):
            await ask(port, "POST", f"/v1/sessions/{session_id}/events", message("1"), expect=202)
            await until_idle(port, session_id)
        sources = {size: await source(port, agent_id, size) for size in FORKED}
        yield Seeded(agent_id=agent_id, session_id=session_id, runner=runner, sources=sources)
    finally:
        await runner.stop()


def journeys(world: Seeded) -> list[Journey]:
    """The table."""
    session = f"/v1/sessions/{world.session_id}"
    reads = {
        "health": "/health",
        "list 20": "/v1/sessions?limit=20",
        "list 100": "/v1/sessions?limit=100",
        "get, 100 items": session,
        "get, no items": f"{session}?include_items=false",
        "items 20": f"{session}/items?limit=20",
        "items 100": f"{session}/items?limit=100",
    }
    return [*(Journey(name=name, method="GET", path=path) for name, path in reads.items()), *writes(world)]


def writes(world: Seeded) -> list[Journey]:
    """The rows that change something."""
    numbers = itertools.count()
    session = f"/v1/sessions/{world.session_id}"
    return [
        Journey(
            name="create",
            method="POST",
            path="/v1/sessions",
            status=201,
            body=lambda: {"agent_id": world.agent_id, "title": f"Made {next(numbers)}"},
        ),
        Journey(
            name="create + delete",
            method="POST",
            path="/v1/sessions",
            status=201,
            body=lambda: {"agent_id": world.agent_id, "title": f"Gone {next(numbers)}"},
            deletes=True,
        ),
        *(
            Journey(
                name=f"fork {size}",
                method="POST",
                path=f"/v1/sessions/{session_id}/fork",
                status=201,
                body=lambda: {"title": f"Fork {next(numbers)}"},
            )
            for size, session_id in world.sources.items()
        ),
        Journey(
            name="patch title",
            method="PATCH",
            path=session,
            body=lambda: {"title": f"Title {next(numbers)}"},
        ),
        Journey(
            name="post message",
            method="POST",
            path=f"{session}/events",
            status=202,
            body=lambda: message("1"),
        ),
    ]


async def measure(server: Installation, journey: Journey, *, count: int, seconds: float) -> Result:
    """One after the other for latency, then sixteen at once for throughput and CPU."""
    async with Connection(server.port) as connection:
        for _ in range(WARM_UP):
            await one(connection, journey)
        times = sorted([await one(connection, journey) for _ in range(count)])
    # Processor time is counted in hundredths of a second, so it is taken over the many requests.
    before = server.cpu_seconds()
    done, took = await throughput(server, journey, seconds)
    return Result(
        name=journey.name,
        p50=1000 * times[count // 2],
        p99=1000 * times[min(count - 1, int(count * 0.99))],
        cpu=1000 * (server.cpu_seconds() - before) / done,
        per_second=done / took,
    )


async def one(connection: Connection, journey: Journey) -> float:
    """The seconds of one request."""
    body = journey.body() if journey.body else None
    began = time.perf_counter()
    answer = await connection.request(journey.method, journey.path, body)
    if journey.deletes:
        made = orjson.loads(answer.body)["id"]
        await connection.request("DELETE", f"/v1/sessions/{made}", None)
    took = time.perf_counter() - began
    if answer.status != journey.status:
        raise RuntimeError(f"{journey.name}: {answer.status} {answer.body[:300]!r}")
    return took


async def throughput(server: Installation, journey: Journey, seconds: float) -> tuple[int, float]:
    """How many requests sixteen connections got answered, and in how many seconds."""
    deadline = time.perf_counter() + seconds

    async def work() -> int:
        done = 0
        async with Connection(server.port) as connection:
            while time.perf_counter() < deadline:
                await one(connection, journey)
                done += 1
        return done

    began = time.perf_counter()
    counts = await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return sum(counts), time.perf_counter() - began
