"""A server whose operator has brought handlers along, and a runner that executes tools."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from django.apps import apps
from pytest_django import Settings

from policies_app.catalogue import Catalogue, build_catalogue
from tests.inputs.conftest import http, server
from tests.inputs.door import Door
from tests.policing import handlers
from tests.policing.policed import Policed
from tests.policing.tool_runner import ToolRunner

__all__ = ["http", "server"]


@pytest.fixture
def operators() -> Iterator[Any]:
    """The app that holds the catalogue, with our handlers in it; as it was before, when the test is over."""
    config: Any = apps.get_app_config("policies_app")
    own: Catalogue = config.catalogue
    config.catalogue = build_catalogue(modules=[handlers.__name__])
    assert not config.catalogue.missing
    yield config
    config.catalogue = own


@pytest.fixture
def quick(settings: Settings, operators: Any) -> Settings:
    """Loops that turn fast enough for tests."""
    settings.OMNIGENT_OUTBOX_SECONDS = 0.2
    settings.OMNIGENT_LAUNCH_SECONDS = 10.0
    settings.OMNIGENT_RECONCILE_SECONDS = 0.3
    settings.OMNIGENT_POLICY_HANDLER_SECONDS = 0.3
    return settings


@pytest.fixture
async def rig(server: Door, http: httpx.AsyncClient) -> Policed:
    """The API as these tests use it."""
    return Policed(door=server, http=http)


@pytest.fixture
async def runner(server: Door) -> AsyncIterator[ToolRunner]:
    """A runner that has dialled in by itself."""
    fake = ToolRunner(server)
    await fake.connect()
    yield fake
    await fake.end()
