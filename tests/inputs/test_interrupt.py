"""Interrupts: always taken, shown first, and ended by a terminal event."""

from typing import Any

import pytest

from omnigent.protocol import events
from sessions_app.models import Outbox
from tests.inputs.fake_runner import REFUSE, FakeRunner, began, ended, status, text, turn
from tests.inputs.rig import Rig
from tests.inputs.waiting import until

INTERRUPT: dict[str, Any] = {"type": "interrupt"}


async def test_an_interrupt_without_a_runner_is_only_shown(rig: Rig) -> None:
    session_id = await rig.session()

    answer = await rig.post(session_id, INTERRUPT)

    assert (answer.status_code, answer.json()) == (202, {"queued": False})
    [(kind, event)] = await rig.log(session_id)
    assert kind == "session.interrupted"
    assert event["data"]["requested_at"] > 0
    assert event["data"]["response_id"] is None
    assert await rig.run(Outbox.objects.count) == 0
    assert await rig.status(session_id) == "idle"


async def test_an_interrupt_of_an_idle_session_is_only_shown(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    assert (await rig.post(session_id, INTERRUPT)).json() == {"queued": False}

    assert await rig.run(Outbox.objects.count) == 0
    assert await rig.log_types(session_id) == ["session.interrupted"]
    assert runner.posted == []


async def test_an_interrupted_turn_is_cancelled_and_keeps_its_text(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"), text("half"))

    await rig.post(session_id, INTERRUPT)
    await rig.delivered(session_id)
    await runner.tell(session_id, text("dropped"), *ended("resp_1", "cancelled"))
    await rig.becomes(session_id, "idle")

    log = await rig.log(session_id)
    kinds = [kind for kind, _ in log]
    after = kinds[kinds.index("session.interrupted") :]
    assert after == [
        "session.interrupted",
        "response.output_item.done",
        "response.cancelled",
        "session.status",
    ]
    assert dict(log)["session.interrupted"]["data"]["response_id"] == "resp_1"
    answer = (await rig.items(session_id))[-1]
    assert (answer["content"][0]["text"], answer["interrupted"]) == ("half", True)


async def test_an_interrupt_before_the_first_event_is_delivered(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.post(session_id, INTERRUPT)
    await rig.delivered(session_id)
    assert runner.kinds() == ["message", "interrupt"]

    await runner.tell(session_id, *began("resp_1"), *ended("resp_1", "cancelled"))

    await rig.becomes(session_id, "idle")
    kinds = [kind for kind in await rig.log_types(session_id) if kind.startswith("response.")]
    assert kinds == ["response.in_progress", "response.cancelled"]


async def test_a_turn_that_never_began_ends_idle(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.post(session_id, INTERRUPT)
    await rig.delivered(session_id)

    await runner.tell(session_id, status("idle"))

    await rig.becomes(session_id, "idle")


async def test_the_turn_after_an_interrupt_is_heard(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"))
    await rig.post(session_id, INTERRUPT)
    await rig.say(session_id, "next")
    await rig.delivered(session_id)

    await runner.tell(session_id, *ended("resp_1", "cancelled", "running"), *turn("resp_2", "heard"))

    await rig.becomes(session_id, "idle")
    assert (await rig.items(session_id))[-1]["content"][0]["text"] == "heard"


async def test_a_refused_interrupt_lets_the_turn_be_heard_again(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"))
    runner.plan.append(REFUSE)
    await rig.post(session_id, INTERRUPT)
    await rig.delivered(session_id)

    await runner.tell(session_id, text("on and on"), *ended("resp_1"))

    await rig.becomes(session_id, "idle")
    assert (await rig.items(session_id))[-1]["content"][0]["text"] == "on and on"


async def test_an_interrupt_that_meets_a_lost_tunnel_is_delivered_once(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"))
    await runner.disconnect()

    await rig.post(session_id, INTERRUPT)
    await runner.connect()

    await rig.delivered(session_id)
    assert runner.kinds() == ["message", "interrupt"]


async def test_a_steer_behind_an_interrupt_survives_it(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"))
    runner.gate.clear()
    await rig.say(session_id, "steer")
    await rig.post(session_id, INTERRUPT)
    await until(lambda: len(runner.posted) == 2, "the steer is posted")
    runner.gate.set()

    await rig.delivered(session_id)

    assert runner.kinds() == ["message", "message", "interrupt"]


@pytest.mark.parametrize("kind", sorted(events.TERMINAL))
async def test_every_terminal_event_passes_the_fence(rig: Rig, runner: FakeRunner, kind: str) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "go")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"))
    await rig.post(session_id, INTERRUPT)

    await runner.tell(session_id, *ended("resp_1", kind.removeprefix("response.")))

    await until_at_rest(rig, session_id)
    assert (await rig.log_types(session_id)).count(kind) == 1


async def until_at_rest(rig: Rig, session_id: str) -> None:
    """Wait until the interrupt is delivered and the session is not busy."""
    await rig.delivered(session_id)
    assert await rig.status(session_id) in ("idle", "failed")
