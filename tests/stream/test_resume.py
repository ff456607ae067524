"""Resuming: what several connections received, put together, is exactly the log."""

import asyncio
import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnigent.accounts.gate import Gate
from sessions_app.models import Session
from sessions_app.process import Process
from tests.factories import make_session
from tests.stream.reader import Frame, Reader
from tests.stream.scene import append, begun, delta, relayed, running, title, whole_log


@pytest.fixture
async def session(process: Process) -> Session:
    return await process.pool.run(make_session)


def as_frames(session_pk: int) -> list[Frame]:
    return [
        Frame(id=entry.seq, event=entry.type, data=entry.data.decode()) for entry in whole_log(session_pk)
    ]


@pytest.mark.parametrize("way", ["header", "query", "query with epoch", "header over query"])
async def test_a_cursor_is_resumed_exactly(process: Process, app: Gate, session: Session, way: str) -> None:
    await process.pool.run(append, session.pk, [title(str(number)) for number in range(10)])
    ways: dict[str, Reader] = {
        "header": Reader(app, session.public_id, headers={"Last-Event-ID": "4"}),
        "query": Reader(app, session.public_id, after=4),
        "query with epoch": Reader(app, session.public_id, after="4.1"),
        "header over query": Reader(app, session.public_id, after=9, headers={"Last-Event-ID": "4"}),
    }

    async with ways[way] as reader:
        await reader.until_id(10)
        await process.pool.run(append, session.pk, [title("live")])
        await reader.until_id(11)

    assert reader.ids == [5, 6, 7, 8, 9, 10, 11]
    assert reader.of("response.created") == []
    assert reader.of("stream.reset") == []


async def test_from_zero_the_whole_log_comes(process: Process, app: Gate, session: Session) -> None:
    for _ in range(3):
        await process.pool.run(append, session.pk, [title(str(number)) for number in range(400)])

    async with Reader(app, session.public_id, after=0) as reader:
        await reader.until_id(1200)

    assert reader.logged == await process.pool.run(as_frames, session.pk)


async def test_a_cursor_at_the_end_gets_what_comes_next(
    process: Process, app: Gate, session: Session
) -> None:
    await process.pool.run(append, session.pk, [title("a")])

    async with Reader(app, session.public_id, after=1) as reader:
        await process.pool.run(append, session.pk, [title("b")])
        await reader.until_id(2)

    assert reader.ids == [2]


CUTS = st.lists(st.integers(0, 60), max_size=8)
SIZES = st.lists(st.integers(1, 9), min_size=3, max_size=12)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=CUTS, sizes=SIZES)
async def test_parts_received_around_cuts_add_up_to_the_log(
    process: Process, app: Gate, cuts: list[int], sizes: list[int]
) -> None:
    session = await process.pool.run(make_session)
    total = sum(sizes)

    async def write() -> None:
        for size in sizes:
            await process.pool.run(append, session.pk, [title(str(number)) for number in range(size)])

    writing = asyncio.create_task(write())
    received: list[Frame] = []
    for cut in [*sorted(min(cut, total) for cut in cuts), total]:
        cursor = received[-1].id if received else 0
        async with Reader(app, session.public_id, after=cursor) as reader:
            await reader.until(
                lambda reader=reader, cut=cut, cursor=cursor: max(reader.last_id, cursor or 0) >= cut
            )
        received += reader.logged
    await writing

    assert received == await process.pool.run(as_frames, session.pk)


async def test_readers_that_come_and_go_during_a_turn_miss_nothing(
    process: Process, app: Gate, session: Session
) -> None:
    chance = random.Random(7)
    total = 302
    await process.pool.run(relayed, session.pk, [running(), begun()])

    async def write() -> None:
        for number in range(300):
            await process.pool.run(relayed, session.pk, [delta(f"{number} ")])

    async def follow() -> list[Frame]:
        received: list[Frame] = []
        while not received or received[-1].id != total:
            cursor = received[-1].id if received else 0
            goal = min((cursor or 0) + chance.randint(1, 80), total)
            async with Reader(app, session.public_id, after=cursor) as reader:
                await reader.until_id(goal)
            received += reader.logged
        return received

    writing = asyncio.create_task(write())
    received = await asyncio.gather(*[follow() for _ in range(4)])
    await writing

    expected = await process.pool.run(as_frames, session.pk)
    for one in received:
        assert one == expected
