"""The outbox: what a runner is told, once and in order, whatever happens to its tunnel."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from sessions_app.models import Lease, Outbox, Turn, TurnStatus
from sessions_app.services import outbox
from tests.factories import make_session, user_said
from tests.inputs.door import Door
from tests.inputs.fake_runner import (
    LOSE_AFTER,
    LOSE_BEFORE,
    REFUSE,
    Answer,
    FakeRunner,
    began,
    ended,
    status,
    text,
    turn,
)
from tests.inputs.rig import Rig
from tests.inputs.waiting import eventually, until


def kinds_since(log: list[tuple[str, dict[str, Any]]], kind: str) -> list[str]:
    """The event types after the last event of this type."""
    kinds = [one for one, _ in log]
    return kinds[len(kinds) - kinds[::-1].index(kind) :]


async def test_messages_arrive_once_and_in_order(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    acknowledged = [await rig.say(session_id, str(number)) for number in range(5)]

    await rig.delivered(session_id)
    assert runner.messages == acknowledged
    assert len(runner.posted) == 5


async def test_a_refused_message_fails_the_session_with_its_item(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    runner.plan.append(REFUSE)

    item_id = await rig.say(session_id, "no")
    shown = await rig.becomes(session_id, "failed")

    error = shown["last_task_error"]
    assert (error["code"], error["item_id"]) == ("runner_rejected_event", item_id)
    kinds = [item["type"] for item in await rig.items(session_id)]
    assert kinds == ["message", "error"]
    failed = [event for kind, event in await rig.log(session_id) if kind == "session.status"][-1]
    assert (failed["status"], failed["error"]["code"]) == ("failed", "runner_rejected_event")
    await rig.delivered(session_id)
    assert not await rig.run(Turn.objects.filter(status=TurnStatus.RUNNING).exists)


async def test_the_next_message_after_a_refusal_works(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    runner.plan.append(REFUSE)
    await rig.say(session_id, "no")
    await rig.becomes(session_id, "failed")

    item_id = await rig.say(session_id, "yes")
    await rig.delivered(session_id)
    await runner.tell(session_id, *turn("resp_1", "ok"))

    assert (await rig.becomes(session_id, "idle"))["last_task_error"] is None
    assert runner.messages == [item_id]


async def test_a_refused_steer_leaves_the_running_response_its_end(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"), text("half"))
    runner.plan.append(REFUSE)

    item_id = await rig.say(session_id, "steer")
    await rig.delivered(session_id)
    assert await rig.status(session_id) == "running"
    await runner.tell(session_id, text(" whole"), *ended("resp_1"))

    shown = await rig.becomes(session_id, "failed")
    assert shown["last_task_error"]["item_id"] == item_id
    kinds = await rig.log_types(session_id)
    assert [kind for kind in kinds if kind in ("response.completed", "response.failed")] == [
        "response.completed"
    ]
    answers = [item for item in await rig.items(session_id) if item.get("role") == "assistant"]
    assert "".join(item["content"][0]["text"] for item in answers) == "half whole"
    assert not await rig.run(Turn.objects.filter(status=TurnStatus.RUNNING).exists)


@pytest.mark.parametrize(
    "loss",
    [pytest.param(LOSE_BEFORE, id="before it was taken"), pytest.param(LOSE_AFTER, id="after it was taken")],
)
async def test_a_message_that_meets_a_lost_tunnel_is_sent_again(
    rig: Rig, runner: FakeRunner, loss: Answer
) -> None:
    session_id = await rig.bound(runner)
    runner.plan.append(loss)

    item_id = await rig.say(session_id, "hi")
    await until(lambda: runner.line is None, "the tunnel is lost")
    assert await rig.status(session_id) == "running"
    await runner.connect()

    await rig.delivered(session_id)
    assert runner.messages == [item_id]
    assert [body["persisted_item_id"] for body in runner.posted] == [item_id] * 2
    await runner.tell(session_id, *turn("resp_1", "ok"))
    await rig.becomes(session_id, "idle")


async def test_messages_behind_a_lost_one_keep_their_order(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    runner.gate.clear()
    first = await rig.say(session_id, "one")
    second = await rig.say(session_id, "two")
    runner.plan.append(LOSE_AFTER)
    runner.gate.set()
    await until(lambda: runner.line is None, "the tunnel is lost")

    await runner.connect()

    await rig.delivered(session_id)
    assert runner.messages == [first, second]


async def test_a_turn_that_ends_before_its_delivery_is_recorded_ends_the_session(
    rig: Rig, runner: FakeRunner
) -> None:
    """A fast runner finishes while the answer to the message is still on its way."""
    session_id = await rig.bound(runner)
    runner.gate.clear()
    await rig.say(session_id, "quick")
    await until(lambda: bool(runner.posted), "the message is posted")

    await runner.tell(session_id, *turn("resp_1", "done"))
    runner.gate.set()

    await rig.delivered(session_id)
    await rig.becomes(session_id, "idle")
    assert not await rig.run(Turn.objects.filter(status=TurnStatus.RUNNING).exists)


async def test_a_turn_that_ended_while_the_tunnel_was_away_ends_the_session(
    rig: Rig, runner: FakeRunner
) -> None:
    """Taken, answered by a lost tunnel, finished meanwhile: the second delivery is a duplicate."""
    session_id = await rig.bound(runner)
    runner.plan.append(LOSE_AFTER)
    await rig.say(session_id, "hi")
    await until(lambda: runner.line is None, "the tunnel is lost")

    runner.gate.clear()
    await runner.emit(session_id, *turn("resp_1", "done"))
    await runner.connect()
    await runner.committed(session_id)
    runner.gate.set()

    await rig.delivered(session_id)
    await rig.becomes(session_id, "idle")
    assert len(runner.taken) == 1


async def test_a_turn_without_a_response_that_ends_before_its_delivery_is_recorded(
    rig: Rig, runner: FakeRunner
) -> None:
    session_id = await rig.bound(runner)
    runner.gate.clear()
    await rig.say(session_id, "quick")
    await until(lambda: bool(runner.posted), "the message is posted")

    await runner.tell(session_id, status("running"), status("idle"))
    runner.gate.set()

    await rig.delivered(session_id)
    await rig.becomes(session_id, "idle")


async def test_a_steer_that_outlives_its_turn_keeps_the_session_running(rig: Rig, runner: FakeRunner) -> None:
    """Its follow-up turn has begun when its delivery is recorded."""
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"))
    runner.gate.clear()
    await rig.say(session_id, "steer")
    await until(lambda: len(runner.posted) == 2, "the steer is posted")

    await runner.tell(session_id, *ended("resp_1", word="running"))
    runner.gate.set()
    await rig.delivered(session_id)

    assert await rig.status(session_id) == "running"
    assert kinds_since(await rig.log(session_id), "response.completed").count("session.status") == 1
    await runner.tell(session_id, *turn("resp_2", "two"))
    await rig.becomes(session_id, "idle")


async def test_a_steer_becomes_the_next_turn(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"), text("one"))
    await rig.say(session_id, "steer")
    await rig.delivered(session_id)

    await runner.tell(session_id, *ended("resp_1", word="running"), *turn("resp_2", "two"))
    await rig.becomes(session_id, "idle")

    words = [event["status"] for kind, event in await rig.log(session_id) if kind == "session.status"]
    assert words == ["running", "running", "idle"]
    turns = await rig.run(lambda: list(Turn.objects.order_by("id").values_list("response_id", "status")))
    assert turns == [("resp_1", "completed"), ("resp_2", "completed")]


async def test_an_idle_edge_does_not_stop_a_message_on_its_way(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"))
    runner.gate.clear()
    await rig.say(session_id, "next")
    await until(lambda: len(runner.posted) == 2, "the second message is posted")

    await runner.tell(session_id, *ended("resp_1"))
    runner.gate.set()
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_2"))

    assert await rig.status(session_id) == "running"
    await runner.tell(session_id, *ended("resp_2"))
    await rig.becomes(session_id, "idle")


async def test_an_idle_session_stays_idle_when_its_runner_goes(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *turn("resp_1", "one"))
    await rig.becomes(session_id, "idle")
    before = await rig.log(session_id)

    await runner.disconnect()
    await expire_leases(rig)

    assert await rig.status(session_id) == "idle"
    assert await rig.log(session_id) == before


async def expire_leases(rig: Rig) -> None:
    """Time passes: leases without a tunnel run out, and the reconciler looks."""

    def pass_time() -> None:
        long_ago = timezone.now() - timedelta(hours=1)
        Lease.objects.filter(closed_at__isnull=False).update(expires_at=long_ago)

    await rig.run(pass_time)
    await rig.process.loops.reconcile()


def claim(session_pk: int, holder: str) -> outbox.Delivery | None:
    """What a process of that name may deliver now."""
    return outbox.claim(session_pk=session_pk, holder=holder, seconds=90)


async def test_only_the_process_that_holds_the_tunnel_delivers(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.process.deliveries.stop()
    item_id = await rig.say(session_id, "hi")
    session = await rig.row(session_id)

    assert await rig.run(claim, session.pk, "elsewhere") is None

    ours = await rig.run(claim, session.pk, rig.process.replica_id)
    assert ours is not None
    assert ours.item_id == item_id
    assert runner.posted == []


async def test_without_a_tunnel_one_of_many_processes_delivers(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.process.deliveries.stop()
    await rig.say(session_id, "hi")
    await runner.disconnect()
    session = await rig.row(session_id)

    claims = await asyncio.gather(*(rig.run(claim, session.pk, f"process {n}") for n in range(8)))

    assert len([one for one in claims if one is not None]) == 1


async def test_a_claim_of_a_dead_process_does_not_hold_up_whoever_has_the_tunnel(
    rig: Rig, runner: FakeRunner
) -> None:
    session_id = await rig.bound(runner)
    runner.plan.append(LOSE_BEFORE)
    item_id = await rig.say(session_id, "hi")
    await until(lambda: runner.line is None, "the tunnel is lost")

    def die_with_the_claim() -> None:
        until_when = timezone.now() + timedelta(seconds=90)
        Outbox.objects.update(claimed_by="a dead process", claimed_until=until_when)

    await rig.run(die_with_the_claim)
    await runner.connect()

    await rig.delivered(session_id)
    assert runner.messages == [item_id]


async def test_what_is_left_is_delivered_by_the_next_process(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    runner.plan.append(LOSE_BEFORE)
    item_id = await rig.say(session_id, "hi")
    await until(lambda: runner.line is None, "the tunnel is lost")

    await rig.door.restart()
    await runner.connect()

    await rig.delivered(session_id)
    assert runner.messages == [item_id]


async def test_binding_a_runner_delivers_an_unanswered_message(rig: Rig, runner: FakeRunner) -> None:
    await rig.known(runner)

    def unanswered() -> tuple[str, str]:
        session = make_session()
        return session.public_id, user_said(session, "anybody?")

    session_id, item_id = await rig.run(unanswered)

    answer = await rig.http.patch(f"/v1/sessions/{session_id}", json={"runner_id": runner.runner_id})

    assert answer.json()["status"] == "running"
    await rig.delivered(session_id)
    assert runner.messages == [item_id]
    assert runner.taken[0]["content"] == [{"type": "input_text", "text": "anybody?"}]
    await runner.tell(session_id, *turn("resp_1", "me"))
    await rig.becomes(session_id, "idle")


async def test_binding_again_delivers_nothing_twice(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    item_id = await rig.say(session_id, "hi")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"))

    for _ in range(2):
        await rig.http.patch(f"/v1/sessions/{session_id}", json={"runner_id": runner.runner_id})
    await runner.tell(session_id, text("still here"), *ended("resp_1"))

    await rig.becomes(session_id, "idle")
    assert runner.messages == [item_id]


async def test_binding_another_runner_in_the_middle_of_a_turn_ends_the_old_one(
    rig: Rig, runner: FakeRunner, server: Door
) -> None:
    other = FakeRunner(server, "runner_other")
    await other.connect()
    session_id = await rig.bound(runner)
    await rig.say(session_id, "hi")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"), text("half"))
    await rig.known(other)

    await rig.http.patch(f"/v1/sessions/{session_id}", json={"runner_id": other.runner_id})
    await rig.becomes(session_id, "idle")
    await runner.emit(session_id, text(" more"), *ended("resp_1"))
    item_id = await rig.say(session_id, "again")
    await rig.delivered(session_id)
    await other.tell(session_id, *turn("resp_2", "new"))

    await rig.becomes(session_id, "idle")
    assert other.messages == [item_id]
    texts = [
        item["content"][0]["text"] for item in await rig.items(session_id) if item.get("role") == "assistant"
    ]
    assert texts == ["half", "new"]
    kinds = await rig.log_types(session_id)
    assert [kind for kind in kinds if kind.startswith("response.c")] == [
        "response.cancelled",
        "response.completed",
    ]
    await other.end()


async def test_binding_a_runner_forgives_the_old_ones_failure(
    rig: Rig, runner: FakeRunner, server: Door
) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "hi")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"), *ended("resp_1", "failed", "failed"))
    await rig.becomes(session_id, "failed")
    other = FakeRunner(server, "runner_other")
    await other.connect()
    await rig.known(other)

    answer = await rig.http.patch(f"/v1/sessions/{session_id}", json={"runner_id": other.runner_id})

    assert answer.json()["status"] == "idle"
    assert answer.json()["last_task_error"] is None
    await other.end()


async def test_a_runner_that_reconnects_at_once_gets_what_came_in_between(
    rig: Rig, runner: FakeRunner
) -> None:
    """A newer tunnel takes over while a delivery is under way on the older one."""
    session_id = await rig.bound(runner)
    await rig.say(session_id, "warm")
    await rig.delivered(session_id)
    await runner.tell(session_id, *turn("resp_0", "x"))
    await rig.becomes(session_id, "idle")
    sent = []
    for number in range(10):
        post = asyncio.create_task(rig.say(session_id, str(number)))
        await runner.connect()
        sent.append(await post)

    await rig.delivered(session_id)

    assert await rig.status(session_id) == "running"
    assert runner.messages[1:] == sent


async def test_nothing_is_delivered_for_a_session_that_was_unbound(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    answer = await rig.http.patch(f"/v1/sessions/{session_id}", json={"runner_id": ""})

    assert answer.json()["runner_id"] in (None, "")

    async def refused() -> bool:
        return (await rig.post(session_id, {"type": "message", "data": {"text": "x"}})).status_code == 503

    await eventually(refused)
