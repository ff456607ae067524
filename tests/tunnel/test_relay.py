"""The relay: what a runner streams is committed once, in order, whatever happens to the tunnel."""

from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from sessions_app.models import Session, Turn
from sessions_app.process import Process
from tests.factories import make_session
from tests.stream.servers import until
from tests.tunnel import script
from tests.tunnel.conftest import Post
from tests.tunnel.fake_runner import FakeRunner
from tests.tunnel.script import response, row, said, status, stored, streamed, text, turn, types
from tests.tunnel.trouble import Trouble

LOG = "sessions_app_logentry"


async def session_on(process: Process, runner: FakeRunner, **fields: Any) -> Session:
    return await process.pool.run(make_session, runner_id=runner.runner_id, **fields)


async def test_a_message_becomes_a_turn(process: Process, app: Gate, post: Post) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        runner.on_post = lambda body: runner.emit(session.public_id, *turn("Hello from the model."))

        item_id = await post(session, "Hi")
        await until(lambda: runner.posted)
        await runner.until_acked(session.public_id)

        assert runner.posted[0]["persisted_item_id"] == item_id
        assert await process.pool.run(types, session.pk) == [
            "title", "input.consumed", "status running", "in_progress", "text", "message completed",
            "model", "usage", "completed", "status idle",
        ]  # fmt: skip
        assert await process.pool.run(said, session.pk) == ["Hellofromthemodel."]
        settled = await process.pool.run(row, session.pk)
        assert (settled.status, settled.open_seq, settled.active_response_id) == ("idle", None, "")
        assert await process.pool.run(lambda: list(Turn.objects.values_list("response_id", "status"))) == [
            ("resp_a", "completed")
        ]


async def test_the_stream_is_open_before_the_message_is_forwarded(
    process: Process, app: Gate, post: Post
) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)

        await post(session, "Hi")
        await runner.until_posted(1)

        paths = [(one.method, one.path.rsplit("/", 1)[-1]) for one in runner.requests]
        assert paths == [("GET", "stream"), ("POST", "sessions"), ("POST", "events")]


@pytest.mark.parametrize("numbered", [True, False], ids=["numbering", "released"])
async def test_text_survives_a_reconnect_in_the_middle(
    process: Process, app: Gate, post: Post, numbered: bool
) -> None:
    async with FakeRunner(app, numbered=numbered) as runner:
        session = await session_on(process, runner)
        await post(session, "Hi")
        await runner.until_posted(1)
        runner.emit(session.public_id, status("running"), response("in_progress"), text("one "), text("two "))
        await until(lambda: process.pool.run(lambda: streamed(session.pk) == "one two "))

        await runner.hang_up()
        runner.emit(session.public_id, text("three "))
        await runner.dial()
        await runner.until_listened(session.public_id, times=2)
        runner.emit(session.public_id, text("four"), response("completed"), status("idle"))

        await until(lambda: process.pool.run(lambda: row(session.pk).status == "idle"))
        assert await process.pool.run(said, session.pk) == ["one two three four"]
        assert await process.pool.run(streamed, session.pk) == "one two three four"
        assert [item["response_id"] for item in await process.pool.run(stored, session.pk)][1:] == ["resp_a"]


async def test_what_was_committed_is_not_committed_again(process: Process, app: Gate, post: Post) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        await post(session, "Hi")
        stream = await runner.until_listened(session.public_id)
        runner.emit(session.public_id, status("running"), response("in_progress"), text("one "), text("two "))
        await runner.until_acked(session.public_id)
        again = [(3, text("one ")), (4, text("two "))]

        await runner.hang_up()
        await runner.dial()
        await runner.until_listened(session.public_id, times=2)
        assert stream.headers["last-event-id"] == f"{runner.name}.4"
        for number, event in again:
            runner.send_bytes(stream, script.as_sse(event, f"{runner.name}.{number}"))
        runner.emit(session.public_id, text("three"))
        await runner.until_acked(session.public_id)

        assert await process.pool.run(streamed, session.pk) == "one two three"


async def test_a_new_runner_process_counts_from_one(process: Process, app: Gate, post: Post) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        await post(session, "Hi")
        await runner.until_listened(session.public_id)
        runner.emit(session.public_id, *turn("one two"))
        await runner.until_acked(session.public_id)

        await runner.hang_up()
        runner.name, runner.streams = "another0", {}
        await runner.dial()
        await post(session, "Again")
        await runner.until_listened(session.public_id)
        runner.emit(session.public_id, *turn("three", "resp_b"))
        await runner.until_acked(session.public_id)

        assert await process.pool.run(said, session.pk) == ["onetwo", "three"]


@pytest.mark.parametrize("times", [1, 3, 10], ids=["once", "until it gives up", "for a while"])
async def test_a_failed_commit_loses_nothing(
    process: Process, app: Gate, post: Post, trouble: Trouble, times: int
) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        await post(session, "Hi")
        await runner.until_listened(session.public_id)
        trouble.begin(times, on=LOG)
        runner.emit(session.public_id, status("running"), response("in_progress"))
        for number in range(40):
            runner.emit(session.public_id, text(f"{number} "))
            await until(lambda: True)
        runner.emit(session.public_id, response("completed"), status("idle"))

        await until(lambda: process.pool.run(lambda: row(session.pk).status == "idle"))
        await runner.until_acked(session.public_id)

        expected = "".join(f"{number} " for number in range(40))
        assert trouble.failed == times
        assert await process.pool.run(streamed, session.pk) == expected
        assert await process.pool.run(said, session.pk) == [expected]


async def test_a_commit_that_recovers_costs_a_released_runner_nothing(
    process: Process, app: Gate, post: Post, trouble: Trouble
) -> None:
    async with FakeRunner(app, numbered=False) as runner:
        session = await session_on(process, runner)
        await post(session, "Hi")
        await runner.until_listened(session.public_id)
        trouble.begin(2, on=LOG)

        runner.emit(session.public_id, *turn("one two three"))

        await until(lambda: process.pool.run(lambda: row(session.pk).status == "idle"))
        assert trouble.failed == 2
        assert await process.pool.run(said, session.pk) == ["onetwothree"]


async def test_nothing_is_acknowledged_before_it_is_committed(
    process: Process, app: Gate, post: Post, trouble: Trouble
) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        await post(session, "Hi")
        await runner.until_listened(session.public_id)
        trouble.begin(1_000_000, on=LOG)
        runner.emit(session.public_id, status("running"), response("in_progress"), text("lost?"))
        await until(lambda: trouble.failed > 6)
        assert runner.acks == []

        trouble.end()
        await runner.until_acked(session.public_id)

        assert await process.pool.run(streamed, session.pk) == "lost?"


@pytest.mark.parametrize("numbered", [True, False], ids=["numbering", "released"])
async def test_events_cut_anywhere_arrive_whole(
    process: Process, app: Gate, post: Post, numbered: bool
) -> None:
    async with FakeRunner(app, numbered=numbered) as runner:
        session = await session_on(process, runner)
        await post(session, "Hi")
        stream = await runner.until_listened(session.public_id)
        whole = b""
        for number, event in enumerate(
            [status("running"), response("in_progress"), text("grüße 🚀 "), text("ende"), status("idle")], 1
        ):
            name = f"{runner.name}.{number}" if numbered else None
            whole += script.as_sse(event, name)

        for byte in whole:
            runner.send_bytes(stream, bytes([byte]))

        await until(lambda: process.pool.run(lambda: row(session.pk).status == "idle"))
        assert await process.pool.run(said, session.pk) == ["grüße 🚀 ende"]


async def test_a_relay_of_an_older_tunnel_commits_nothing(process: Process, app: Gate, post: Post) -> None:
    async with FakeRunner(app) as old:
        session = await session_on(process, old)
        await post(session, "Hi")
        stream = await old.until_listened(session.public_id)
        old.emit(session.public_id, status("running"), response("in_progress"), text("one "))
        await old.until_acked(session.public_id)

        new = FakeRunner(app)
        new.runner_id, new.name, new.streams[session.public_id] = old.runner_id, old.name, stream
        async with new:
            assert await old.until_closed() == 4000
            await new.until_listened(session.public_id, times=2)
            old.emit(session.public_id, text("stale"))
            new.emit(session.public_id, response("completed"), status("idle"))
            await until(lambda: process.pool.run(lambda: row(session.pk).status == "idle"))

        assert "stale" not in await process.pool.run(streamed, session.pk)


async def test_a_fence_without_a_newer_tunnel_is_taken_again(process: Process, app: Gate, post: Post) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        await post(session, "Hi")
        await runner.until_listened(session.public_id)
        runner.emit(session.public_id, status("running"), response("in_progress"), text("one "))
        await runner.until_acked(session.public_id)
        await process.pool.run(lambda: Session.objects.update(relay_generation=99))

        runner.emit(session.public_id, text("two"), response("completed"), status("idle"))

        await until(lambda: process.pool.run(lambda: row(session.pk).status == "idle"))
        assert await process.pool.run(said, session.pk) == ["one two"]


async def test_a_stream_that_does_not_open_is_tried_again(process: Process, app: Gate, post: Post) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        await post(session, "Hi")
        await runner.until_listened(session.public_id)
        runner.emit(session.public_id, status("running"), response("in_progress"), text("one "))
        await runner.until_acked(session.public_id)
        await runner.hang_up()
        runner.answers["stream"] = (500, {"error": "not yet"})
        await runner.dial()
        await until(lambda: len([one for one in runner.requests if one.path.endswith("/stream")]) > 2)

        del runner.answers["stream"]
        await runner.until_listened(session.public_id, times=2)
        runner.emit(session.public_id, text("two"), response("completed"), status("idle"))

        await until(lambda: process.pool.run(lambda: row(session.pk).status == "idle"))
        assert await process.pool.run(said, session.pk) == ["one two"]


async def test_a_stream_that_never_opens_fails_its_turn(process: Process, app: Gate, post: Post) -> None:
    process.relays.patience = 0.5
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        await post(session, "Hi")
        await runner.until_listened(session.public_id)
        runner.emit(session.public_id, status("running"), response("in_progress"), text("one "))
        await runner.until_acked(session.public_id)
        await runner.hang_up()
        runner.answers["stream"] = (500, {"error": "never"})
        await runner.dial()

        await until(lambda: process.pool.run(lambda: row(session.pk).status == "failed"))
        failed = await process.pool.run(row, session.pk)
        assert failed.last_task_error["code"] == "runner_unavailable"
        assert await process.pool.run(said, session.pk) == ["one "]


async def test_a_runner_that_refuses_the_session_fails_the_message(
    process: Process, app: Gate, post: Post
) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        runner.answers["sessions"] = (410, {"error": "session_agent_missing"})

        item_id = await post(session, "Hi")

        await until(lambda: process.pool.run(lambda: row(session.pk).status == "failed"))
        failed = await process.pool.run(row, session.pk)
        assert failed.last_task_error["item_id"] == item_id
        assert "session_agent_missing" in failed.last_task_error["message"]


async def test_a_tunnel_lost_while_a_message_is_forwarded_fails_nothing(
    process: Process, app: Gate, post: Post
) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        runner.holds = {"POST sessions"}
        item_id = await post(session, "Hi")
        await runner.until_listened(session.public_id)

        await runner.hang_up()
        runner.holds = set()
        await runner.dial()

        assert (await runner.until_posted(1))["persisted_item_id"] == item_id
        assert (await process.pool.run(row, session.pk)).status == "running"


async def test_a_repeated_delivery_of_a_finished_turn_leaves_the_session_idle(
    process: Process, app: Gate, post: Post
) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        runner.holds = {"POST events"}
        await post(session, "Hi")
        await until(lambda: [one for one in runner.requests if one.path.endswith("/events")])
        runner.emit(session.public_id, *turn("answered"))
        await runner.until_acked(session.public_id)

        await runner.hang_up()
        runner.holds = set()
        runner.answers["events"] = (202, {"status": "duplicate"})
        await runner.dial()
        await runner.until_posted(1)

        await until(lambda: process.pool.run(lambda: not Session.objects.get().outbox.exists()))
        assert (await process.pool.run(row, session.pk)).status == "idle"
        assert await process.pool.run(said, session.pk) == ["answered"]
