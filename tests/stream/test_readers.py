"""Slow readers, lost bells, deleted sessions: a reader misses nothing, or is told that it is over."""

import asyncio
from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from sessions_app.events import publish
from sessions_app.models import Session
from sessions_app.process import Process
from tests.api_plumbing.asgi_client import call
from tests.factories import make_session
from tests.stream.reader import Reader
from tests.stream.scene import append, silently, title
from tests.stream.servers import until


@pytest.fixture
async def session(process: Process) -> Session:
    return await process.pool.run(make_session)


async def test_a_reader_that_stalls_reads_the_log_afterwards(
    process: Process, app: Gate, session: Session
) -> None:
    async with Reader(app, session.public_id, after=0) as reader:
        await reader.until_event("session.heartbeat")
        reader.pause()
        for start in range(0, 3000, 100):
            batch = [title(str(number)) for number in range(start, start + 100)]
            await process.pool.run(append, session.pk, batch)
        reader.resume()
        await reader.until_id(3000)
        await process.pool.run(append, session.pk, [title("after")])
        await reader.until_id(3001)

    assert reader.ids == list(range(1, 3002))


async def test_a_stalled_reader_holds_up_nobody(process: Process, app: Gate, session: Session) -> None:
    async with (
        Reader(app, session.public_id) as slow,
        Reader(app, session.public_id) as quick,
    ):
        slow.pause()
        for number in range(20):
            await process.pool.run(append, session.pk, [title(str(number))])
        await quick.until_id(20)
        slow.resume()
        await slow.until_id(20)

    assert slow.ids == quick.ids == list(range(1, 21))


async def test_an_entry_that_nobody_announced_is_found_by_the_next_one(
    process: Process, app: Gate, session: Session
) -> None:
    async with Reader(app, session.public_id) as reader:
        await reader.until_event("session.heartbeat")
        await process.pool.run(silently, process, session.pk, [title("a"), title("b")])
        await process.pool.run(append, session.pk, [title("c")])
        await reader.until_id(3)

    assert reader.ids == [1, 2, 3]


async def test_an_entry_that_nobody_announced_is_found_after_a_quiet(
    process: Process, app: Gate, session: Session
) -> None:
    async with Reader(app, session.public_id) as reader:
        await reader.until_event("session.heartbeat")
        await process.pool.run(silently, process, session.pk, [title("a"), title("b")])
        await reader.until_id(2)

    assert reader.ids == [1, 2]


async def test_announcements_in_the_wrong_order_are_put_right(
    process: Process, app: Gate, session: Session
) -> None:
    async with Reader(app, session.public_id) as reader:
        await reader.until_event("session.heartbeat")
        await process.pool.run(silently, process, session.pk, [title(str(number)) for number in range(4)])
        for seq in (2, 1, 4, 3, 3, 1):
            process.broker.publish(session.pk, [(seq, b"event: wrong\nid: %d\ndata: {}\n\n" % seq)])
        await reader.until_id(4)

    assert reader.ids == [1, 2, 3, 4]


async def test_deleting_the_session_ends_its_streams(process: Process, app: Gate, session: Session) -> None:
    async with Reader(app, session.public_id) as reader:
        await reader.until_event("session.heartbeat")
        assert (await call(app, "DELETE", f"/v1/sessions/{session.public_id}")).status == 200
        await reader.until(lambda: reader.is_finished)

    assert reader.raw.endswith(b"event: done\ndata: [DONE]\n\n")
    assert len(process.broker) == 0


async def test_a_session_that_vanished_without_a_bell_ends_its_streams_after_a_quiet(
    process: Process, app: Gate, session: Session
) -> None:
    async with Reader(app, session.public_id) as reader:
        await reader.until_event("session.heartbeat")
        await process.pool.run(lambda: Session.objects.all().delete())
        await reader.until(lambda: reader.is_finished)

    assert reader.raw.endswith(b"event: done\ndata: [DONE]\n\n")


async def test_an_access_bell_makes_readers_look_and_go_on(
    process: Process, app: Gate, session: Session
) -> None:
    async with Reader(app, session.public_id) as reader:
        await reader.until_event("session.heartbeat")
        await process.pool.run(publish.ring, "access", str(session.pk))
        await process.pool.run(publish.ring, "access")
        await process.pool.run(append, session.pk, [title("a")])
        await reader.until_id(1)

    assert not reader.of("done")


async def test_access_is_checked_now_and_then_on_a_busy_stream(
    process: Process, app: Gate, session: Session, settings: Any
) -> None:
    settings.OMNIGENT_ACCESS_RECHECK_SECONDS = 0.1
    settings.OMNIGENT_HEARTBEAT_SECONDS = 60.0
    async with Reader(app, session.public_id) as reader:
        await reader.until_event("session.heartbeat")
        await process.pool.run(lambda: Session.objects.all().delete())

        async def keep_busy() -> bool:
            process.broker.publish(session.pk, [(1, b"")])
            return reader.is_finished

        await until(keep_busy)

    assert reader.raw.endswith(b"event: done\ndata: [DONE]\n\n")


async def test_many_readers_leave_nothing_behind(process: Process, app: Gate, session: Session) -> None:
    before = len(asyncio.all_tasks())
    for _ in range(30):
        async with Reader(app, session.public_id) as reader:
            await reader.until_event("session.heartbeat")

    assert len(process.broker) == 0
    assert len(asyncio.all_tasks()) <= before + 1
