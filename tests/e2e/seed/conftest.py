"""A running server with a host in each way to know its callers; these tests are its first person.

`admin` is that person with an administrator's token, `member` somebody who is no administrator.
"""

import os
import subprocess
import uuid
from collections.abc import Iterator

import pytest

from tests.e2e.api import Api
from tests.e2e.seed.modes import MODES
from tests.e2e.seed.people import administrator, somebody_else
from tests.e2e.seed.rules import House
from tests.e2e.stack import Stack, running_stack
from tests.services.processes import private_directory


@pytest.fixture(scope="session", params=[pytest.param(mode, marks=pytest.mark.e2e) for mode in MODES])
def mode(request: pytest.FixtureRequest) -> str:
    """How the server knows who asks."""
    return str(request.param)


@pytest.fixture(scope="session")
def shared_stack(mode: str) -> Iterator[Stack]:
    """The installation of a mode; nobody breaks it."""
    with private_directory("seed") as directory:
        os.chown(directory, os.geteuid(), os.getegid())
        with running_stack(MODES[mode], directory) as stack:
            yield stack


@pytest.fixture
def api(stack: Stack) -> Api:
    """The caller's client."""
    return stack.api


@pytest.fixture(scope="session")
def admin(mode: str, shared_stack: Stack) -> Iterator[Api]:
    """An administrator's client."""
    with administrator(mode, shared_stack.url) as api:
        yield api


@pytest.fixture(scope="session")
def member(mode: str, shared_stack: Stack) -> Iterator[Api]:
    """The client of somebody who is no administrator; where there is one user there is nobody else."""
    if mode == "single-user":
        yield shared_stack.api
        return
    with somebody_else(mode, shared_stack.url) as api:
        yield api


@pytest.fixture
def house(admin: Api) -> Iterator[House]:
    """Makes server-wide policies, which end with the test."""
    house = House(admin)
    yield house
    house.clear()


@pytest.fixture
def workspace(stack: Stack) -> str:
    """A directory in the host's home."""
    path = stack.home / f"workspace-{uuid.uuid4().hex[:8]}"
    path.mkdir()
    return str(path.resolve())


@pytest.fixture
def repository(workspace: str) -> str:
    """A git repository with one commit."""
    who = ["-c", "user.name=Test", "-c", "user.email=test@example.com"]
    for command in (["init", "-q"], [*who, "commit", "-q", "--allow-empty", "-m", "Begin"]):
        subprocess.run(["git", *command], cwd=workspace, check=True)
    return workspace
