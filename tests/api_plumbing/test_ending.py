"""Tasks that are to end."""

import asyncio
import logging

import pytest

from omnigent.ending import end


class Stubborn:
    """A loop that survives errors, and whose cleaning up raises one the first `times` times."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.rounds = 0

    async def run(self) -> None:
        while True:
            self.rounds += 1
            try:
                await self.step()
            except OSError:
                continue

    async def step(self) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            if self.left:
                self.left -= 1
                raise OSError("the connection was gone")


async def test_a_loop_whose_cleaning_up_fails_ends_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    stubborn = Stubborn(2)
    task = asyncio.create_task(stubborn.run(), name="the-loop")
    await asyncio.sleep(0)

    with caplog.at_level(logging.WARNING):
        await asyncio.wait_for(end([task], again=0.01), 30)

    assert task.cancelled()
    assert stubborn.rounds == 3
    assert [record.message for record in caplog.records] == ["tasks_go_on"] * 2
    assert "the-loop Stubborn.run" in str(caplog.records[0].__dict__["tasks"])


async def test_every_task_is_ended_at_once_and_none_speaks_up() -> None:
    async def fail() -> None:
        raise RuntimeError("this is its own affair")

    async def wait() -> None:
        await asyncio.Event().wait()

    tasks = [asyncio.create_task(fail()), *(asyncio.create_task(wait()) for _ in range(3))]
    await asyncio.sleep(0)

    await asyncio.wait_for(end(tasks), 30)

    assert [task.cancelled() for task in tasks] == [False, True, True, True]


async def test_what_has_ended_needs_no_end() -> None:
    await asyncio.wait_for(end([]), 30)
