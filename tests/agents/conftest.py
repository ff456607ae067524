"""A client of what Django answers, and a whole server with people who talk to it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from django.test import Client
from pytest_django import Settings

from tests.accounts.people import client_at
from tests.agents.registry import Registry
from tests.inputs.conftest import http, quick, rig, server
from tests.inputs.door import Door

__all__ = ["http", "quick", "rig", "server"]


@pytest.fixture
def reader(db: None) -> Client:
    """A client on this machine."""
    return Client(headers={"host": "127.0.0.1:6767"})


@pytest.fixture
def many_users(settings: Settings) -> Settings:
    """A server where a proxy says who is calling."""
    settings.OMNIGENT_AUTH_MODE = "header"
    settings.OMNIGENT_TRUSTED_PROXIES = ("10.1.0.0/16",)
    return settings


@pytest.fixture
def registry(server: Door, http: httpx.AsyncClient) -> Registry:
    """The API of agents, as the only user."""
    return Registry(http=http, door=server)


@pytest.fixture
async def olga(many_users: Settings, server: Door) -> AsyncIterator[Registry]:
    """The same as one person among many."""
    async with person(server, "olga@example.org") as client:
        yield Registry(http=client, door=server)


@pytest.fixture
async def sven(many_users: Settings, server: Door) -> AsyncIterator[Registry]:
    """And as another one."""
    async with person(server, "sven@example.org") as client:
        yield Registry(http=client, door=server)


def person(server: Door, name: str) -> httpx.AsyncClient:
    """A client that the proxy names."""
    return client_at(server, "10.1.2.3", headers={"X-Forwarded-Email": name})
