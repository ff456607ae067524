"""`session.presence` on the streams of a tree of sessions: who is there, who came, who has gone."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from django.apps import apps

from omnigent.accounts.gate import Gate
from sessions_app.models import Grant, Session
from sessions_app.process import Process
from tests.accounts.people import bearer, make_person, token_for
from tests.factories import make_child, make_session
from tests.stream.reader import Frame, Reader
from tests.stream.scene import append, title
from tests.stream.servers import Wire, application, running, until

PRESENCE = "session.presence"
LATE = 0.5


def people(frame: Frame) -> list[tuple[str, bool]]:
    return sorted((viewer["user_id"], viewer["idle"]) for viewer in frame.body["viewers"])


async def until_people(reader: Reader, *wanted: tuple[str, bool], seconds: float = 5.0) -> Frame:
    """Wait until the last thing that was told is this."""
    await reader.until(
        lambda: reader.of(PRESENCE) and people(reader.of(PRESENCE)[-1]) == list(wanted), seconds
    )
    return reader.of(PRESENCE)[-1]


async def test_the_one_user_is_told_of_themselves(process: Process, server: Gate) -> None:
    session = await process.pool.run(make_session)
    async with Reader(server, session.public_id) as reader:
        frame = await until_people(reader, ("local", False))

        assert frame.id is None
        assert frame.body["conversation_id"] == session.public_id
        assert [each.event for each in reader.frames] == ["session.heartbeat", PRESENCE]
        async with Reader(server, session.public_id) as second:
            await until_people(second, ("local", False))
        assert len(reader.of(PRESENCE)) == 1


async def test_the_log_comes_before_it_on_connect(process: Process, server: Gate) -> None:
    session = await process.pool.run(make_session)
    await process.pool.run(append, session.pk, [title("a"), title("b")])
    async with Reader(server, session.public_id, after=0) as reader:
        await until_people(reader, ("local", False))
        assert [each.event for each in reader.frames][-1] == PRESENCE
        await process.pool.run(append, session.pk, [title("c")])
        await reader.until_id(3)

    assert reader.ids == [1, 2, 3]


class TestSeveralPeople:
    """Where there are accounts."""

    @pytest.fixture(autouse=True)
    def accounts(self, settings: Any) -> None:
        settings.OMNIGENT_AUTH_MODE = "accounts"

    @pytest.fixture
    async def session(self, process: Process) -> Session:
        def make() -> Session:
            session = make_session(owner="olga")
            Grant.objects.create(session=session, user_id="rosa", level=1)
            return session

        return await process.pool.run(make)

    async def headers(self, process: Process, name: str) -> dict[str, str]:
        return bearer(await process.pool.run(lambda: token_for(make_person(name), "read")))

    async def test_a_tree_is_watched_together(self, process: Process, server: Gate, session: Session) -> None:
        child = await process.pool.run(make_child, session, "a:b")
        olga, rosa = [await self.headers(process, name) for name in ("olga", "rosa")]
        async with Reader(server, session.public_id, headers=olga) as owner:
            first = await until_people(owner, ("olga", False))
            async with Reader(server, child.public_id, headers=rosa) as reader:
                both = await until_people(owner, ("olga", False), ("rosa", False))
                there = await until_people(reader, ("olga", False), ("rosa", False))

                assert there.body["conversation_id"] == child.public_id
                assert both.body["viewers"][0] == first.body["viewers"][0]

    async def test_an_unattended_reader_is_idle(
        self, process: Process, server: Gate, session: Session
    ) -> None:
        olga = await self.headers(process, "olga")
        idle = Reader(server, session.public_id, headers=olga, after="0&idle=true")
        async with idle, AsyncExitStack() as stack:
            await until_people(idle, ("olga", True))
            await stack.enter_async_context(Reader(server, session.public_id, headers=olga))
            await until_people(idle, ("olga", False))

    async def test_going_is_told_late_and_a_reload_not_at_all(
        self, process: Process, server: Gate, session: Session, settings: Any
    ) -> None:
        settings.OMNIGENT_PRESENCE_LEAVE_SECONDS = LATE
        olga, rosa = [await self.headers(process, name) for name in ("olga", "rosa")]
        async with Reader(server, session.public_id, headers=olga) as owner:
            for _ in range(2):
                async with Reader(server, session.public_id, headers=rosa):
                    await until_people(owner, ("olga", False), ("rosa", False))
            told = len(owner.of(PRESENCE))

            await until_people(owner, ("olga", False))
            assert len(owner.of(PRESENCE)) == told + 1 <= 3


@asynccontextmanager
async def reader_on(process: Process, back: Process, session: Session) -> AsyncIterator[Reader]:
    """A reader that `process` serves; afterwards `back` answers again."""
    config: Any = apps.get_app_config("sessions_app")
    config.process = process
    async with Reader(application(), session.public_id) as reader:
        await reader.until_event("session.heartbeat")
        config.process = back
        yield reader


async def test_viewers_of_other_processes_count(transactional_db: None, settings: Any) -> None:
    settings.OMNIGENT_PRESENCE_LEAVE_SECONDS = LATE
    wire = Wire()
    async with running(bus=wire.end(), serves=False) as b, running(bus=wire.end()) as a:
        session = await a.pool.run(make_session)
        away = b.viewers.join(
            root=session.pk,
            session_id=session.public_id,
            user_id="rosa",
            idle=True,
            subscription=b.broker.subscribe(session.pk, 0),
        )
        async with reader_on(a, a, session) as reader:
            await until_people(reader, ("local", False), ("rosa", True))
            b.viewers.leave(away)
            await until_people(reader, ("local", False))


async def test_a_process_that_starts_later_is_told_too(transactional_db: None) -> None:
    wire = Wire()
    async with running(bus=wire.end()) as a:
        session = await a.pool.run(make_session)
        async with reader_on(a, a, session) as reader:
            await until_people(reader, ("local", False))
            async with running(bus=wire.end(), serves=False) as b:
                # As every bus does when it has connected.
                assert wire.ends[1].lost is not None
                wire.ends[1].lost()
                subscription = b.broker.subscribe(session.pk, 0)
                b.viewers.join(
                    root=session.pk,
                    session_id=session.public_id,
                    user_id="rosa",
                    idle=False,
                    subscription=subscription,
                )
                await until_people(reader, ("local", False), ("rosa", False))
                await until(lambda: b"local" in subscription.aside)
