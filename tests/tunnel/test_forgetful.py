"""Runners that acknowledge nothing, as released ones: no prompt twice, and no turn that never ends."""

from collections.abc import Callable
from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from sessions_app.models import Outbox, Session, Turn
from sessions_app.process import Process
from tests.factories import make_session
from tests.stream.servers import until
from tests.tunnel.conftest import Post
from tests.tunnel.fake_runner import FakeRunner
from tests.tunnel.script import response, row, said, status, streamed, text, turn, types

BEGUN = [status("running"), response("in_progress"), text("one "), text("two ")]


@pytest.fixture
def impatient(process: Process) -> Process:
    """A process that does not wait long for what a runner has kept."""
    process.relays.quiet = 0.2
    return process


async def begun(process: Process, runner: FakeRunner, post: Post, *more: Any) -> Session:
    """A session whose runner answers, and gets lost while it does."""
    session = await process.pool.run(make_session, runner_id=runner.runner_id, title="named")
    await post(session, "Hi")
    await runner.until_posted(1)
    await has(process, lambda: not Outbox.objects.exists())
    runner.emit(session.public_id, *BEGUN, *more)
    await has(process, lambda: streamed(session.pk) == "one two ")
    return session


async def has(process: Process, look: Callable[[], bool]) -> None:
    """Wait until the database is as it should be."""

    async def looked() -> Any:
        return await process.pool.run(look)

    await until(looked)


def says(runner: FakeRunner, session: Session, word: str) -> None:
    """What the runner answers when it is asked how a session stands."""
    runner.answers[session.public_id] = (200, {"id": session.public_id, "status": word})


def times_asked(runner: FakeRunner, session: Session) -> int:
    return sum(
        one.method == "GET" and one.path == f"/v1/sessions/{session.public_id}" for one in runner.requests
    )


async def rests(process: Process, session: Session) -> None:
    await has(process, lambda: row(session.pk).status == "idle")


async def test_a_turn_whose_end_was_lost_ends(impatient: Process, app: Gate, post: Post) -> None:
    async with FakeRunner(app, numbered=False) as runner:
        session = await begun(impatient, runner, post)
        says(runner, session, "idle")
        await runner.hang_up()
        await runner.dial()

        await rests(impatient, session)

        assert await impatient.pool.run(said, session.pk) == ["one two "]
        shown = await impatient.pool.run(types, session.pk)
        assert shown[-3:] == ["message completed", "incomplete", "status idle"]
        assert await impatient.pool.run(lambda: Turn.objects.get().status) == "incomplete"


async def test_a_session_whose_runner_rests_is_at_rest(impatient: Process, app: Gate, post: Post) -> None:
    async with FakeRunner(app, numbered=False) as runner:
        session = await begun(impatient, runner, post, response("completed"))
        await has(impatient, lambda: Turn.objects.get().status == "completed")
        says(runner, session, "idle")
        await runner.hang_up()
        await runner.dial()

        await rests(impatient, session)

        assert (await impatient.pool.run(types, session.pk))[-2:] == ["completed", "status idle"]


@pytest.mark.parametrize("word", ["running", ""], ids=["works", "does not say"])
async def test_a_turn_that_goes_on_is_left_alone(
    impatient: Process, app: Gate, post: Post, word: str
) -> None:
    async with FakeRunner(app, numbered=False) as runner:
        session = await begun(impatient, runner, post)
        if word:
            says(runner, session, word)
        await runner.hang_up()
        await runner.dial()
        await until(lambda: times_asked(runner, session))
        runner.emit(session.public_id, text("three"), response("completed"), status("idle"))

        await rests(impatient, session)

        assert await impatient.pool.run(said, session.pk) == ["one two three"]
        assert await impatient.pool.run(lambda: Turn.objects.get().status) == "completed"


async def test_what_it_has_kept_counts_before_what_it_says(impatient: Process, app: Gate, post: Post) -> None:
    async with FakeRunner(app, numbered=False) as runner:
        session = await begun(impatient, runner, post)
        says(runner, session, "idle")
        await runner.hang_up()
        runner.emit(session.public_id, text("three"), response("completed"), status("idle"))
        await runner.dial()

        await rests(impatient, session)
        await until(lambda: times_asked(runner, session) == 2)

        assert await impatient.pool.run(said, session.pk) == ["one two three"]
        assert "incomplete" not in await impatient.pool.run(types, session.pk)


async def unanswered(process: Process, runner: FakeRunner, post: Post) -> Session:
    """A session whose message reached the runner, and whose server never learned it."""
    session = await process.pool.run(make_session, runner_id=runner.runner_id, title="named")
    runner.holds = {"POST events"}
    await post(session, "Hi")
    await until(lambda: [one for one in runner.requests if one.path.endswith("/events")])
    runner.holds = set()
    await runner.hang_up()
    return session


@pytest.mark.parametrize("word", ["running", "idle"], ids=["still at it", "done with it"])
async def test_a_message_that_was_taken_is_not_sent_again(
    impatient: Process, app: Gate, post: Post, word: str
) -> None:
    async with FakeRunner(app, numbered=False) as runner:
        session = await unanswered(impatient, runner, post)
        says(runner, session, word)
        events = turn("answered")
        runner.emit(session.public_id, *(events if word == "idle" else events[:2]))
        await runner.dial()
        await has(impatient, lambda: not Outbox.objects.exists())
        if word == "running":
            runner.emit(session.public_id, *events[2:])

        await rests(impatient, session)

        assert runner.posted == []
        assert await impatient.pool.run(said, session.pk) == ["answered"]


async def test_a_message_that_never_arrived_is_sent_again(impatient: Process, app: Gate, post: Post) -> None:
    async with FakeRunner(app, numbered=False) as runner:
        session = await unanswered(impatient, runner, post)
        says(runner, session, "idle")
        runner.on_post = lambda body: runner.emit(session.public_id, *turn("answered"))
        await runner.dial()

        await runner.until_posted(1)
        await rests(impatient, session)

        assert await impatient.pool.run(said, session.pk) == ["answered"]


async def test_another_runner_gets_what_the_lost_one_was_sent(
    impatient: Process, app: Gate, post: Post
) -> None:
    async with FakeRunner(app, numbered=False) as lost, FakeRunner(app, numbered=False) as runner:
        session = await unanswered(impatient, lost, post)
        says(runner, session, "running")
        await impatient.pool.run(
            lambda: Session.objects.filter(pk=session.pk).update(runner_id=runner.runner_id)
        )
        impatient.announcer.bell("outbox")

        assert (await runner.until_posted(1))["type"] == "message"
