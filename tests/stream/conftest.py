"""A server process with short durations on the loop of the test, and its ASGI application."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from sessions_app.process import Process
from tests.stream.servers import application, running


@pytest.fixture
def brisk(settings: Any) -> None:
    """Waits that a test can sit out."""
    settings.OMNIGENT_HEARTBEAT_SECONDS = 0.2
    settings.OMNIGENT_ACCESS_RECHECK_SECONDS = 30.0
    settings.OMNIGENT_HELLO_SECONDS = 5.0
    settings.OMNIGENT_COMMIT_FLOOR_SECONDS = 0.0


@pytest.fixture
async def process(transactional_db: None, brisk: None) -> AsyncIterator[Process]:
    """What a server process has once."""
    async with running() as process:
        yield process


@pytest.fixture
def app(process: Process) -> Gate:
    """The ASGI application of that process."""
    return application()
