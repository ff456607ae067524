"""Many readers of one session: each is sent everything once, whatever the others do meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from omnigent.protocol import sse
from sessions_app.events.broker import SLICE, Broker, Frame
from sessions_app.models import Session
from sessions_app.process import Process
from tests.factories import make_session
from tests.stream.reader import Reader
from tests.stream.scene import append, head, silently, title
from tests.stream.servers import until

MANY = 2 * SLICE + 20


@pytest.fixture
async def session(process: Process, settings: Any) -> Session:
    """A session whose readers find nothing by a look at the log after a quiet."""
    settings.OMNIGENT_HEARTBEAT_SECONDS = 60.0
    return await process.pool.run(make_session)


def frame(seq: int) -> Frame:
    return seq, sse.encode("session.title", b"{}", seq)


class Client:
    """Waits on a broker as a stream does; `sent` is all it was given."""

    def __init__(self, broker: Broker) -> None:
        self.sent: list[bytes] = []
        self.subscription = broker.subscribe(1, 0)
        self.subscription.rejoin()

    async def run(self) -> None:
        while not self.subscription.is_closed:
            await self.subscription.wait(self.sent.append, 60.0)


@asynccontextmanager
async def clients(broker: Broker, count: int) -> AsyncIterator[list[Client]]:
    made = [Client(broker) for _ in range(count)]
    tasks = [asyncio.create_task(client.run()) for client in made]
    await asyncio.sleep(0)
    yield made
    for client in made:
        client.subscription.close()
    await asyncio.gather(*tasks)


async def test_readers_that_come_and_go_during_a_round_displace_nobody() -> None:
    broker = Broker()
    async with clients(broker, MANY) as present:
        broker.publish(1, [frame(1)])
        assert not present[-1].sent
        broker.leave(present[0].subscription)
        broker.leave(present[SLICE + 3].subscription)
        broker.subscribe(1, 0)
        stayed = [client for number, client in enumerate(present) if number not in (0, SLICE + 3)]
        await until(lambda: all(client.sent for client in stayed))

        assert all(client.sent == [frame(1)[1]] for client in stayed)


async def test_what_is_published_during_a_round_goes_out_with_the_rest() -> None:
    broker = Broker()
    first, second = frame(1)[1], frame(2)[1]
    async with clients(broker, MANY) as present:
        broker.publish(1, [frame(1)])
        broker.publish(1, [frame(2)])
        await until(lambda: all(b"".join(client.sent) == first + second for client in present))

        assert present[0].sent == [first, second]
        assert present[-1].sent == [first + second]


async def test_a_reader_that_took_nothing_for_too_long_is_behind() -> None:
    broker = Broker(capacity=3)
    quick, slow = (Client(broker).subscription for _ in range(2))
    for seq in (1, 2, 3):
        broker.publish(1, [frame(seq)])
    taken = quick.take()
    broker.publish(1, [frame(4)])

    assert taken == b"".join(frame(seq)[1] for seq in (1, 2, 3))
    assert (quick.take(), quick.cursor, quick.behind) == (frame(4)[1], 4, False)
    assert (slow.take(), slow.cursor, slow.behind) == (b"", 0, True)


async def test_a_gap_after_what_a_stalled_reader_has_not_taken_is_filled(
    process: Process, app: Gate, session: Session
) -> None:
    async with Reader(app, session.public_id) as stalled, Reader(app, session.public_id) as other:
        await stalled.until_event("session.heartbeat")
        stalled.pause()
        for text in "abc":
            await process.pool.run(append, session.pk, [title(text)])
        await other.until_id(3)
        await process.pool.run(silently, process, session.pk, [title("d")])
        await process.pool.run(append, session.pk, [title("e")])
        await other.until_id(5)
        stalled.resume()
        await stalled.until_id(5)

    assert stalled.ids == other.ids == [1, 2, 3, 4, 5]


async def test_many_readers_are_sent_the_same_log(process: Process, app: Gate, session: Session) -> None:
    async with AsyncExitStack() as stack:
        readers = [await stack.enter_async_context(Reader(app, session.public_id)) for _ in range(MANY)]
        for number in range(0, 60, 3):
            await process.pool.run(append, session.pk, [title(str(number + extra)) for extra in range(3)])
        for reader in readers:
            await reader.until_id(60)

        assert all(reader.ids == list(range(1, 61)) for reader in readers)


async def test_a_reader_may_leave_while_it_is_stalled(process: Process, app: Gate, session: Session) -> None:
    async with Reader(app, session.public_id) as other, Reader(app, session.public_id) as stalled:
        await stalled.until_event("session.heartbeat")
        stalled.pause()
        await process.pool.run(append, session.pk, [title("a")])
        await other.until_id(1)
        stalled.leave()
        await until(lambda: len(process.broker) == 1)
        await process.pool.run(append, session.pk, [title("b")])
        await other.until_id(2)

    assert stalled.ids == []


async def test_a_reader_whose_connection_breaks_takes_nobody_along(
    process: Process, app: Gate, session: Session
) -> None:
    async with Reader(app, session.public_id) as broken, Reader(app, session.public_id) as other:
        await broken.until_event("session.heartbeat")
        await other.until_event("session.heartbeat")
        broken.breaks_with = OSError("gone")
        await process.pool.run(append, session.pk, [title("a")])
        await other.until_id(1)
        await until(lambda: len(process.broker) == 1)

    assert broken.ids == []


async def test_a_doubted_reader_is_sent_nothing_before_it_was_looked_at(
    process: Process, app: Gate, session: Session
) -> None:
    async with Reader(app, session.public_id) as reader:
        await reader.until_event("session.heartbeat")
        await process.pool.run(lambda: Session.objects.all().delete())
        process.broker.doubt(session.pk)
        process.broker.publish(session.pk, [frame(1)])
        await reader.until(lambda: reader.is_finished)

    assert reader.ids == []
    assert reader.raw.endswith(sse.DONE)


async def test_a_busy_stream_carries_no_heartbeats(
    process: Process, app: Gate, session: Session, settings: Any
) -> None:
    settings.OMNIGENT_HEARTBEAT_SECONDS = 1.0
    async with Reader(app, session.public_id) as reader:
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def keep_busy() -> bool:
            await process.pool.run(append, session.pk, [title("a")])
            return loop.time() > began + 1.5

        await until(keep_busy)
        await reader.until_id(await process.pool.run(head, session.pk))
        assert len(reader.of("session.heartbeat")) == 1
        await reader.until_event("session.heartbeat", 2)
