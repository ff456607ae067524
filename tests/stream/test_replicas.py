"""Two processes on one database: what one commits, the readers of the other see."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest
from django.apps import apps

from sessions_app.events import publish
from sessions_app.events.announcer import Announcer
from sessions_app.events.broker import Broker
from sessions_app.models import Session
from sessions_app.process import Process
from tests.api_plumbing.asgi_client import call
from tests.factories import make_session
from tests.stream.reader import Reader
from tests.stream.scene import append, title
from tests.stream.servers import Wire, application, running, until

PAYLOAD, BELL_ONLY = 100_000, 90


@dataclass
class Pair:
    """Process A commits and answers requests; B holds the readers that were opened there."""

    a: Process
    b: Process
    wire: Wire
    session: Session

    def reader_on_b(self, **more: Any) -> "OnB":
        """A reader that process B serves."""
        return OnB(self, more)

    async def commit(self, *names: str) -> None:
        """Commit titles in A, one transaction each."""
        for name in names:
            await self.a.pool.run(append, self.session.pk, [title(name)])


class OnB:
    """Opens a reader while B is the process that answers."""

    def __init__(self, pair: Pair, more: dict[str, Any]) -> None:
        self._pair = pair
        self.reader = Reader(application(), pair.session.public_id, **more)

    async def __aenter__(self) -> Reader:
        config: Any = apps.get_app_config("sessions_app")
        config.process = self._pair.b
        try:
            await self.reader.__aenter__()
            await self.reader.until_event("session.heartbeat")
        finally:
            config.process = self._pair.a
        return self.reader

    async def __aexit__(self, *error: object) -> None:
        await self.reader.close()


@pytest.fixture(params=[PAYLOAD, BELL_ONLY], ids=["with payload", "bells only"])
async def pair(request: pytest.FixtureRequest, transactional_db: None, brisk: None) -> AsyncIterator[Pair]:
    """Both processes and a session."""
    wire = Wire(request.param)
    async with running(bus=wire.end(), serves=False) as b, running(bus=wire.end()) as a:
        yield Pair(a, b, wire, await a.pool.run(make_session))


async def test_a_commit_in_one_process_reaches_the_readers_of_the_other(pair: Pair, settings: Any) -> None:
    settings.OMNIGENT_HEARTBEAT_SECONDS = 60.0
    async with pair.reader_on_b() as reader:
        await pair.commit("a", "b", "c")
        await reader.until_id(3)

    assert reader.ids == [1, 2, 3]


async def test_a_lost_bell_is_healed_by_the_next_one(pair: Pair, settings: Any) -> None:
    settings.OMNIGENT_HEARTBEAT_SECONDS = 60.0
    async with pair.reader_on_b() as reader:
        await pair.commit("a")
        await reader.until_id(1)
        pair.wire.is_cut = True
        await pair.commit("b", "c")
        pair.wire.is_cut = False
        await pair.commit("d")
        await reader.until_id(4)

    assert reader.ids == [1, 2, 3, 4]


async def test_a_bus_that_loses_everything_loses_no_event(pair: Pair) -> None:
    pair.wire.is_cut = True
    async with pair.reader_on_b() as reader:
        await pair.commit(*[str(number) for number in range(30)])
        await reader.until_id(30)

    assert reader.ids == list(range(1, 31))


async def test_a_bus_that_comes_back_makes_everybody_look(pair: Pair, settings: Any) -> None:
    settings.OMNIGENT_HEARTBEAT_SECONDS = 60.0
    async with pair.reader_on_b() as reader:
        pair.wire.is_cut = True
        await pair.commit("a", "b")
        for end in pair.wire.ends:
            assert end.lost is not None
            end.lost()
        await reader.until_id(2)

    assert reader.ids == [1, 2]


async def test_a_bus_that_repeats_and_reorders_changes_nothing(pair: Pair) -> None:
    held: list[bytes] = []
    pair.wire.keep = lambda message: bool(held.append(message))
    async with pair.reader_on_b() as reader:
        await pair.commit("a", "b", "c", "d")
        await until(lambda: len(held) >= 4)
        pair.wire.keep = lambda message: True
        for message in [*reversed(held), *held, held[0]]:
            pair.wire.carry(message)
        await reader.until_id(4)
        await asyncio.sleep(0)

    assert reader.ids == [1, 2, 3, 4]


async def test_a_session_deleted_in_one_process_ends_the_streams_of_the_other(
    pair: Pair, settings: Any
) -> None:
    settings.OMNIGENT_HEARTBEAT_SECONDS = 60.0
    async with pair.reader_on_b() as reader:
        reply = await call(application(), "DELETE", f"/v1/sessions/{pair.session.public_id}")
        assert reply.status == 200
        await reader.until(lambda: reader.is_finished)

    assert reader.frames[-1].data == "[DONE]"


async def test_a_bell_for_many_keys_fits_the_bus(pair: Pair) -> None:
    await pair.a.pool.run(publish.ring, "access", *[str(number) for number in range(5000)])
    await until(lambda: pair.wire.sent)

    assert all(len(message) <= pair.wire.limit for message in pair.wire.sent)


UNREADABLE = [
    *(b"", b"hello", b"[]", b"null", b"{}", b'{"r":"x"}', b'{"r":"x","s":[1]}', b'{"r":"x","s":{},"f":1}'),
    *(b'{"r":"x","s":1,"f":[[1]]}', b'{"r":"x","s":1,"f":[[1,"*"]]}', b'{"r":"x","b":5,"k":null}'),
]


@pytest.mark.parametrize("message", UNREADABLE)
async def test_an_unreadable_message_is_dropped(message: bytes) -> None:
    wire = Wire()
    announcer = Announcer(broker=Broker(), bus=wire.end(), replica_id="me")
    await announcer.start()
    receive = wire.ends[0].receive
    assert receive is not None

    receive(message)

    heard: list[tuple[str, ...]] = []
    announcer.on("outbox", heard.append)
    receive(orjson.dumps({"r": "another", "b": "outbox", "k": ["7"]}))
    assert heard == [("7",)]


async def test_a_process_does_not_hear_itself_twice() -> None:
    wire = Wire()
    announcer = Announcer(broker=Broker(), bus=wire.end(), replica_id="me")
    heard: list[tuple[str, ...]] = []
    announcer.on("tunnel", heard.append)
    await announcer.start()

    announcer.bell("tunnel", ("runner", "r1"))
    await until(lambda: wire.sent)
    await asyncio.sleep(0)

    assert heard == [("runner", "r1")]
