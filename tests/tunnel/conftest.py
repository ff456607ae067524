"""A server process on the loop of the test, its application, and a database that can fail."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from sessions_app.models import Session
from sessions_app.process import Process
from tests.api_plumbing.asgi_client import call
from tests.stream.servers import application, running
from tests.tunnel.trouble import Trouble, troubled

Post = Callable[[Session, str], Awaitable[str]]


@pytest.fixture
def brisk(settings: Any) -> None:
    """Waits that a test can sit out."""
    settings.OMNIGENT_HEARTBEAT_SECONDS = 0.2
    settings.OMNIGENT_HELLO_SECONDS = 5.0
    settings.OMNIGENT_COMMIT_FLOOR_SECONDS = 0.0


@pytest.fixture
def trouble(transactional_db: None) -> Iterator[Trouble]:
    """Makes the writer's statements fail."""
    with troubled() as trouble:
        yield trouble


@pytest.fixture
async def process(trouble: Trouble, brisk: None) -> AsyncIterator[Process]:
    """What a server process has once."""
    async with running() as process:
        yield process


@pytest.fixture
def app(process: Process) -> Gate:
    """The ASGI application of that process."""
    return application()


@pytest.fixture
def post(app: Gate) -> Post:
    """Post a message; gives the item's id."""

    async def send(session: Session, words: str) -> str:
        body = b'{"type":"message","data":{"role":"user","content":[{"type":"input_text","text":"%s"}]}}'
        path = f"/v1/sessions/{session.public_id}/events"
        reply = await call(app, "POST", path, body % words.encode(), {"content-type": "application/json"})
        assert reply.status == 202, reply.body
        return str(reply.json["item_id"])

    return send
