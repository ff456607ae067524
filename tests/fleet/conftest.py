"""A whole server in this process, and hosts: one that answers from a table, one that starts runners."""

from collections.abc import AsyncIterator

import pytest

from tests.inputs.conftest import http, quick, rig, server
from tests.inputs.fake_host import FakeHost as LaunchingHost
from tests.inputs.rig import Rig
from tests.inputs.waiting import eventually
from tests.sessions.fake_host import HOST, FakeHost, connected, default_handlers

__all__ = ["http", "quick", "rig", "server"]


@pytest.fixture
async def launcher(rig: Rig) -> AsyncIterator[LaunchingHost]:
    """A host whose runners dial in."""
    fake = LaunchingHost(rig.door)
    await fake.connect()
    await rig.known_host(fake)
    yield fake
    await fake.end()


@pytest.fixture
async def host(rig: Rig) -> AsyncIterator[FakeHost]:
    """A host that answers what the test says, and by default that all is well."""

    async def is_online() -> bool:
        return bool((await rig.http.get(f"/v1/hosts/{HOST}")).json().get("status") == "online")

    async with connected(rig.door, FakeHost(HOST, default_handlers())) as fake:
        await eventually(is_online, "the host is online")
        yield fake
