"""A tunnel server and a workspace per test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.host.doubles import TunnelServer, tunnel_server


@pytest.fixture
async def server() -> AsyncIterator[TunnelServer]:
    async with tunnel_server() as running:
        yield running


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    path = tmp_path / "workspace"
    path.mkdir()
    return path


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"
