"""One installation under chaos settings for all crash tests: being killed and started again is its life."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest

from tests.chaos.fuse import FILE_VARIABLE, TAKEN_SUFFIX, Point
from tests.e2e.conftest import CLUSTER, SINGLE, STACK, flavour, pytest_runtest_makereport
from tests.e2e.program import Program, wait_for
from tests.e2e.stack import Flavour, Stack, running_stack
from tests.services.processes import private_directory

__all__ = ["CLUSTER", "SINGLE", "flavour", "pytest_runtest_makereport"]

CRASH_SECONDS = 30
# A runner whose server dies again and again redials after 15 s at the latest; its lease must outlast that.
LEASE_SECONDS = "20"


@dataclass(frozen=True, kw_only=True)
class Chaos:
    """The installation and the fuse that its servers look at."""

    stack: Stack
    fuse: Path

    def arm(self, point: Point) -> None:
        """Let the next server that comes to the point die there."""
        taken = self.fuse.with_suffix(TAKEN_SUFFIX)
        taken.unlink(missing_ok=True)
        draft = self.fuse.with_suffix(".draft")
        draft.write_text(point.dump())
        draft.rename(self.fuse)

    def disarm(self) -> None:
        """Take an unreached point away."""
        self.fuse.unlink(missing_ok=True)

    def wait_crash(self) -> Program:
        """The server that died at the point."""

        def dead() -> Program | None:
            return next((server for server in self.stack.servers if not server.is_running), None)

        server = wait_for(dead, seconds=CRASH_SECONDS, what=f"a crash at {self.point_text()}", every=0.02)
        assert server is not None
        assert self.fuse.with_suffix(TAKEN_SUFFIX).exists(), f"died elsewhere\n{server.log()}"
        return server

    def point_text(self) -> str:
        """What is armed, for a message."""
        return self.fuse.read_text().replace("\n", ": ") if self.fuse.exists() else "the point"

    def restart(self) -> None:
        """Start whatever is dead."""
        for index, server in enumerate(self.stack.servers):
            if not server.is_running:
                self.stack.start_server(index)
        wait_for(self.host_answers, seconds=CRASH_SECONDS, what="the host back", every=0.1)

    def host_answers(self) -> bool:
        """Whether a session can be made on the host; its lease alone may be that of a tunnel that died."""
        body = {"agent_id": self.stack.api.agent_id(), "host_id": "auto", "title": "probe"}
        return self.stack.api.http.post("/v1/sessions", json=body).status_code == httpx.codes.CREATED


@pytest.fixture(scope="session")
def installation(flavour: Flavour) -> Iterator[Chaos]:
    """The servers run the product under tests.chaos.settings; the host runs it as it is."""
    with private_directory("chaos") as directory:
        os.chown(directory, os.geteuid(), os.getegid())
        fuse = directory / "fuse.point"
        environ = {
            "DJANGO_SETTINGS_MODULE": "tests.chaos.settings",
            "OMNIGENT_LEASE_SECONDS": LEASE_SECONDS,
            FILE_VARIABLE: str(fuse),
        }
        with running_stack(replace(flavour, environ=environ), directory) as stack:
            yield Chaos(stack=stack, fuse=fuse)


@pytest.fixture
def chaos(installation: Chaos, request: pytest.FixtureRequest) -> Iterator[Chaos]:
    """The installation, whole again after the test."""
    request.node.stash[STACK] = installation.stack
    yield installation
    installation.disarm()
    installation.restart()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here that uses the installation is chaos, and has time for restarts."""
    for item in items:
        if "chaos" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.chaos)
            item.add_marker(pytest.mark.timeout(180))
