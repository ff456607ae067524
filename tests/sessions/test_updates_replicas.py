"""WS /v1/sessions/updates on one process, changes in another: by bells, or by looking again."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from django.apps import apps

from sessions_app.events import publish
from sessions_app.models import Session
from sessions_app.process import Process
from sessions_app.services import read_state
from tests.factories import make_session
from tests.sessions.cast import caller
from tests.sessions.updates_client import Follower
from tests.stream.scene import append, delta, relayed, title
from tests.stream.scene import running as begins
from tests.stream.servers import Wire, application, running

PAYLOAD, BELL_ONLY = 100_000, 90


@dataclass
class Pair:
    """Process A commits; B holds the connection."""

    a: Process
    b: Process
    wire: Wire
    session: Session

    @asynccontextmanager
    async def follower_on_b(self) -> AsyncIterator[Follower]:
        """A client that process B serves, watching the session."""
        config: Any = apps.get_app_config("sessions_app")
        config.process = self.b
        async with Follower(application()) as client:
            config.process = self.a
            await client.watch([self.session.public_id])
            yield client


@pytest.fixture(params=[PAYLOAD, BELL_ONLY], ids=["with payload", "bells only"])
async def pair(request: pytest.FixtureRequest, transactional_db: None, settings: Any) -> AsyncIterator[Pair]:
    settings.OMNIGENT_UPDATES_RESCAN_SECONDS = 3600.0
    wire = Wire(request.param)
    async with running(bus=wire.end(), serves=False) as b, running(bus=wire.end()) as a:
        yield Pair(a, b, wire, await a.pool.run(lambda: make_session(title="First")))


async def test_a_status_of_the_other_process_is_pushed(pair: Pair) -> None:
    async with pair.follower_on_b() as client:
        await pair.a.pool.run(append, pair.session.pk, [delta("words")])
        await pair.a.pool.run(relayed, pair.session.pk, [begins()])

        assert (await client.changed())["status"] == "running"


def mark(session: Session) -> Callable[[], object]:
    principal = caller("local").principal
    return lambda: read_state.set_read_state(
        principal=principal, session_id=session.public_id, last_seen=7, unread=True
    )


async def test_what_no_log_tells_is_pushed(pair: Pair) -> None:
    async with pair.follower_on_b() as client:
        await pair.a.pool.run(mark(pair.session))

        assert (await client.changed())["viewer_last_seen"] == 7


async def test_a_new_session_of_the_other_process_is_pushed(pair: Pair) -> None:
    async with pair.follower_on_b() as client:
        born = await pair.a.pool.run(lambda: make_session(title="Born"))
        await pair.a.pool.run(publish.ring, "shown", str(born.pk))

        assert (await client.changed())["id"] == born.public_id


async def test_a_deletion_in_the_other_process_is_told(pair: Pair) -> None:
    async with pair.follower_on_b() as client:
        await pair.a.pool.run(lambda: Session.objects.filter(pk=pair.session.pk).delete())
        await pair.a.pool.run(publish.ring, "deleted", str(pair.session.pk))

        assert (await client.expect("removed"))["ids"] == [pair.session.public_id]


async def test_a_bus_that_comes_back_makes_the_watcher_look(pair: Pair) -> None:
    async with pair.follower_on_b() as client:
        pair.wire.is_cut = True
        await pair.a.pool.run(lambda: Session.objects.filter(pk=pair.session.pk).update(title="Second"))
        await pair.a.pool.run(append, pair.session.pk, [title("Second")])
        for end in pair.wire.ends:
            assert end.lost is not None
            end.lost()

        assert (await client.changed())["title"] == "Second"


async def test_a_bell_about_more_sessions_than_fit_makes_it_look_at_all(pair: Pair) -> None:
    async with pair.follower_on_b() as client:
        await pair.a.pool.run(lambda: Session.objects.filter(pk=pair.session.pk).update(title="Second"))
        await pair.a.pool.run(publish.ring, "rows", *[str(number) for number in range(10**6, 10**6 + 20_000)])

        assert (await client.changed())["title"] == "Second"
