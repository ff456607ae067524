"""An installation that the tests of one directory share: one server on SQLite with a host."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.stack import Flavour, Stack, running_stack
from tests.services.processes import private_directory


@contextmanager
def live(name: str) -> Iterator[Stack]:
    """Started now, ended when the block is left; `name` is in its directory's."""
    with (
        private_directory(name) as directory,
        running_stack(Flavour(name=name, server="daphne", replicas=1), directory) as stack,
    ):
        yield stack


def show_logs(report: pytest.TestReport, item: pytest.Function) -> None:
    """Put the end of every process's log under a failure of a test that uses `live_stack`."""
    stack = item.funcargs.get("live_stack") if hasattr(item, "funcargs") else None
    if report.failed and stack is not None:
        report.sections.append(("processes", stack.logs()))
