"""A whole server in this process with short loops, and the runners and hosts that dial in."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from django.apps import apps
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from omnigent.asgi import Router
from sessions_app.process import Process, build_process
from tests.inputs.fake_host import FakeHost
from tests.inputs.fake_runner import FakeRunner
from tests.inputs.rig import Rig

ADDRESS = "http://127.0.0.1:9"


@pytest.fixture
def quick(settings: Settings) -> Settings:
    """Loops that turn fast enough for tests."""
    settings.OMNIGENT_OUTBOX_SECONDS = 0.2
    settings.OMNIGENT_LAUNCH_SECONDS = 10.0
    return settings


@pytest.fixture
async def process(transactional_db: None, quick: Settings) -> AsyncIterator[Process]:
    """What a server process has once, started on the test's loop."""
    config: Any = apps.get_app_config("sessions_app")
    running = build_process(ADDRESS)
    config.process = running
    await running.start()
    yield running
    await running.stop()
    config.process = None


@pytest.fixture
async def server(process: Process) -> Gate:
    """The ASGI application of that process."""
    return Gate(Router())


@pytest.fixture
async def http(server: Gate) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the whole application."""
    transport = httpx.ASGITransport(app=server)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:6767", timeout=30) as client:
        yield client


@pytest.fixture
async def rig(process: Process, http: httpx.AsyncClient) -> Rig:
    """The API as these tests use it."""
    return Rig(process=process, http=http)


@pytest.fixture
async def runner(server: Gate) -> AsyncIterator[FakeRunner]:
    """A runner that has dialled in by itself."""
    fake = FakeRunner(server)
    await fake.connect()
    yield fake
    await fake.end()


@pytest.fixture
async def host(server: Gate) -> AsyncIterator[FakeHost]:
    """A host that has dialled in."""
    fake = FakeHost(server)
    await fake.connect()
    yield fake
    await fake.end()
