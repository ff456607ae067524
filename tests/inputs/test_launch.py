"""Messages to sessions on a host: their runner is launched, relaunched, or its failure is told."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from omnigent.protocol import host_frames
from sessions_app.models import Outbox, Turn, TurnStatus
from tests.error_shape import assert_error
from tests.inputs.fake_host import FakeHost
from tests.inputs.fake_runner import LOSE_BEFORE, began, ended, text, turn
from tests.inputs.rig import Rig, said
from tests.inputs.waiting import eventually, until

LEFT = 1000


def failing(error: str, code: str | None = None) -> Any:
    """The answer of a host that cannot launch."""

    def reply(ask: host_frames.LaunchRunner) -> dict[str, Any]:
        return {"status": "failed", "error": error, "error_code": code}

    return reply


@pytest.fixture
def short(quick: Settings) -> Settings:
    """A launch that is given up soon."""
    quick.OMNIGENT_LAUNCH_SECONDS = 0.5
    return quick


async def test_a_message_launches_a_runner_and_reaches_it(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)

    item_id = await rig.say(session_id, "hi")
    await rig.delivered(session_id)

    [ask] = host.launches
    assert (ask.session_id, ask.workspace, ask.harness) == (session_id, "/tmp", "scripted")
    assert host.runner.messages == [item_id]
    assert (await rig.snapshot(session_id))["runner_id"] == host.runner.runner_id
    await host.runner.tell(session_id, *turn("resp_1", "ok"))
    await rig.becomes(session_id, "idle")
    words = [event["status"] for kind, event in await rig.log(session_id) if kind == "session.status"]
    assert words == ["running", "idle"]


async def test_many_messages_launch_one_runner(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)

    answers = await asyncio.gather(*(rig.post(session_id, said(str(number))) for number in range(8)))

    await rig.delivered(session_id)
    assert len(host.launches) == 1
    assert set(host.runner.messages) == {answer.json()["item_id"] for answer in answers}
    assert host.runner.messages == [item["id"] for item in await rig.items(session_id)]


async def test_the_turn_of_a_launched_runner_is_open_before_it_says_anything(
    rig: Rig, host: FakeHost
) -> None:
    session_id = await rig.hosted(host)

    await rig.say(session_id, "hi")
    await rig.delivered(session_id)

    assert await rig.run(lambda: list(Turn.objects.values_list("response_id", "status"))) == [("", "running")]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        pytest.param("harness_not_configured", "harness_not_configured", id="harness"),
        pytest.param("workspace_missing", "workspace_missing", id="workspace"),
        pytest.param(None, "runner_failed_to_start", id="no code"),
        pytest.param("x" * 200, "x" * 200, id="endless code"),
    ],
)
async def test_a_launch_that_fails_fails_the_session_with_the_message(
    rig: Rig, host: FakeHost, code: str | None, expected: str
) -> None:
    session_id = await rig.hosted(host)
    host.reply = failing("cannot", code)

    item_id = await rig.say(session_id, "hi")
    shown = await rig.becomes(session_id, "failed")

    error = shown["last_task_error"]
    assert expected.startswith(error["code"])
    assert (error["message"], error["item_id"]) == ("cannot", item_id)
    await rig.delivered(session_id)
    assert [item["type"] for item in await rig.items(session_id)] == ["message", "error"]
    assert (await rig.log_types(session_id)).count("session.status") == 2
    assert len(host.launches) == 1


async def test_a_message_after_a_failed_launch_tries_again(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)
    host.reply = failing("cannot")
    await rig.say(session_id, "hi")
    await rig.becomes(session_id, "failed")
    host.reply = FakeHost(None).reply

    item_id = await rig.say(session_id, "again")

    await rig.delivered(session_id)
    assert host.runner.messages == [item_id]
    assert (await rig.snapshot(session_id))["last_task_error"] is None


async def test_a_runner_that_dies_before_it_dials_in_is_reported(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)
    host.starts_runners = False

    item_id = await rig.say(session_id, "hi")
    await until(lambda: bool(host.launches), "the launch")
    runner_id = (await rig.snapshot(session_id))["runner_id"]
    host.report_exit(runner_id, "ImportError: no module\nlast line of its log", had_connected=False)

    error = (await rig.becomes(session_id, "failed"))["last_task_error"]
    assert error["item_id"] == item_id
    assert error["code"] == "runner_failed_to_start"
    assert "ImportError" in error["message"]
    await rig.delivered(session_id)


async def test_a_runner_that_never_dials_in_is_given_up(short: Settings, rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)
    host.starts_runners = False

    item_id = await rig.say(session_id, "hi")

    error = (await rig.becomes(session_id, "failed"))["last_task_error"]
    assert (error["code"], error["item_id"]) == ("runner_failed_to_start", item_id)


async def test_a_dead_runner_is_replaced(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)
    await rig.say(session_id, "one")
    await rig.delivered(session_id)
    first = host.runner
    await first.tell(session_id, *turn("resp_1", "ok"))
    await rig.becomes(session_id, "idle")
    await first.disconnect()
    host.report_exit(first.runner_id, "killed", had_connected=True)
    assert await rig.status(session_id) == "idle"

    item_id = await rig.say(session_id, "two")

    await rig.delivered(session_id)
    assert host.runner is not first
    assert host.runner.messages == [item_id]


async def test_a_runner_that_left_is_replaced_although_its_process_has_not_ended_yet(
    rig: Rig, host: FakeHost
) -> None:
    session_id = await rig.hosted(host)
    await rig.say(session_id, "one")
    await rig.delivered(session_id)
    first = host.runner
    await first.tell(session_id, *turn("resp_1", "ok"))
    await rig.becomes(session_id, "idle")
    await first.disconnect(LEFT)

    item_id = await rig.say(session_id, "two")

    await rig.delivered(session_id)
    assert host.runner.messages == [item_id]
    # Asked, the host would call it alive, and the message would wait for it.
    assert host.asked_about == []


async def test_a_runner_that_died_unseen_is_replaced(rig: Rig, host: FakeHost) -> None:
    """The host knows only when it is asked: it was restarted itself."""
    session_id = await rig.hosted(host)
    await rig.say(session_id, "one")
    await rig.delivered(session_id)
    first = host.runner
    await first.tell(session_id, *began("resp_1"), text("half"))
    await first.disconnect()
    host.alive.clear()

    item_id = await rig.say(session_id, "two")

    await rig.delivered(session_id)
    second = host.runner
    assert second.messages == [item_id]
    await second.tell(session_id, *turn("resp_2", "whole"))
    await rig.becomes(session_id, "idle")
    kinds = await rig.log_types(session_id)
    assert kinds.count("response.in_progress") == 2
    assert len([kind for kind in kinds if kind in ("response.completed", "response.cancelled")]) == 2
    texts = [
        item["content"][0]["text"] for item in await rig.items(session_id) if item.get("role") == "assistant"
    ]
    assert texts == ["half", "whole"]


async def test_a_runner_that_dies_in_the_middle_of_a_turn_fails_it(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)
    await rig.say(session_id, "one")
    await rig.delivered(session_id)
    runner = host.runner
    await runner.tell(session_id, *began("resp_1"), text("half"))

    host.report_exit(runner.runner_id, "killed by signal 9", had_connected=True)

    error = (await rig.becomes(session_id, "failed"))["last_task_error"]
    assert (error["code"], error["message"]) == ("runner_disconnected", "killed by signal 9")
    assert not await rig.run(Turn.objects.filter(status=TurnStatus.RUNNING).exists)
    kinds = await rig.log_types(session_id)
    assert kinds[-1] == "session.status"
    assert kinds.count("response.failed") == 1


async def test_a_message_that_its_runner_took_with_it_goes_to_the_next(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)
    await rig.say(session_id, "warm")
    await rig.delivered(session_id)
    first = host.runner
    await first.tell(session_id, *turn("resp_1", "ok"))
    await rig.becomes(session_id, "idle")
    first.plan.append(LOSE_BEFORE)

    item_id = await rig.say(session_id, "hi")
    await until(lambda: first.line is None, "the tunnel is lost")
    host.report_exit(first.runner_id, "killed", had_connected=True)

    await rig.delivered(session_id)
    assert host.runner is not first
    assert host.runner.messages == [item_id]
    assert await rig.status(session_id) == "running"


async def test_an_interrupt_for_a_dead_runner_does_not_hold_up_the_next_message(
    rig: Rig, host: FakeHost
) -> None:
    session_id = await rig.hosted(host)
    await rig.say(session_id, "one")
    await rig.delivered(session_id)
    first = host.runner
    await first.tell(session_id, *began("resp_1"))
    await first.disconnect()
    await rig.post(session_id, {"type": "interrupt"})
    host.report_exit(first.runner_id, "killed", had_connected=True)
    await rig.becomes(session_id, "failed")

    item_id = await rig.say(session_id, "two")

    await rig.delivered(session_id)
    assert host.runner is not first
    assert host.runner.kinds() == ["message"]
    assert host.runner.messages == [item_id]


async def test_an_interrupt_before_the_launch_is_done_follows_its_message(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)
    host.starts_runners = False
    await rig.say(session_id, "hi")
    await until(lambda: bool(host.launches), "the launch")

    answer = await rig.post(session_id, {"type": "interrupt"})
    assert (answer.status_code, answer.json()) == (202, {"queued": False})
    await host.start(host.launches[0])

    await rig.delivered(session_id)
    assert host.runner.kinds() == ["message", "interrupt"]
    await host.runner.tell(session_id, *ended("resp_1", "cancelled"))
    await rig.becomes(session_id, "idle")


async def test_a_stop_ends_the_runner_and_the_turn(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)
    await rig.say(session_id, "one")
    await rig.delivered(session_id)
    await host.runner.tell(session_id, *began("resp_1"), text("half"))

    answer = await rig.post(session_id, {"type": "stop_session"})

    assert (answer.status_code, answer.json()) == (202, {"queued": False})
    assert host.stopped == [host.runner.runner_id]
    assert await rig.status(session_id) == "idle"
    kinds = await rig.log_types(session_id)
    assert "session.interrupted" in kinds
    assert kinds.count("response.cancelled") == 1
    assert kinds[-1] == "session.status"
    assert [item["content"][0]["text"] for item in await rig.items(session_id)] == ["one", "half"]
    assert await rig.run(Outbox.objects.count) == 0


async def test_what_a_stopped_runner_still_says_is_not_heard(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)
    await rig.say(session_id, "one")
    await rig.delivered(session_id)
    runner = host.runner
    await runner.tell(session_id, *began("resp_1"), text("half"))
    await rig.post(session_id, {"type": "stop_session"})
    before = await rig.log(session_id)

    await runner.emit(session_id, text(" more"), *ended("resp_1", "cancelled"))
    await runner.disconnect()

    assert await rig.log(session_id) == before


async def test_a_stop_that_is_not_confirmed_is_an_error(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)
    await rig.say(session_id, "one")
    await rig.delivered(session_id)
    host.can_stop = False

    assert_error(await rig.post(session_id, {"type": "stop_session"}), 503, "runner_unavailable")

    assert await rig.status(session_id) == "running"


async def test_a_stop_without_a_runner_is_fine(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)

    answer = await rig.post(session_id, {"type": "stop_session"})

    assert (answer.status_code, answer.json()) == (202, {"queued": False})
    assert host.stopped == []


async def test_a_message_waits_for_a_host_that_comes_back(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)
    await rig.process.deliveries.stop()
    item_id = await rig.say(session_id, "hi")
    await host.disconnect()
    await rig.door.restart()
    assert await rig.status(session_id) == "running"

    await host.connect()

    await rig.delivered(session_id)
    assert host.runner.messages == [item_id]


async def test_a_server_that_was_away_for_long_waits_for_the_host_once_more(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)
    await rig.process.deliveries.stop()
    item_id = await rig.say(session_id, "hi")
    await host.disconnect()
    await rig.run(lambda: Outbox.objects.update(deadline=timezone.now() - timedelta(seconds=1)))
    await rig.door.restart()
    session_pk = await rig.run(lambda: Outbox.objects.get().session_id)
    rig.process.deliveries.ring((str(session_pk),))
    await asyncio.wait([one for one in asyncio.all_tasks() if one.get_name() == f"deliver-{session_pk}"])
    assert await rig.status(session_id) == "running"

    await host.connect()

    await rig.delivered(session_id)
    assert host.runner.messages == [item_id]


async def test_a_message_to_a_host_that_does_not_come_back_fails(
    short: Settings, rig: Rig, host: FakeHost
) -> None:
    session_id = await rig.hosted(host)
    await rig.process.deliveries.stop()
    item_id = await rig.say(session_id, "hi")
    await host.disconnect()
    await rig.door.restart()

    error = (await rig.becomes(session_id, "failed"))["last_task_error"]

    assert (error["code"], error["item_id"]) == ("host_offline", item_id)

    async def is_settled() -> bool:
        return await rig.run(Outbox.objects.count) == 0

    await eventually(is_settled)
