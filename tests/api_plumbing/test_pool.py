"""The database threads."""

import asyncio
import threading
from contextvars import ContextVar

import pytest
from django.db import connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.utils import translation

from omnigent.accounts.models import User
from omnigent.api.pool import DatabasePool

WORD: ContextVar[str] = ContextVar("WORD", default="none")


async def test_results_and_exceptions_come_back(pool: DatabasePool) -> None:
    def divide(a: int, *, by: int) -> float:
        return a / by

    assert await pool.run(divide, 6, by=3) == 2
    with pytest.raises(ZeroDivisionError):
        await pool.run(divide, 6, by=0)


async def test_work_runs_beside_the_loop_on_a_fixed_number_of_threads(pool: DatabasePool) -> None:
    barrier = threading.Barrier(2)

    def meet() -> str:
        barrier.wait(5)
        return threading.current_thread().name

    names = await asyncio.gather(*(pool.run(meet) for _ in range(8)))

    assert set(names) == {"database-0", "database-1"}


async def test_the_callers_context_is_seen_and_not_changed(pool: DatabasePool) -> None:
    def change() -> str:
        seen = WORD.get()
        WORD.set("changed")
        translation.activate("de")
        return seen

    WORD.set("mine")

    assert [await pool.run(change) for _ in range(4)] == ["mine"] * 4
    assert WORD.get() == "mine"
    assert [await pool.run(translation.get_language) for _ in range(4)] == ["en"] * 4


async def test_threads_keep_their_connection(pool: DatabasePool) -> None:
    def open_connection() -> tuple[str, int]:
        connection.ensure_connection()
        return threading.current_thread().name, id(connection.connection)

    seen = {await pool.run(open_connection) for _ in range(20)}

    assert len(seen) == len({name for name, _ in seen})


async def test_a_transaction_left_open_does_not_reach_the_next_call(pool: DatabasePool) -> None:
    def leave_open() -> None:
        transaction.set_autocommit(False)
        User.objects.create(username="never")

    def state() -> tuple[bool, int]:
        return transaction.get_autocommit(), User.objects.count()

    for _ in range(4):
        await pool.run(leave_open)

    assert [await pool.run(state) for _ in range(4)] == [(True, 0)] * 4


async def test_a_broken_connection_is_replaced(pool: DatabasePool) -> None:
    def break_it() -> BaseDatabaseWrapper:
        connection.ensure_connection()
        # What a lost server looks like from here: the handle is closed and an error was noted.
        connection.connection.close()
        connection.errors_occurred = True
        connection.is_usable = lambda: False  # type: ignore[method-assign]  # plays a lost connection
        return connections["default"]

    broken = [await pool.run(break_it) for _ in range(2)]

    assert [await pool.run(User.objects.count) for _ in range(4)] == [0] * 4
    for each in set(broken):
        del each.is_usable


async def test_a_cancelled_caller_leaves_the_pool_working(pool: DatabasePool) -> None:
    release = threading.Event()
    blocked = [asyncio.ensure_future(pool.run(release.wait, 5)) for _ in range(2)]
    calls: list[int] = []
    queued = asyncio.ensure_future(pool.run(calls.append, 1))
    await asyncio.sleep(0)

    for task in (*blocked, queued):
        task.cancel()
    await asyncio.gather(*blocked, queued, return_exceptions=True)
    release.set()

    assert await pool.run(lambda: "works") == "works"
    assert calls == []


async def test_closing_ends_the_threads_after_what_is_queued() -> None:
    threads = DatabasePool(1, name="closing")
    done = asyncio.ensure_future(threads.run(lambda: 1))
    await asyncio.sleep(0)

    await asyncio.to_thread(threads.close)

    assert await done == 1
    assert not [each for each in threading.enumerate() if each.name.startswith("closing")]


def test_a_pool_without_threads_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        DatabasePool(0)
