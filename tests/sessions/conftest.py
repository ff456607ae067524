"""A whole server in this process: the ASGI application, its threads and loops, and clients to talk to it."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from django.apps import apps
from django.test import Client

from omnigent.accounts.gate import Gate
from omnigent.asgi import Router
from sessions_app.process import Process, build_process


@pytest.fixture
async def process(transactional_db: None) -> AsyncIterator[Process]:
    """What a server process has once, started on the test's loop."""
    config: Any = apps.get_app_config("sessions_app")
    running = build_process("http://127.0.0.1:9")
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
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:6767") as client:
        yield client


@pytest.fixture
def reader(db: None) -> Client:
    """A client of what Django answers."""
    return Client(headers={"host": "127.0.0.1:6767"})
