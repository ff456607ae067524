"""Cursors that cannot be resumed, the retention, and the epoch of the store."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from omnigent.accounts.gate import Gate
from sessions_app.models import LogEntry, Session, Store
from sessions_app.process import Process
from sessions_app.services import housekeeping
from tests.factories import make_session
from tests.stream.reader import Reader, text_of
from tests.stream.scene import append, begun, completed, delta, idle, log_size, relayed, running, title
from tests.stream.servers import until


@pytest.fixture
async def session(process: Process) -> Session:
    session = await process.pool.run(make_session)
    await process.pool.run(append, session.pk, [title(str(number)) for number in range(10)])
    return session


BAD = ["abc", "-1", "11", "99999999999999999999999", "5.2", "5.x", "5.1.1", "1e3", "٣", " 5", "0x5", "5.0"]


@pytest.mark.parametrize("cursor", BAD)
@pytest.mark.parametrize("way", ["header", "query"])
async def test_a_cursor_that_cannot_be_resumed_is_reset(
    process: Process, app: Gate, session: Session, cursor: str, way: str
) -> None:
    if way == "header":
        cursor = cursor.encode().decode("latin-1")
        reader = Reader(app, session.public_id, headers={"Last-Event-ID": cursor})
    else:
        reader = Reader(app, session.public_id, after=cursor.encode().decode("latin-1"))

    async with reader:
        await process.pool.run(append, session.pk, [title("new")])
        await reader.until_id(11)

    assert [frame.event for frame in reader.frames[:2]] == ["session.heartbeat", "stream.reset"]
    reset = reader.frames[1]
    assert reset.id is None
    assert reset.body["resume_after"] == 10
    assert reset.body["conversation_id"] == session.public_id
    assert reader.ids == [11]


async def test_after_a_reset_the_text_under_way_is_not_lost(
    process: Process, app: Gate, session: Session
) -> None:
    await process.pool.run(relayed, session.pk, [running(), begun(), delta("one "), delta("two")])

    async with Reader(app, session.public_id, after="junk") as reader:
        reset = await reader.until_event("stream.reset")
        await reader.until(lambda: text_of(reader.frames) == "one two")

    assert reset.body["resume_after"] == 12
    assert reader.ids[0] == 13


def age(session_pk: int, upto: int, days: int = 30) -> None:
    past = timezone.now() - timedelta(days=days)
    LogEntry.objects.filter(session_id=session_pk, seq__lte=upto).update(created_at=past)
    Session.objects.filter(pk=session_pk).update(created_at=past)


async def test_past_the_retention_a_cursor_is_reset(process: Process, app: Gate, session: Session) -> None:
    await process.pool.run(age, session.pk, 6)
    assert await process.pool.run(housekeeping.prune, timezone.now()) == 6

    async with (
        Reader(app, session.public_id, after=5) as old,
        Reader(app, session.public_id, after=6) as edge,
    ):
        await old.until_event("stream.reset")
        await edge.until_id(10)

    assert old.of("stream.reset")[0].body["resume_after"] == 10
    assert edge.ids == [7, 8, 9, 10]
    assert edge.of("stream.reset") == []
    assert await process.pool.run(log_size, session.pk) == 4


@pytest.mark.parametrize("rest", [0, 4], ids=["all of it", "a part"])
async def test_a_slow_reader_that_the_pruner_overtakes_is_reset(
    process: Process, app: Gate, session: Session, rest: int
) -> None:
    reader = Reader(app, session.public_id, after=0)
    reader.pause()
    opening = asyncio.create_task(reader.__aenter__())
    await until(lambda: len(process.broker) == 1)
    await process.pool.run(age, session.pk, 10 - rest)
    await process.pool.run(housekeeping.prune, timezone.now())

    reader.resume()
    await opening
    await reader.until_event("stream.reset")
    await process.pool.run(append, session.pk, [title("new")])
    await reader.until_id(11)
    await reader.close()

    assert len(reader.ids) == len(set(reader.ids))
    assert len(reader.of("stream.reset")) == 1
    assert reader.ids == [11]


async def test_a_running_turn_is_never_pruned(process: Process, session: Session) -> None:
    await process.pool.run(relayed, session.pk, [running(), begun(), delta("one")])
    await process.pool.run(age, session.pk, 13)
    assert await process.pool.run(housekeeping.prune, timezone.now()) == 0

    await process.pool.run(relayed, session.pk, [completed(), idle()])
    assert await process.pool.run(housekeeping.prune, timezone.now()) == 13


def stored() -> dict[str, Any]:
    return dict(Store.objects.values("epoch", "is_clean").get())


@pytest.mark.django_db
def test_the_epoch_grows_with_each_unclean_start_of_another_incarnation() -> None:
    Store.objects.all().delete()
    assert housekeeping.open_store() == 1
    assert housekeeping.open_store() == 1
    Store.objects.update(incarnation="another boot")
    assert housekeeping.open_store() == 2
    assert housekeeping.open_store() == 2

    housekeeping.close_store("me")
    Store.objects.update(incarnation="yet another boot")
    assert housekeeping.open_store() == 2
    assert stored() == {"epoch": 2, "is_clean": False}


async def test_a_cursor_of_another_epoch_is_reset(process: Process, app: Gate, session: Session) -> None:
    await process.pool.run(lambda: Store.objects.update(epoch=2))

    async with (
        Reader(app, session.public_id, after="5.1") as old,
        Reader(app, session.public_id, after="5.2") as new,
    ):
        await old.until_event("stream.reset")
        await new.until_id(10)

    assert old.headers["x-omnigent-stream-epoch"] == "2"
    assert new.ids == [6, 7, 8, 9, 10]
