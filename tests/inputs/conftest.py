"""A whole server in this process with short loops, and the runners and hosts that dial in."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from pytest_django import Settings

from tests.inputs.door import Door
from tests.inputs.fake_host import FakeHost
from tests.inputs.fake_runner import FakeRunner
from tests.inputs.rig import Rig


@pytest.fixture
def quick(settings: Settings) -> Settings:
    """Loops that turn fast enough for tests."""
    settings.OMNIGENT_OUTBOX_SECONDS = 0.2
    settings.OMNIGENT_LAUNCH_SECONDS = 10.0
    return settings


@pytest.fixture
async def server(transactional_db: None, quick: Settings) -> AsyncIterator[Door]:
    """The application, with a process running on the test's loop."""
    door = Door()
    await door.start()
    yield door
    await door.stop()


@pytest.fixture
async def http(server: Door) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole application."""
    transport = httpx.ASGITransport(app=server)  # type: ignore[arg-type]  # our ASGI types are narrower than httpx's
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:6767", timeout=30) as client:
        yield client


@pytest.fixture
async def rig(server: Door, http: httpx.AsyncClient) -> Rig:
    """The API as these tests use it."""
    return Rig(door=server, http=http)


@pytest.fixture
async def runner(server: Door) -> AsyncIterator[FakeRunner]:
    """A runner that has dialled in by itself."""
    fake = FakeRunner(server)
    await fake.connect()
    yield fake
    await fake.end()


@pytest.fixture
async def host(server: Door) -> AsyncIterator[FakeHost]:
    """A host that has dialled in."""
    fake = FakeHost(server)
    await fake.connect()
    yield fake
    await fake.end()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Where the outcomes of a writer would arrive."""
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()
