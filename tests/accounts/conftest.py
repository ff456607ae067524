"""A whole server in this process, in each of the modes that know several people."""

from collections.abc import AsyncIterator

import httpx
import pytest
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from omnigent.asgi import Router
from sessions_app.process import Process
from tests.accounts.people import client_at
from tests.stream.servers import running


@pytest.fixture
def accounts(settings: Settings) -> Settings:
    """People log in here."""
    settings.OMNIGENT_AUTH_MODE = "accounts"
    return settings


@pytest.fixture
def proxied(settings: Settings) -> Settings:
    """A proxy on another machine names them."""
    settings.OMNIGENT_AUTH_MODE = "header"
    settings.OMNIGENT_TRUSTED_PROXIES = ("10.1.0.0/16", "2001:db8::7")
    settings.OMNIGENT_ADMINS = frozenset({"ada@example.org"})
    return settings


@pytest.fixture
async def process(transactional_db: None) -> AsyncIterator[Process]:
    """What a server process has once, started on the test's loop."""
    async with running() as process:
        yield process


@pytest.fixture
async def app(process: Process) -> Gate:
    """The ASGI application of that process."""
    return Gate(Router())


@pytest.fixture
async def http(app: Gate) -> AsyncIterator[httpx.AsyncClient]:
    """A client on this machine."""
    async with client_at(app) as client:
        yield client
