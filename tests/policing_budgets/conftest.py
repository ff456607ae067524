"""A whole server with short loops, a runner that executes tools, and trees of sessions that run on it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pytest_django import Settings

from tests.inputs.conftest import http, server
from tests.inputs.door import Door
from tests.policing.tool_runner import ToolRunner
from tests.policing_budgets.spending import Spending

__all__ = ["http", "server"]


@pytest.fixture
def quick(settings: Settings) -> Settings:
    """Loops that turn fast, but for the one that would do by itself what a bell has to bring about."""
    settings.OMNIGENT_OUTBOX_SECONDS = 0.2
    settings.OMNIGENT_LAUNCH_SECONDS = 10.0
    settings.OMNIGENT_RECONCILE_SECONDS = 3600.0
    return settings


@pytest.fixture
async def runner(server: Door) -> AsyncIterator[ToolRunner]:
    """A runner that has dialled in by itself."""
    fake = ToolRunner(server)
    await fake.connect()
    yield fake
    await fake.end()


@pytest.fixture
async def rig(server: Door, http: httpx.AsyncClient, runner: ToolRunner) -> Spending:
    """The API as these tests use it."""
    return Spending(door=server, http=http, runner=runner)
