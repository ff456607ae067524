"""The writer: at once when it is quiet, held back under a load of streamed text, never for who waits."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from sessions_app.events.writer import LOADED_BATCHES, Unit, Writer

FOREVER = 3600.0
A_MOMENT = 0.05


class Work:
    """A unit that tells when it is settled."""

    def __init__(self, *, is_awaited: bool) -> None:
        self._is_awaited = is_awaited
        self.done: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()

    @property
    def is_awaited(self) -> bool:
        return self._is_awaited

    def settle(self, error: BaseException | None) -> None:
        self.done.set_result(error)


class Store:
    """Remembers the batches. While it is `shut` a commit takes until it is allowed to end."""

    def __init__(self) -> None:
        self.batches: list[list[Unit]] = []
        self.is_shut = False
        self._loop = asyncio.get_running_loop()
        self._begun = asyncio.Event()
        self._may_end = threading.Semaphore(0)

    def commit(self, batch: Sequence[Unit]) -> list[BaseException | None]:
        self.batches.append(list(batch))
        if self.is_shut:
            self._loop.call_soon_threadsafe(self._begun.set)
            assert self._may_end.acquire(timeout=5)
        return [None] * len(batch)

    async def begun(self) -> None:
        async with asyncio.timeout(5):
            await self._begun.wait()
        self._begun.clear()

    def end(self) -> None:
        self._may_end.release()


@pytest.fixture
async def store() -> Store:
    return Store()


@pytest.fixture
async def writer(store: Store, transactional_db: None) -> AsyncIterator[Writer]:
    """A writer that holds back forever once it is loaded."""
    writer = Writer(store.commit, floor=FOREVER, prepare=lambda: None)
    writer.start()
    yield writer
    await writer.stop()


async def settled(*units: Work) -> None:
    async with asyncio.timeout(5):
        for unit in units:
            assert await unit.done is None


async def load(writer: Writer, store: Store, *, is_awaited: bool) -> None:
    """Have so many batches of two follow one another that the writer is under load."""
    store.is_shut = True
    units = [Work(is_awaited=is_awaited) for _ in range(1 + 2 * LOADED_BATCHES)]
    writer.submit(units[0])
    await store.begun()
    for number in range(1, len(units), 2):
        writer.submit(units[number])
        writer.submit(units[number + 1])
        store.end()
        await store.begun()
    store.is_shut = False
    store.end()
    await settled(*units)
    assert [len(batch) for batch in store.batches] == [1, *[2] * LOADED_BATCHES]


async def test_a_quiet_writer_commits_each_unit_at_once(writer: Writer, store: Store) -> None:
    for _ in range(2 * LOADED_BATCHES):
        unit = Work(is_awaited=False)
        writer.submit(unit)
        await settled(unit)

    assert len(store.batches) == 2 * LOADED_BATCHES


async def test_under_load_streamed_text_gathers(writer: Writer, store: Store) -> None:
    await load(writer, store, is_awaited=False)
    held = Work(is_awaited=False)

    writer.submit(held)

    await asyncio.wait([held.done], timeout=A_MOMENT)
    assert not held.done.done()


async def test_what_somebody_waits_for_is_not_held_back_and_takes_the_rest_along(
    writer: Writer, store: Store
) -> None:
    await load(writer, store, is_awaited=False)
    held, awaited = Work(is_awaited=False), Work(is_awaited=True)

    writer.submit(held)
    writer.submit(awaited)

    await settled(held, awaited)
    assert store.batches[-1] == [held, awaited]


async def test_requests_in_a_row_are_no_load(writer: Writer, store: Store) -> None:
    await load(writer, store, is_awaited=True)
    unit = Work(is_awaited=False)

    writer.submit(unit)

    await settled(unit)


async def test_what_is_held_back_is_committed_on_stopping(writer: Writer, store: Store) -> None:
    await load(writer, store, is_awaited=False)
    held = Work(is_awaited=False)
    writer.submit(held)

    await writer.stop()

    await settled(held)
    with pytest.raises(RuntimeError):
        writer.submit(Work(is_awaited=True))
