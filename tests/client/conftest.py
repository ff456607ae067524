"""A live installation for the client's tests, started once and shared."""

from collections.abc import AsyncIterator, Generator, Iterator

import pytest

from omnigent_client import OmnigentClient
from tests.e2e.stack import Flavour, Stack, running_stack
from tests.services.processes import private_directory


@pytest.fixture(scope="session")
def live_stack() -> Iterator[Stack]:
    """One server on SQLite with a host."""
    with (
        private_directory("client") as directory,
        running_stack(Flavour(name="client", server="daphne", replicas=1), directory) as stack,
    ):
        yield stack


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the end of every process's log under a failure."""
    report = yield
    stack = getattr(item, "funcargs", {}).get("live_stack")
    if report.failed and stack is not None:
        report.sections.append(("processes", stack.logs()))
    return report


@pytest.fixture
async def client(live_stack: Stack) -> AsyncIterator[OmnigentClient]:
    """A client of it."""
    async with OmnigentClient(base_url=live_stack.url) as client:
        yield client
