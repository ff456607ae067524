"""`python -m bench.search`: the list and search in a store that grows from a hundred sessions to many."""

import argparse
import asyncio
import itertools
import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import uvloop

from bench.client import Connection, ask
from bench.installation import Installation, installation, stores

FEW = 100
CONNECTIONS = 4
WARM_UP = 5
TEXT = (
    "the session log keeps every event that a client can see and each of them has a number so that a reader "
    "who comes back names the last one and goes on from there while the runner works and tells the server"
)
RARE = "zanzibar quartz"
"""In one item of one in a thousand sessions."""

QUERIES = {
    "rare": RARE,
    "common": "runner",
    "in a tenth": "tenth42",
    "none": "nowhere to be found",
    "two letters": "zq",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """Milliseconds of one kind of request in a store of so many sessions; how many rows it answered."""

    name: str
    sessions: int
    p50: float
    p95: float
    rows: int
    is_partial: bool


def body(agent_id: str, number: int, items: int) -> dict[str, Any]:
    """A session to create, its items varied enough that words differ in how many hold them."""
    text, said = TEXT.split(), []
    for place in range(items):
        start = (number * 7 + place * 13) % len(text)
        words = [*text[start:], *text[:start], str(number), str(place)]
        if place == items // 2 and number % 10 == 0:
            words.append("tenth42")
        if place == items // 2 and number % 1000 == 500:
            words.append(RARE)
        content = [{"type": "input_text", "text": " ".join(words)}]
        said.append({"type": "message", "data": {"role": "user", "content": content}})
    return {"agent_id": agent_id, "title": f"Session {number}", "initial_items": said}


async def grow(port: int, agent_id: str, numbers: Iterator[int], count: int, items: int) -> None:
    """Create so many more sessions."""

    async def work(share: int) -> None:
        async with Connection(port) as connection:
            for number in itertools.islice(numbers, share):
                answer = await connection.request("POST", "/v1/sessions", body(agent_id, number, items))
                if answer.status != 201:
                    raise RuntimeError(f"create: {answer.status} {answer.body[:300]!r}")

    await asyncio.gather(*(work(count // CONNECTIONS) for _ in range(CONNECTIONS)))


async def figure(port: int, name: str, path: str, sessions: int, count: int) -> Figure:
    """One after the other."""
    times = []
    async with Connection(port) as connection:
        for number in range(WARM_UP + count):
            began = time.perf_counter()
            answer = await connection.request("GET", path)
            took = time.perf_counter() - began
            if answer.status != 200:
                raise RuntimeError(f"{name}: {answer.status} {answer.body[:300]!r}")
            if number >= WARM_UP:
                times.append(1000 * took)
    shown = answer.json()
    times.sort()
    return Figure(
        name=name,
        sessions=sessions,
        p50=times[count // 2],
        p95=times[int(count * 0.95)],
        rows=len(shown["data"]),
        is_partial=shown.get("search_partial", False),
    )


async def figures(port: int, sessions: int, count: int) -> list[Figure]:
    """The table for a store of this size, printed as it comes."""
    paths = {
        "list 20": "/v1/sessions?limit=20",
        "list 20, updated": "/v1/sessions?limit=20&sort_by=updated_at",
    }
    paths |= {f"search, {name}": f"/v1/sessions?search_query={quote(text)}" for name, text in QUERIES.items()}
    found = []
    for name, path in paths.items():
        row = await figure(port, name, path, sessions, count)
        note = "  partial" if row.is_partial else ""
        print(f"  {sessions:>8}  {name:<22}{row.p50:>9.2f}{row.p95:>9.2f}{row.rows:>6}{note}", flush=True)
        found.append(row)
    return found


async def until_indexed(port: int) -> float:
    """Seconds of searching until nothing is missing from the index."""
    began = time.perf_counter()
    while (await ask(port, "GET", "/v1/sessions?search_query=nowhere")).get("search_partial"):
        pass
    return time.perf_counter() - began


async def measured(server: Installation, options: argparse.Namespace) -> list[Figure]:
    """Both sizes."""
    agents = (await ask(server.port, "GET", "/v1/agents?limit=100"))["data"]
    agent_id = str(next(agent["id"] for agent in agents if agent["harness"] == "scripted"))
    numbers = itertools.count()
    found: list[Figure] = []
    for total in (FEW, options.sessions):
        began = time.perf_counter()
        await grow(server.port, agent_id, numbers, total - (FEW if found else 0), options.items)
        filled = time.perf_counter() - began
        indexed = await until_indexed(server.port)
        print(f"  {total} sessions of {options.items} items in {filled:.1f} s, indexed {indexed:.1f} s later")
        found += await figures(server.port, total, options.count)
    return found


def main() -> None:
    """Measure every chosen store."""
    parser = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    parser.add_argument("--server", choices=("daphne", "uvicorn"), default="uvicorn")
    parser.add_argument("--store", action="append", choices=("sqlite", "postgresql"), help="default: both")
    parser.add_argument("--sessions", type=int, default=10_000, help="how many there are in the end")
    parser.add_argument("--items", type=int, default=20, help="items of each session")
    parser.add_argument("--count", type=int, default=40, help="requests of each kind")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    report: dict[str, list[dict[str, Any]]] = {}
    for store in options.store or stores():
        print(
            f"\n{options.server}, {store}\n  {'sessions':>8}  {'':<22}{'p50 ms':>9}{'p95 ms':>9}{'rows':>6}"
        )
        with installation(server=options.server, store=store) as running:
            report[store] = [asdict(row) for row in uvloop.run(measured(running, options))]
    if options.json:
        options.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
