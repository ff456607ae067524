"""A server where several people have accounts, on the loop of the test."""

from collections.abc import AsyncIterator

import pytest
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from sessions_app.process import Process
from tests.stream.servers import application, running


@pytest.fixture
def accounts(settings: Settings) -> Settings:
    """People log in here."""
    settings.OMNIGENT_AUTH_MODE = "accounts"
    settings.OMNIGENT_COMMIT_FLOOR_SECONDS = 0.0
    return settings


@pytest.fixture
async def process(transactional_db: None, accounts: Settings) -> AsyncIterator[Process]:
    """What a server process has once."""
    async with running() as process:
        yield process


@pytest.fixture
def app(process: Process) -> Gate:
    """The ASGI application of that process."""
    return application()
