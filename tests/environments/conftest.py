"""A server process on the loop of the test, a runner in it, and a session that is bound to the runner."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from sessions_app.models import Session
from sessions_app.process import Process
from tests.environments.workspace import ROOT, Workspace
from tests.factories import make_session
from tests.stream.servers import application, running
from tests.tunnel.fake_runner import FakeRunner


@pytest.fixture
async def process(transactional_db: None, settings: Any) -> AsyncIterator[Process]:
    """What a server process has once."""
    settings.OMNIGENT_COMMIT_FLOOR_SECONDS = 0.0
    async with running() as process:
        yield process


@pytest.fixture
def app(process: Process) -> Gate:
    """The ASGI application of that process."""
    return application()


@pytest.fixture
async def runner(app: Gate) -> AsyncIterator[FakeRunner]:
    """A runner that has dialled in."""
    async with FakeRunner(app) as runner:
        yield runner


@pytest.fixture
def workspace(runner: FakeRunner) -> Workspace:
    """What that runner has."""
    return Workspace(runner)


@pytest.fixture
async def session(process: Process, runner: FakeRunner) -> Session:
    """A session on that runner, on no host."""
    return await process.pool.run(make_session, runner_id=runner.runner_id, workspace=ROOT)
