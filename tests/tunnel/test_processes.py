"""A runner whose process was started again under its old id, and one that has only dialled again."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from sessions_app.models import Runner, Session
from sessions_app.process import Process
from tests.factories import make_session
from tests.stream.servers import SHORT, application, running, until
from tests.tunnel.conftest import Post
from tests.tunnel.fake_runner import FakeRunner
from tests.tunnel.script import response, row, said, status, text

BEGUN = [status("running"), response("in_progress"), text("one "), text("two ")]


@pytest.fixture
async def process(transactional_db: None, brisk: None, settings: Any) -> AsyncIterator[Process]:
    """A process that waits long for a runner that is away: nothing but its hello settles anything here."""
    settings.OMNIGENT_LEASE_SECONDS = 600
    async with running(durations=replace(SHORT, silence=60)) as process:
        yield process


async def begun(process: Process, runner: FakeRunner, post: Post, *events: Any) -> Session:
    """A session in the middle of its turn, whose runner has lost its tunnel."""
    session = await process.pool.run(make_session, runner_id=runner.runner_id, title="named")
    await post(session, "Hi")
    await runner.until_posted(1)
    if events:
        runner.emit(session.public_id, *events)
        await runner.until_acked(session.public_id)
    await runner.hang_up()
    return session


async def start_again(runner: FakeRunner) -> None:
    """A new process of the same runner: it knows nothing of what the old one was doing."""
    runner.process_id, runner.name = "second", "second"
    runner.streams.clear()
    await runner.dial()


async def outcome(process: Process, session: Session) -> tuple[str, str]:
    """(status, code of the error)."""
    found = await process.pool.run(row, session.pk)
    return found.status, (found.last_task_error or {}).get("code", "")


@pytest.mark.parametrize("events", [BEGUN, []], ids=["begun", "only-given"])
async def test_a_new_process_under_the_old_id_has_lost_the_turn(
    process: Process, post: Post, events: list[Any]
) -> None:
    runner = FakeRunner(application())
    runner.process_id = "first"
    async with runner:
        session = await begun(process, runner, post, *events)
        await start_again(runner)

        await until(lambda: is_failed(process, session))
        assert await outcome(process, session) == ("failed", "runner_disconnected")
        assert await process.pool.run(said, session.pk) == (["one two "] if events else [])
        assert len(runner.posted) == 1

        await post(session, "Again")
        await runner.until_posted(2)
        runner.emit(session.public_id, *BEGUN, response("completed"), status("idle"))
        await until(lambda: is_idle(process, session))


async def is_failed(process: Process, session: Session) -> bool:
    return (await outcome(process, session))[0] == "failed"


async def is_idle(process: Process, session: Session) -> bool:
    return (await outcome(process, session))[0] == "idle"


@pytest.mark.parametrize("process_id", ["first", None], ids=["named", "released"])
async def test_the_same_process_goes_on(process: Process, post: Post, process_id: str | None) -> None:
    runner = FakeRunner(application())
    runner.process_id = process_id
    async with runner:
        session = await begun(process, runner, post, *BEGUN)
        await runner.dial()
        runner.emit(session.public_id, text("three"), response("completed"), status("idle"))

        await until(lambda: is_idle(process, session))
        assert await outcome(process, session) == ("idle", "")
        assert await process.pool.run(said, session.pk) == ["one two three"]


async def test_a_message_that_no_process_has_taken_is_given_to_the_next(process: Process, post: Post) -> None:
    runner = FakeRunner(application())
    runner.process_id = "first"
    runner.holds = {"POST sessions"}
    async with runner:
        session = await process.pool.run(make_session, runner_id=runner.runner_id, title="named")
        await post(session, "Hi")
        await until(lambda: any(one.method == "POST" for one in runner.requests))
        await runner.hang_up()
        runner.holds = set()
        await start_again(runner)

        await runner.until_posted(1)
        runner.emit(session.public_id, *BEGUN, response("completed"), status("idle"))
        await until(lambda: is_idle(process, session))


async def test_a_name_of_any_length_is_kept_short(process: Process) -> None:
    runner = FakeRunner(application())
    runner.process_id = "x" * 1000
    async with runner:
        rows = Runner.objects.filter(public_id=runner.runner_id, process_id="x" * 64)
        await until(lambda: process.pool.run(rows.exists))
