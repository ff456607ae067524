"""A runner that comes back after its turn was settled: nothing that it says is lost or out of order."""

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from sessions_app.models import Outbox, Session
from sessions_app.process import Process
from sessions_app.services.outbox import waiting_sessions
from tests.api_plumbing.asgi_client import Reply
from tests.api_plumbing.asgi_client import call as request
from tests.factories import make_session
from tests.stream.servers import SHORT, application, running, until
from tests.tunnel.conftest import Post
from tests.tunnel.fake_runner import FakeRunner
from tests.tunnel.script import (
    USAGE,
    Json,
    call,
    logged,
    output,
    question,
    response,
    row,
    said,
    status,
    stored,
    text,
    turn,
    types,
)

BEGUN = [status("running"), response("in_progress"), text("one "), text("two ")]


@pytest.fixture
async def process(transactional_db: None, brisk: None, settings: Any) -> AsyncIterator[Process]:
    """A process that soon gives up a runner that is away."""
    settings.OMNIGENT_LEASE_SECONDS = 0.4
    async with running(durations=replace(SHORT, ping=0.05, silence=5, renew=0.05, reconcile=0.05)) as process:
        yield process


@pytest.fixture
def app(process: Process) -> Any:
    """The ASGI application of that process."""
    return application()


@pytest.fixture
def impatient(process: Process, settings: Any) -> None:
    """What cannot be delivered is given up almost at once."""
    settings.OMNIGENT_LAUNCH_SECONDS = 0.1
    process.launch_seconds = 0.1


async def settled(process: Process, runner: FakeRunner, post: Post, *events: Json) -> Session:
    """A session that had begun to answer when its runner got lost, and that was given up."""
    session = await process.pool.run(make_session, runner_id=runner.runner_id, title="named")
    await post(session, "Hi")
    await runner.until_posted(1)
    runner.emit(session.public_id, *events)
    await runner.until_acked(session.public_id)
    await runner.hang_up()
    await has_status(process, session, "failed")
    return session


async def answer(app: Any, session: Session, action: str) -> Reply:
    """A person's verdict."""
    path = f"/v1/sessions/{session.public_id}/elicitations/elicit_x/resolve"
    return await request(
        app, "POST", path, b'{"action":"%s"}' % action.encode(), {"content-type": "application/json"}
    )


async def has_status(process: Process, session: Session, word: str) -> None:
    await until(lambda: process.pool.run(lambda: row(session.pk).status == word))


async def responses(process: Process, session: Session) -> list[tuple[str, str]]:
    """(event, response) of the life of every response in the log."""
    events = await process.pool.run(logged, session.pk)
    return [
        (one["type"].removeprefix("response."), one["response"]["id"]) for one in events if "response" in one
    ]


async def test_what_it_still_says_is_a_response_of_its_own(process: Process, app: Any, post: Post) -> None:
    async with FakeRunner(app) as runner:
        session = await settled(process, runner, post, *BEGUN)
        runner.emit(session.public_id, text("three "), call(), output(), text("four"))
        runner.emit(session.public_id, response("completed", usage=USAGE), status("idle"))
        before = len(await process.pool.run(types, session.pk))

        await runner.dial()
        await has_status(process, session, "idle")

        assert await process.pool.run(said, session.pk) == ["one two ", "three ", "four"]
        assert (await process.pool.run(types, session.pk))[before:] == [
            "status running", "in_progress", "text", "message completed", "function_call completed",
            "function_call_output completed", "text", "message completed", "model", "usage", "completed",
            "status idle",
        ]  # fmt: skip
        assert await responses(process, session) == [
            ("in_progress", "resp_a"),
            ("failed", "resp_a"),
            ("in_progress", "resp_a_again2"),
            ("completed", "resp_a_again2"),
        ]
        assert [item["response_id"] for item in await process.pool.run(stored, session.pk)][3:] == [
            "resp_a_again2"
        ] * 4
        assert (await process.pool.run(row, session.pk)).last_task_error is None


async def test_a_turn_that_had_only_to_end_ends_well(process: Process, app: Any, post: Post) -> None:
    async with FakeRunner(app) as runner:
        session = await settled(process, runner, post, *BEGUN)
        runner.emit(session.public_id, response("completed", usage=USAGE), status("idle"))

        await runner.dial()
        await has_status(process, session, "idle")

        assert (await responses(process, session))[-1] == ("completed", "resp_a_again2")


async def test_a_turn_that_had_ended_is_only_at_rest(process: Process, app: Any, post: Post) -> None:
    async with FakeRunner(app) as runner:
        session = await settled(process, runner, post, *BEGUN, response("completed", usage=USAGE))
        runner.emit(session.public_id, status("idle"))

        await runner.dial()
        await has_status(process, session, "idle")

        assert await responses(process, session) == [("in_progress", "resp_a"), ("completed", "resp_a")]


async def test_a_turn_that_had_not_begun_begins(process: Process, app: Any, post: Post) -> None:
    async with FakeRunner(app) as runner:
        session = await settled(process, runner, post, status("running"))
        runner.emit(session.public_id, *turn("here after all")[1:])

        await runner.dial()
        await has_status(process, session, "idle")

        assert await responses(process, session) == [("in_progress", "resp_a"), ("completed", "resp_a")]
        assert (await process.pool.run(types, session.pk)).count("status running") == 2


async def test_it_may_be_lost_and_come_back_again(process: Process, app: Any, post: Post) -> None:
    async with FakeRunner(app) as runner:
        session = await settled(process, runner, post, *BEGUN)
        await runner.dial()
        runner.emit(session.public_id, text("three "))
        await has_status(process, session, "running")
        await runner.until_acked(session.public_id)
        await runner.hang_up()
        await has_status(process, session, "failed")
        runner.emit(session.public_id, text("four"), response("completed", usage=USAGE), status("idle"))

        await runner.dial()
        await has_status(process, session, "idle")

        assert await process.pool.run(said, session.pk) == ["one two ", "three ", "four"]
        assert [name for _, name in await responses(process, session)] == [
            "resp_a", "resp_a", "resp_a_again2", "resp_a_again2", "resp_a_again3", "resp_a_again3",
        ]  # fmt: skip


@pytest.mark.parametrize("steered", [True, False], ids=["taken into the turn", "answered in the next"])
async def test_a_message_after_its_return_does_not_mix_with_the_rest(
    process: Process, app: Any, post: Post, steered: bool
) -> None:
    async with FakeRunner(app) as runner:
        session = await settled(process, runner, post, *BEGUN)
        runner.holds = {"GET stream"}
        await runner.dial()
        await post(session, "And now?")
        await runner.hang_up()
        runner.emit(session.public_id, text("three "))
        if not steered:
            runner.emit(session.public_id, response("completed", usage=USAGE), status("idle"))
        runner.holds = set()
        await runner.dial()
        await runner.until_posted(2)
        if steered:
            runner.emit(session.public_id, text("four"), response("completed", usage=USAGE), status("idle"))
        else:
            runner.emit(session.public_id, *turn("four", "resp_b"))
        await runner.until_acked(session.public_id)

        await has_status(process, session, "idle")
        ends = [("in_progress", "resp_a_again2"), ("completed", "resp_a_again2")]
        ends += [] if steered else [("in_progress", "resp_b"), ("completed", "resp_b")]
        assert (await responses(process, session))[2:] == ends
        answers = ["three four"] if steered else ["three ", "four"]
        assert await process.pool.run(said, session.pk) == ["one two ", *answers]


async def test_a_question_that_was_void_is_closed_in_the_runner(
    process: Process, app: Any, post: Post
) -> None:
    async with FakeRunner(app) as runner:
        session = await settled(process, runner, post, *BEGUN, call(state="in_progress"), question())

        await runner.dial()
        told = await runner.until_posted(2)

        assert (told["type"], told["data"]) == (
            "approval",
            {"elicitation_id": "elicit_x", "action": "cancel"},
        )
        # A hang-up before the server has read the answer would rightly have it told again.
        await until(lambda: process.pool.run(lambda: not Outbox.objects.filter(session=session).exists()))
        await runner.hang_up()
        await runner.dial()
        await post(session, "Go on")
        assert (await runner.until_posted(3))["type"] == "message"


@pytest.mark.usefixtures("impatient")
async def test_a_tool_result_that_could_not_be_delivered_in_time_waits_for_its_return(
    process: Process, app: Any, post: Post
) -> None:
    async with FakeRunner(app) as runner:
        session = await process.pool.run(make_session, runner_id=runner.runner_id, title="named")
        await post(session, "Hi")
        await runner.until_posted(1)
        first = runner.request("POST", "events").id_
        runner.emit(session.public_id, *BEGUN, call(state="action_required"))
        await runner.until_acked(session.public_id)
        runner.holds = {"POST events"}
        path = f"/v1/sessions/{session.public_id}/events"
        body = b'{"type":"function_call_output","data":{"call_id":"c","output":"o"}}'
        reply = await request(app, "POST", path, body, {"content-type": "application/json"})
        await until(lambda: runner.request("POST", "events").id_ != first)
        await runner.hang_up()
        runner.holds = set()
        await has_status(process, session, "failed")
        await until(lambda: process.pool.run(lambda: not waiting_sessions(holder=process.replica_id)))

        await runner.dial()
        told = await runner.until_posted(2)

        assert reply.status == 202
        assert (told["type"], told["call_id"], told["output"]) == ("tool_result", "c", "o")
        await until(lambda: process.pool.run(lambda: not Outbox.objects.filter(session=session).exists()))


async def answered_too_late(
    process: Process, app: Any, runner: FakeRunner, post: Post, action: str
) -> Session:
    """A session whose question was answered while its runner was away, and that could not be told in time."""
    session = await process.pool.run(make_session, runner_id=runner.runner_id, title="named")
    await post(session, "Hi")
    await runner.until_posted(1)
    runner.emit(session.public_id, *BEGUN, call(state="in_progress"), question())
    await runner.until_acked(session.public_id)
    await runner.hang_up()
    assert (await answer(app, session, action)).status == 202
    await has_status(process, session, "failed")
    await until(lambda: process.pool.run(lambda: not Outbox.objects.filter(session=session).exists()))
    return session


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("action", ["accept", "decline"])
async def test_an_answer_that_could_not_be_delivered_in_time_is_told_on_its_return(
    process: Process, app: Any, post: Post, action: str
) -> None:
    async with FakeRunner(app) as runner:
        session = await answered_too_late(process, app, runner, post, action)

        await runner.dial()
        told = await runner.until_posted(2)

        assert (told["type"], told["data"]["action"]) == ("approval", action)
        await until(lambda: process.pool.run(lambda: not Outbox.objects.filter(session=session).exists()))
        await runner.hang_up()
        await runner.dial()
        await post(session, "Go on")
        assert (await runner.until_posted(3))["type"] == "message"


@pytest.mark.usefixtures("impatient")
async def test_a_runner_that_is_newer_than_the_question_is_not_told_of_the_answer(
    process: Process, app: Any, post: Post
) -> None:
    async with FakeRunner(app) as runner:
        session = await answered_too_late(process, app, runner, post, "accept")
        async with FakeRunner(app) as another:
            await process.pool.run(
                lambda: Session.objects.filter(pk=session.pk).update(runner_id=another.runner_id)
            )
            await another.hang_up()
            await another.dial()
            await post(session, "Go on")

            assert (await another.until_posted(1))["type"] == "message"
