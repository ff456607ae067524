"""Two installations for tests of failures: each test breaks a part of one, which is whole again after it."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import httpx
import pytest

from tests.e2e.conftest import CLUSTER, SINGLE, STACK, flavour, pytest_runtest_makereport
from tests.e2e.program import wait_for
from tests.e2e.stack import Flavour, Stack, running_stack
from tests.services.processes import private_directory

__all__ = ["CLUSTER", "SINGLE", "flavour", "pytest_runtest_makereport"]

WHOLE_SECONDS = 60
# A runner whose server is away dials again after 15 s at the latest.
PATIENT_LEASE_SECONDS = "20"
TEST_SECONDS = 240


@contextmanager
def installed(flavour: Flavour) -> Iterator[Stack]:
    """The processes that the tests end, stop and start again."""
    with private_directory("failures") as directory:
        os.chown(directory, os.geteuid(), os.getegid())
        with running_stack(flavour, directory) as stack:
            yield stack


@contextmanager
def whole_again(installation: Stack, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """The installation for one test, made whole after it."""
    request.node.stash[STACK] = installation
    yield installation
    installation.close_streams()
    make_whole(installation)


@pytest.fixture(scope="session")
def installation(flavour: Flavour) -> Iterator[Stack]:
    """One that soon gives up what is lost."""
    with installed(flavour) as stack:
        yield stack


@pytest.fixture(scope="session")
def patient_installation(flavour: Flavour) -> Iterator[Stack]:
    """One whose leases outlast the longest pause between two dials of a runner, as they do in use."""
    environ = {**flavour.environ, "OMNIGENT_LEASE_SECONDS": PATIENT_LEASE_SECONDS}
    with installed(replace(flavour, environ=environ)) as stack:
        yield stack


@pytest.fixture
def stack(installation: Stack, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """For losses that have to be noticed."""
    with whole_again(installation, request) as stack:
        yield stack


@pytest.fixture
def patient_stack(patient_installation: Stack, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """For restarts that nobody may notice."""
    with whole_again(patient_installation, request) as stack:
        yield stack


def make_whole(stack: Stack) -> None:
    """Wake what was stopped, start what has ended, and wait until a session can be made on the host."""
    stack.tunnels.heal()
    stack.tunnels.route_to(None)
    for program in (*stack.servers, stack.host):
        if program.is_running:
            program.signal(signal.SIGCONT)
    for index, server in enumerate(stack.servers):
        if server.is_running:
            stack.wait_server(index)
        else:
            stack.start_server(index)
    if not stack.host.is_running:
        stack.host.start()
    wait_for(lambda: can_create(stack), seconds=WHOLE_SECONDS, what="the host back", every=0.1)


def can_create(stack: Stack) -> bool:
    """Whether a session can be made on the host; its lease alone may be that of a tunnel that has ended."""
    body = {"agent_id": stack.api.agent_id(), "host_id": "auto", "title": "probe"}
    return stack.api.http.post("/v1/sessions", json=body).status_code == httpx.codes.CREATED


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starting and restarting real processes takes longer than a test usually may."""
    for item in items:
        if {"installation", "patient_installation"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.timeout(TEST_SECONDS))
