"""One live server for the tests that go through a socket."""

import os
from collections.abc import Iterator

import pytest

from tests.contract.live import World, running_server
from tests.services.processes import private_directory


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """A server process that all tests of this directory share."""
    with private_directory("contract") as directory:
        os.chown(directory, os.geteuid(), os.getegid())
        with running_server(directory) as running:
            yield running
