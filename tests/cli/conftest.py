"""A live installation for the command line's tests, started once and shared, and ways to run commands."""

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from tests.cli.commands import Shell
from tests.cli.terminal import Terminals
from tests.e2e.live import live, show_logs
from tests.e2e.stack import Stack
from tests.services.processes import private_directory


@pytest.fixture(scope="session")
def live_stack() -> Iterator[Stack]:
    """One server on SQLite with a host."""
    with live("cli") as stack:
        yield stack


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    show_logs(report, item)
    return report


@pytest.fixture
def shell(live_stack: Stack, tmp_path: Path) -> Shell:
    """Runs the program in pipes, against the live server."""
    return Shell(live_stack.url, tmp_path)


@pytest.fixture
def terminals(live_stack: Stack, tmp_path: Path) -> Iterator[Terminals]:
    """Runs the program in real terminals, against the live server."""
    with private_directory("tmux") as directory:
        terminals = Terminals(Shell(live_stack.url, tmp_path), directory)
        try:
            yield terminals
        finally:
            terminals.close()
