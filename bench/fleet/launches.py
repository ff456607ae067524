"""From the wish for a session to its first word: a host launches a runner, which does a turn."""

import asyncio
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import orjson

from bench.client import ask
from bench.fleet.grounds import Grounds, end_all
from bench.journeys import message
from scripts import interop
from tests.e2e.program import Program, processes_at_home
from tests.interop.models import running_models
from tests.interop.released import VERSION, agent, archive, environ, keys

DELTA = b"event: response.output_text.delta"
WAIT_SECONDS = 120
PROMPT = "Count to 3"
Create = Callable[[], Awaitable[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """Milliseconds from sending the request that creates a session, with a runner of its own: until it is
    answered, and until the first text of the message posted right after it can be read.
    """

    host: str
    launches: int
    created_ms: float
    first_text_ms: float
    fastest_ms: float
    slowest_ms: float


async def measure_launches(grounds: Grounds, *, count: int, released: bool) -> list[Launch]:
    """With our host, and if wanted and possible with the released one."""
    await grounds.until_host()
    agent_id = await grounds.agent_id()

    async def ours() -> str:
        body = {"agent_id": agent_id, "host_id": "auto"}
        return str((await ask(grounds.ports[0], "POST", "/v1/sessions", body, expect=201))["id"])

    rows = [await launches(grounds, "ours", grounds.home, ours, count)]
    if released and not (interop.VENV / "bin" / "omnigent").exists():
        print("  left out: the released host; the interop tests make the environment it needs", flush=True)
    elif released:
        rows.append(await measure_released(grounds, count))
    return rows


async def measure_released(grounds: Grounds, count: int) -> Launch:
    """With the released host and runner, and a model server that answers at once."""
    port = grounds.ports[0]
    home = grounds.directory / "released"
    with released_host(grounds, home) as program:
        host_id = await released_id(port, program)
        archived = archive(agent())

        async def theirs() -> str:
            workspace = grounds.workspace(f"released-{uuid.uuid4().hex}")
            body = {"host_id": host_id, "workspace": str(workspace)}
            async with httpx.AsyncClient(timeout=WAIT_SECONDS, trust_env=False) as client:
                answer = await client.post(
                    f"http://127.0.0.1:{port}/v1/sessions",
                    files={
                        "metadata": (None, orjson.dumps(body), "application/json"),
                        "bundle": ("agent.tar.gz", archived, "application/gzip"),
                    },
                )
            answer.raise_for_status()
            return str(answer.json()["session_id"])

        return await launches(grounds, f"released {VERSION}", home, theirs, count)


@contextmanager
def released_host(grounds: Grounds, home: Path) -> Iterator[Program]:
    """Start it beside ours, in a home of its own, and end it with all that it started."""
    url = f"http://127.0.0.1:{grounds.ports[0]}"
    command = [str(interop.VENV / "bin" / "omnigent"), "host", url, "--no-open", "--non-interactive"]
    with ExitStack() as stack:
        models = stack.enter_context(running_models())
        settings = {**environ(home), **keys(models.url)}
        program = Program("released-host", command, environ=settings, directory=grounds.directory, cwd=home)
        stack.callback(end_all, home)
        stack.callback(lambda: program.stop() if program.is_running else None)
        program.start()
        yield program


async def released_id(port: int, program: Program) -> str:
    """The released host's id once it is online."""
    async with asyncio.timeout(WAIT_SECONDS):
        while program.is_running:
            for row in (await ask(port, "GET", "/v1/hosts"))["hosts"]:
                if row["version"] == VERSION and row["status"] == "online":
                    return str(row["host_id"])
            await asyncio.sleep(0.1)
    raise RuntimeError(program.log())


async def launches(grounds: Grounds, host: str, home: Path, create: Create, count: int) -> Launch:
    """One after the other on the host with this home; the first, which finds nothing warm, is not counted."""
    made = [await launched(grounds, home, create) for _ in range(count + 1)][1:]
    spoken = [spoke for _, spoke in made]
    return Launch(
        host=host,
        launches=count,
        created_ms=statistics.median(created for created, _ in made),
        first_text_ms=statistics.median(spoken),
        fastest_ms=min(spoken),
        slowest_ms=max(spoken),
    )


async def launched(grounds: Grounds, home: Path, create: Create) -> tuple[float, float]:
    """Milliseconds until the session was there, and until it spoke; it is deleted afterwards."""
    port = grounds.ports[0]
    began = time.perf_counter()
    session_id = await create()
    created = time.perf_counter()
    async with asyncio.timeout(WAIT_SECONDS):
        posting = ask(port, "POST", f"/v1/sessions/{session_id}/events", message(PROMPT), expect=202)
        _, spoke = await asyncio.gather(posting, first_text(port, session_id))
    before = pids_at(home)
    await grounds.delete(session_id)
    await until_fewer(home, before)
    return 1000 * (created - began), 1000 * (spoke - began)


async def first_text(port: int, session_id: str) -> float:
    """When the first delta of the session's log could be read."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        path = f"/v1/sessions/{session_id}/stream?after=0"
        lines = (f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Accept: text/event-stream")
        writer.write("\r\n".join([*lines, "", ""]).encode())
        tail = b""
        while data := await reader.read(2**16):
            if DELTA in tail + data:
                return time.perf_counter()
            tail = data[-len(DELTA) :]
        raise RuntimeError("the stream ended before a word was said")
    finally:
        writer.close()


async def until_fewer(home: Path, before: set[int]) -> None:
    """Wait until one of these has ended: the runner, which would disturb the next launch."""
    async with asyncio.timeout(WAIT_SECONDS):
        while not before - pids_at(home):  # noqa: ASYNC110  only looking tells
            await asyncio.sleep(0.05)


def pids_at(home: Path) -> set[int]:
    """The processes with this home."""
    return {process.pid for process in processes_at_home(home)}
