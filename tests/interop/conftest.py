"""The released product beside an installation of ours, in both configurations, with its telemetry off."""

import json
import subprocess
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from scripts import interop
from tests.e2e import conftest as processes
from tests.e2e.conftest import flavours
from tests.e2e.stack import Flavour, Stack, running_stack
from tests.interop.models import Models, running_models
from tests.interop.released import Desk, environ, running_desk
from tests.services.processes import private_directory

JOURNEYS = Path(__file__).parent / "journeys"
SECONDS = 240
SINGLE = pytest.param("daphne-sqlite", marks=pytest.mark.interop)
CLUSTER = pytest.param("uvicorn-postgres-redis", marks=[pytest.mark.interop, pytest.mark.cluster])
DESK = pytest.StashKey[Desk]()

Released = Callable[..., dict[str, Any]]

shared_stack = processes.shared_stack


@pytest.fixture(scope="session", params=[SINGLE, CLUSTER])
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    """What `make run` starts, and two replicas."""
    with flavours(request.param) as flavour:
        yield flavour


@pytest.fixture(scope="session")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    """Run a journey by its name, with arguments; gives the JSON object that it prints."""
    python = interop.setup()
    home = tmp_path_factory.mktemp("released-home")
    settings = environ(home)

    def run(journey: str, *arguments: str) -> dict[str, Any]:
        done = subprocess.run(
            [str(python), str(JOURNEYS / f"{journey}.py"), *arguments],
            cwd=home,
            env=settings,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        printed: dict[str, Any] = json.loads(done.stdout)
        return printed

    return run


@pytest.fixture(scope="session")
def url(shared_stack: Stack) -> str:
    """The address of a server with a host."""
    return shared_stack.url


@pytest.fixture(scope="session")
def models() -> Iterator[Models]:
    """What every runner samples from."""
    with running_models() as models:
        yield models


@pytest.fixture(scope="session")
def shared_desk(shared_stack: Stack, models: Models) -> Iterator[Desk]:
    """The released host at the installation that many tests use one after the other."""
    with running_desk(shared_stack, shared_stack.directory, models.url) as desk:
        yield desk


@pytest.fixture
def desk(shared_desk: Desk, request: pytest.FixtureRequest) -> Desk:
    """The shared one, with its logs in the report of a failure."""
    request.node.stash[DESK] = shared_desk
    return shared_desk


@pytest.fixture
def own_desk(flavour: Flavour, models: Models, request: pytest.FixtureRequest) -> Iterator[Desk]:
    """An installation and a released host of its own, for a test that kills parts of them."""
    with (
        private_directory("interop") as directory,
        running_stack(flavour, directory) as stack,
        running_desk(stack, directory, models.url) as desk,
    ):
        request.node.stash[DESK] = desk
        yield desk


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the ends of the logs under a failure."""
    report = yield
    desk = item.stash.get(DESK, None)
    if report.failed and desk is not None:
        report.sections.append(("processes", f"{desk.stack.logs()}\n{desk.logs()}"))
    return report
