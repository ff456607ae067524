"""A whole server in this process: the ASGI application, its threads and loops, and clients to talk to it."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from django.test import Client

from agents_app.models import Agent
from omnigent.accounts.gate import Gate
from omnigent.asgi import Router
from sessions_app.process import Process
from sessions_app.services import presence
from tests.factories import make_agent
from tests.sessions.fake_host import HOST, FakeHost, connected, default_handlers
from tests.stream.servers import running


@pytest.fixture
async def process(transactional_db: None) -> AsyncIterator[Process]:
    """What a server process has once, started on the test's loop."""
    async with running() as process:
        yield process


@pytest.fixture
async def server(process: Process) -> Gate:
    """The ASGI application of that process."""
    return Gate(Router())


@pytest.fixture
async def http(server: Gate) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole application."""
    transport = httpx.ASGITransport(app=server)  # type: ignore[arg-type]  # our ASGI types are narrower than httpx's
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:6767") as client:
        yield client


@pytest.fixture
def reader(db: None) -> Client:
    """A client of what Django answers."""
    return Client(headers={"host": "127.0.0.1:6767"})


@pytest.fixture
async def agent(process: Process) -> Agent:
    """A built-in agent."""
    return await process.pool.run(make_agent)


@pytest.fixture
async def host(server: Gate, process: Process) -> AsyncIterator[FakeHost]:
    """A host that is online."""
    async with connected(server, FakeHost(HOST, default_handlers())) as fake:
        await is_online(process, HOST)
        yield fake


async def is_online(process: Process, host_id: str) -> None:
    """Wait until a host's tunnel is there."""
    async with asyncio.timeout(5):
        while True:
            changed = process.changes.next()
            if await process.pool.run(presence.online, "host", [host_id]):
                return
            await changed
