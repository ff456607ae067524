"""Leases and generations: the newest tunnel wins, the silent one ends, and an old one changes nothing."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest
from django.utils import timezone

from omnigent.accounts.gate import Gate
from omnigent.errors import OmnigentError
from omnigent.protocol import frames
from sessions_app.models import Lease, Session
from sessions_app.process import Process
from sessions_app.services import fleet, presence
from sessions_app.tunnels.registry import Tunnels
from sessions_app.tunnels.tunnel import Tunnel
from tests.api_plumbing.asgi_client import Socket
from tests.factories import make_session
from tests.stream.servers import SHORT, application, running, until
from tests.tunnel.conftest import Post
from tests.tunnel.fake_runner import FakeRunner
from tests.tunnel.script import logged, response, row, said, status, streamed, text


def lease(runner: FakeRunner) -> Lease:
    return Lease.objects.get(kind="runner", name=runner.runner_id)


class Stuck(Socket):
    """A connection that is only half there: its close never ends."""

    async def send(self, message: Any) -> None:
        """What a server sends it, but for the close, arrives."""
        if message["type"] == "websocket.close":
            await asyncio.Event().wait()
        await super().send(message)


@pytest.fixture
async def restless(transactional_db: None, brisk: None, settings: Any) -> AsyncIterator[Process]:
    """A process whose loops turn fast."""
    settings.OMNIGENT_LEASE_SECONDS = 0.6
    durations = replace(SHORT, ping=0.05, silence=0.4, renew=0.05, reconcile=0.05)
    async with running(durations=durations) as process:
        yield process


async def test_each_dial_is_a_new_generation(process: Process, app: Gate) -> None:
    async with FakeRunner(app) as runner:
        assert (await process.pool.run(lease, runner)).generation == 1
        await runner.hang_up()
        closed = await process.pool.run(lease, runner)
        assert closed.closed_at is not None
        assert closed.expires_at > timezone.now()
        await runner.dial()
        again = await process.pool.run(lease, runner)

    assert (again.generation, again.closed_at, again.holder) == (2, None, process.replica_id)


async def test_the_newest_wins_and_the_old_ones_waiters_fail_at_once(process: Process, app: Gate) -> None:
    async with FakeRunner(app) as old:
        old.holds = {"POST execute"}
        path = "/v1/sessions/s/mcp/execute"
        waiting = asyncio.create_task(process.rpc.runner(old.runner_id, "POST", path, seconds=60))
        await until(lambda: old.requests)
        new = FakeRunner(app)
        new.runner_id = old.runner_id

        async with new:
            with pytest.raises(OmnigentError, match="lost"):
                await asyncio.wait_for(waiting, 30)
            assert await old.until_closed() == 4000
            old.say(frames.ResponseHead(id_=old.requests[0].id_, status=200))
            await old.hang_up()

            held = await process.pool.run(lease, new)
            assert (held.generation, held.closed_at) == (2, None)
            assert (await process.rpc.runner(new.runner_id, "POST", path, seconds=5)).status == 200


async def test_a_connection_that_is_half_there_does_not_hold_up_its_successor(
    process: Process, app: Gate
) -> None:
    hello = frames.render(frames.Hello(runner_version="1", frame_protocol_version=1))
    path = "/v1/runners/runner_1/tunnel"
    async with Stuck(app, path, headers={"Origin": frames.ORIGIN}) as old:
        old.text(hello)
        await until(lambda: process.tunnels.get("runner", "runner_1"))
        async with FakeRunner(app) as new:
            await new.hang_up()
            new.runner_id = "runner_1"
            await new.dial()

            answer = await process.rpc.runner("runner_1", "POST", "/v1/sessions/s/mcp/execute", seconds=5)

    assert answer.status == 200


async def test_a_tunnel_taken_by_another_replica_is_closed_here(process: Process, app: Gate) -> None:
    async with FakeRunner(app) as runner:
        await process.pool.run(
            presence.open_tunnel, kind="runner", name=runner.runner_id, holder="other", address="http://x"
        )

        assert await runner.until_closed() == 4000
        held = await process.pool.run(lease, runner)

    assert (held.holder, held.closed_at) == ("other", None)


async def test_what_a_superseded_tunnel_still_says_changes_nothing(
    process: Process, app: Gate, post: Post
) -> None:
    async with FakeRunner(app) as runner:
        session = await process.pool.run(make_session, runner_id=runner.runner_id)
        await post(session, "Hi")
        await runner.until_listened(session.public_id)
        runner.emit(session.public_id, status("running"), response("in_progress"), text("one "))
        await runner.until_acked(session.public_id)
        acks = len(runner.acks)
        # Another replica takes over; its bell has not reached us yet.
        await process.pool.run(lambda: Lease.objects.update(generation=99))
        await process.pool.run(lambda: Session.objects.update(relay_generation=99))
        before = await process.pool.run(logged, session.pk)

        runner.emit(session.public_id, text("stale"), response("completed"), status("idle"))
        await until(lambda: len(process.relays) == 0)

        assert await process.pool.run(logged, session.pk) == before
        assert (await process.pool.run(row, session.pk)).status == "running"
        assert len(runner.acks) == acks


async def test_a_relay_is_not_started_on_a_generation_that_is_not_the_newest(
    process: Process, app: Gate, post: Post
) -> None:
    async with FakeRunner(app) as runner:
        session = await process.pool.run(make_session, runner_id=runner.runner_id)
        await process.pool.run(lambda: Lease.objects.update(generation=99))

        await post(session, "Hi")
        await until(lambda: process.pool.run(lambda: row(session.pk).status == "running"))
        # Nothing is to happen: there is no condition to wait for, only a while in which it would have.
        await asyncio.sleep(0.2)

        assert runner.requests == []
        assert (await process.pool.run(row, session.pk)).relay_generation == 0


class Ends:
    """What a bare tunnel was told."""

    def __init__(self) -> None:
        self.closed: list[int] = []

    async def send(self, text: str) -> None:
        """Goes nowhere."""

    async def close(self, code: int, reason: str) -> None:
        """Remember the code."""
        self.closed.append(code)


async def test_a_slow_registration_does_not_replace_a_newer_one() -> None:
    ends = Ends()
    bare = {"kind": "runner", "name": "r", "capabilities": frozenset[str](), "send": ends.send}
    newer = Tunnel(generation=2, close=ends.close, **bare)  # type: ignore[arg-type]  # arguments by name, of many types
    older = Tunnel(generation=1, close=ends.close, **bare)  # type: ignore[arg-type]  # arguments by name, of many types
    tunnels = Tunnels()

    assert tunnels.add(newer) is None
    assert tunnels.add(older) is older
    assert tunnels.get("runner", "r") is newer
    assert not tunnels.remove(older)
    assert tunnels.remove(newer)


async def test_a_silent_runner_is_closed(restless: Process) -> None:
    async with FakeRunner(application()) as runner:
        await until(lambda: len(runner.pings) > 3)
        assert runner.close_code is None
        runner.sends_pongs = False

        assert await runner.until_closed() == 4003
        assert restless.tunnels.get("runner", runner.runner_id) is None or runner.close_code


async def test_a_talking_runner_keeps_its_lease(restless: Process) -> None:
    async with FakeRunner(application()) as runner:
        first = await restless.pool.run(lease, runner)
        await until(
            lambda: restless.pool.run(
                lambda: lease(runner).expires_at > first.expires_at + timedelta(seconds=1)
            )
        )

        assert runner.close_code is None


async def test_a_drain_sends_everybody_elsewhere(process: Process, app: Gate) -> None:
    async with FakeRunner(app) as one, FakeRunner(app) as two:
        await process.drain()

        assert await one.until_closed() == 1012
        assert await two.until_closed() == 1012


async def test_a_turn_whose_runner_does_not_come_back_fails_after_the_lease(restless: Process) -> None:
    async with FakeRunner(application()) as runner:

        def scene() -> tuple[Session, Session, Session]:
            runner_id = runner.runner_id
            busy = make_session(runner_id=runner_id, status="running", active_response_id="resp_a")
            waiting = make_session(runner_id=runner_id, status="waiting")
            return busy, waiting, make_session(runner_id=runner_id)

        busy, waiting, idle = await restless.pool.run(scene)
        # Longer than a lease that nobody renews.
        await asyncio.sleep(0.8)
        assert (await restless.pool.run(row, busy.pk)).status == "running"
        await runner.hang_up()
        assert (await restless.pool.run(row, busy.pk)).status == "running"

        await until(lambda: restless.pool.run(lambda: row(busy.pk).status == "failed"))
        await until(lambda: restless.pool.run(lambda: row(waiting.pk).status == "failed"))

    error = (await restless.pool.run(row, busy.pk)).last_task_error
    assert error["code"] == "runner_disconnected"
    assert (await restless.pool.run(row, idle.pk)).status == "idle"


async def test_a_runner_that_comes_back_within_the_lease_is_not_missed(restless: Process) -> None:
    async with FakeRunner(application()) as runner:
        busy = await restless.pool.run(make_session, runner_id=runner.runner_id, status="running")
        for _ in range(4):
            await runner.hang_up()
            # Away, but for less than the lease.
            await asyncio.sleep(0.2)
            await runner.dial()

        assert (await restless.pool.run(row, busy.pk)).status == "running"
        assert await restless.pool.run(logged, busy.pk) == []


async def test_the_reconciler_leaves_a_runner_alone_that_has_just_come_back(
    process: Process, app: Gate
) -> None:
    async with FakeRunner(app) as runner:
        busy = await process.pool.run(make_session, runner_id=runner.runner_id, status="running")
        lost = await process.pool.run(
            fleet.fail_turn, busy.pk, runner.runner_id, code="c", message="m", if_lost=True
        )

    assert not lost


async def test_an_idle_shutdown_leaves_sessions_idle(process: Process, app: Gate) -> None:
    async with FakeRunner(app) as runner:

        def scene() -> Session:
            return make_session(runner_id=runner.runner_id, status="waiting")

        session = await process.pool.run(scene)
        await runner.hang_up(1000)

        settled = await process.pool.run(row, session.pk)
        assert (settled.status, settled.last_task_error) == ("idle", None)
        assert (await process.pool.run(lease, runner)).expires_at <= timezone.now()


async def test_a_runner_lost_in_the_middle_keeps_its_text(restless: Process) -> None:
    app = application()
    async with FakeRunner(app) as runner:
        session = await restless.pool.run(make_session, runner_id=runner.runner_id, status="running")
        await runner.hang_up()
        await runner.dial()
        await runner.until_listened(session.public_id)
        runner.emit(session.public_id, response("in_progress"), text("half an "), text("answer"))
        await runner.until_acked(session.public_id)
        await runner.hang_up()
        await until(lambda: restless.pool.run(lambda: row(session.pk).status == "failed"))

    def ends() -> list[str]:
        return [event["type"] for event in logged(session.pk)][-4:]

    assert await restless.pool.run(said, session.pk) == ["half an answer"]
    assert await restless.pool.run(streamed, session.pk) == "half an answer"
    assert await restless.pool.run(ends) == [
        "response.output_item.done", "response.output_item.done", "response.failed", "session.status",
    ]  # fmt: skip
    assert orjson.dumps(await restless.pool.run(logged, session.pk))
