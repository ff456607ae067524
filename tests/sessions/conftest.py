"""A whole server in this process: the ASGI application, its threads and loops, and an HTTP client."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.apps import apps
from django.db import connections
from django.test.utils import CaptureQueriesContext

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
async def client(process: Process) -> AsyncIterator[httpx.AsyncClient]:
    """A client on this machine."""
    transport = httpx.ASGITransport(app=Gate(Router()))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:6767") as http:
        yield http


@pytest.fixture
def statements() -> Iterator[Any]:
    """Counts the statements that the process's threads run."""
    yield StatementCounter


class StatementCounter:
    """Statements of one pool thread, without transaction control."""

    def __init__(self, process: Process) -> None:
        self._process = process
