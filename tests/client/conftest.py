"""A live installation for the client's tests, started once and shared."""

from collections.abc import AsyncIterator, Generator, Iterator

import pytest

from omnigent_client import OmnigentClient
from tests.e2e.live import live, show_logs
from tests.e2e.stack import Stack


@pytest.fixture(scope="session")
def live_stack() -> Iterator[Stack]:
    """One server on SQLite with a host."""
    with live("client") as stack:
        yield stack


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    show_logs(report, item)
    return report


@pytest.fixture
async def client(live_stack: Stack) -> AsyncIterator[OmnigentClient]:
    """A client of it."""
    async with OmnigentClient(base_url=live_stack.url) as client:
        yield client
