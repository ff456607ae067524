"""Search beside other writers, which PostgreSQL lets work at the same time."""

import asyncio
import threading
from collections.abc import Callable

import pytest
from django.db import transaction

from omnigent.api.pool import DatabasePool
from sessions_app.models import SearchProgress, SearchText, Session
from sessions_app.search import finding, indexing
from sessions_app.search.limits import Deadline
from sessions_app.services.sessions import delete_session
from tests.factories import make_session, user_said

SECONDS = 10

pytestmark = pytest.mark.postgres


def found(text: str) -> list[int]:
    """Keys of the sessions that hold the text, by the index."""
    result = finding.find(text, 10, lambda after, size: [])
    assert not result.is_partial
    return list(result.keys)


class SlowWriter:
    """Does something and keeps its transaction open until it is told to commit."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._has_written = threading.Event()
        self._may_commit = threading.Event()

    def run(self) -> None:
        """On a thread with a connection of its own."""
        with transaction.atomic():
            self._work()
            self._has_written.set()
            assert self._may_commit.wait(SECONDS)

    async def until_written(self) -> None:
        """The work is done and not committed."""
        assert await asyncio.to_thread(self._has_written.wait, SECONDS)

    def commit(self) -> None:
        """Let it end."""
        self._may_commit.set()


async def test_an_item_that_is_committed_after_a_later_one_is_found(pool: DatabasePool) -> None:
    early, late = await pool.run(make_session), await pool.run(make_session)
    writer = SlowWriter(lambda: user_said(early, "needle early"))
    writing = asyncio.create_task(pool.run(writer.run))
    await writer.until_written()

    await pool.run(user_said, late, "needle late")
    for _ in range(4):
        assert await pool.run(found, "needle") == [late.pk]
        await pool.run(user_said, late, "more, so that the index has to be brought up to date")
    writer.commit()
    await writing

    assert await pool.run(found, "needle") == [early.pk, late.pk]


async def test_the_mark_moves_on_once_everything_is_settled(pool: DatabasePool) -> None:
    session = await pool.run(make_session)
    for number in range(3):
        await pool.run(user_said, session, f"needle {number}")
        await pool.run(found, "needle")

    indexed_to = await pool.run(lambda: SearchProgress.objects.get().indexed_to)

    assert indexed_to >= await pool.run(lambda: SearchText.objects.order_by("item_id")[1].item_id)


async def test_what_is_being_deleted_does_not_come_back_into_the_index(pool: DatabasePool) -> None:
    session: Session = await pool.run(make_session)
    await pool.run(user_said, session, "needle")
    writer = SlowWriter(lambda: delete_session(session_pk=session.pk))
    deleting = asyncio.create_task(pool.run(writer.run))
    await writer.until_written()

    assert await pool.run(indexing.catch_up, Deadline(0.1)) is False
    writer.commit()
    await deleting

    assert await pool.run(indexing.catch_up, Deadline(SECONDS)) is True
    assert await pool.run(SearchText.objects.exists) is False
