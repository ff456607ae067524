"""Fixtures of the tests that run real processes, in both configurations; tests/chaos uses them too."""

import os
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.stack import Flavour, Stack, running_stack
from tests.services.postgres import private_postgres
from tests.services.processes import private_directory
from tests.services.redis import private_redis

SINGLE = pytest.param("daphne-sqlite", marks=pytest.mark.e2e)
CLUSTER = pytest.param("uvicorn-postgres-redis", marks=[pytest.mark.e2e, pytest.mark.cluster])
PROCESS_SECONDS = 180
STACK = pytest.StashKey[Stack]()


@contextmanager
def flavours(name: str) -> Iterator[Flavour]:
    """One process on Daphne and SQLite; two on uvicorn, PostgreSQL and Redis."""
    if name == "daphne-sqlite":
        yield Flavour(name=name, server="daphne", replicas=1)
        return
    with private_postgres() as postgres, private_redis() as redis:
        yield Flavour(name=name, server="uvicorn", replicas=2, postgres=postgres, redis=redis)


@pytest.fixture(scope="session", params=[SINGLE, CLUSTER])
def flavour(request: pytest.FixtureRequest) -> Iterator[Flavour]:
    """Each of the two configurations."""
    with flavours(request.param) as flavour:
        yield flavour


@pytest.fixture(scope="session")
def shared_stack(flavour: Flavour) -> Iterator[Stack]:
    """An installation that many tests use one after the other; nobody breaks it."""
    with private_directory("e2e") as directory:
        os.chown(directory, os.geteuid(), os.getegid())
        with running_stack(flavour, directory) as stack:
            yield stack


@pytest.fixture
def stack(shared_stack: Stack, request: pytest.FixtureRequest) -> Stack:
    """The shared installation, with its logs in the report of a failure."""
    request.node.stash[STACK] = shared_stack
    return shared_stack


@pytest.fixture
def own_stack(flavour: Flavour, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """An installation of its own, for a test that kills parts of it."""
    with private_directory("e2e") as directory:
        os.chown(directory, os.geteuid(), os.getegid())
        with running_stack(flavour, directory) as stack:
            request.node.stash[STACK] = stack
            yield stack


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starting and restarting real processes takes longer than a test usually may."""
    for item in items:
        if "own_stack" in getattr(item, "fixturenames", ()) or "make_run" in item.nodeid:
            item.add_marker(pytest.mark.timeout(PROCESS_SECONDS))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put the history of the sessions and the end of every process's log under a failure."""
    report = yield
    stack = item.stash.get(STACK, None)
    if report.failed and stack is not None:
        report.sections.append(("history", stack.history()))
        report.sections.append(("processes", stack.logs()))
    return report
