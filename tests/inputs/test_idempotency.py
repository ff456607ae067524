"""Idempotency-Key on posted events."""

import asyncio

import pytest
from django.utils import timezone

from sessions_app.models import Outbox, Receipt
from tests.error_shape import assert_error
from tests.inputs.fake_host import FakeHost
from tests.inputs.fake_runner import FakeRunner
from tests.inputs.rig import Rig, said


async def test_a_repeat_gets_the_first_answer(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    first = await rig.post(session_id, said("hi"), key="k")

    second = await rig.post(session_id, said("hi"), key="k")

    assert (second.status_code, second.json()) == (202, first.json())
    await rig.delivered(session_id)
    assert len(runner.posted) == 1
    assert len(await rig.items(session_id)) == 1


async def test_a_repeat_is_answered_without_the_runner(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    first = await rig.post(session_id, said("hi"), key="k")
    await rig.delivered(session_id)
    await runner.disconnect()

    second = await rig.post(session_id, said("hi"), key="k")

    assert (second.status_code, second.json()) == (202, first.json())


async def test_another_body_is_a_mismatch(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.post(session_id, said("hi"), key="k")
    await rig.delivered(session_id)
    before = await rig.counts()

    assert_error(await rig.post(session_id, said("ho"), key="k"), 422, "idempotency_mismatch")
    assert_error(await rig.post(session_id, [said("hi")], key="k"), 422, "idempotency_mismatch")

    assert await rig.counts() == before


async def test_another_session_is_a_mismatch(rig: Rig, runner: FakeRunner) -> None:
    one, two = await rig.bound(runner), await rig.bound(runner)
    await rig.post(one, said("hi"), key="k")

    assert_error(await rig.post(two, said("hi"), key="k"), 422, "idempotency_mismatch")
    assert await rig.items(two) == []


async def test_one_under_way_is_not_taken_twice(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.post(session_id, said("hi"), key="k")
    await rig.run(lambda: Receipt.objects.update(status=None, created_at=timezone.now()))

    answer = await rig.post(session_id, said("hi"), key="k")

    assert_error(answer, 409, "idempotency_in_flight")
    assert answer.headers["retry-after"] == "1"
    assert len(await rig.items(session_id)) == 1


async def test_twenty_at_once_make_one_item(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    answers = await asyncio.gather(*(rig.post(session_id, said("hi"), key="k") for _ in range(20)))

    assert {answer.status_code for answer in answers} <= {202, 409}
    assert len({answer.content for answer in answers if answer.status_code == 202}) == 1
    await rig.delivered(session_id)
    assert len(runner.posted) == 1
    assert len(await rig.items(session_id)) == 1


async def test_a_refused_message_may_be_sent_again(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.session()
    assert_error(await rig.post(session_id, said("hi"), key="k"), 503, "runner_unavailable")
    await rig.known(runner)
    await rig.http.patch(f"/v1/sessions/{session_id}", json={"runner_id": runner.runner_id})

    answer = await rig.post(session_id, said("hi"), key="k")

    assert answer.status_code == 202
    await rig.delivered(session_id)
    assert runner.messages == [answer.json()["item_id"]]


async def test_a_repeated_batch_is_answered_as_before(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    batch = [said("one"), {"type": "interrupt"}, said("two")]
    first = await rig.post(session_id, batch, key="k")

    second = await rig.post(session_id, batch, key="k")

    assert second.json() == first.json()
    await rig.delivered(session_id)
    assert runner.kinds() == ["message", "interrupt", "message"]


async def test_a_batch_goes_on_where_it_broke_off(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.session()
    note = {"type": "external_assistant_message", "data": {"agent": "a", "text": "t"}}
    batch = [note, said("needs a runner")]
    assert_error(await rig.post(session_id, batch, key="k"), 503, "runner_unavailable")
    await rig.known(runner)
    await rig.http.patch(f"/v1/sessions/{session_id}", json={"runner_id": runner.runner_id})

    answer = await rig.post(session_id, batch, key="k")

    assert answer.status_code == 202
    assert [item["id"] for item in await rig.items(session_id)] == [one["item_id"] for one in answer.json()]


async def test_a_single_event_under_a_batch_key_is_a_mismatch(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.post(session_id, [said("one"), said("two")], key="k")

    assert_error(await rig.post(session_id, said("one"), key="k"), 422, "idempotency_mismatch")


async def test_a_key_of_full_length_fits_a_batch(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    batch = [said("one"), said("two")]

    first = await rig.post(session_id, batch, key="k" * 255)
    second = await rig.post(session_id, batch, key="k" * 255)

    assert first.status_code == 202
    assert second.json() == first.json()


@pytest.mark.parametrize("key", ["", "a b", "x" * 256, "ä", "a\tb"])
async def test_an_odd_key_is_refused(rig: Rig, runner: FakeRunner, key: str) -> None:
    session_id = await rig.bound(runner)
    answer = await rig.http.post(
        f"/v1/sessions/{session_id}/events",
        json=said("hi"),
        headers={"Idempotency-Key": key.encode("latin-1")},
    )

    assert_error(answer, 400, "invalid_input")
    assert await rig.items(session_id) == []


async def test_two_keys_are_refused(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]

    answer = await rig.http.post(f"/v1/sessions/{session_id}/events", json=said("hi"), headers=headers)

    assert_error(answer, 400, "invalid_input")


async def test_a_repeated_interrupt_is_shown_once(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "hi")
    await rig.delivered(session_id)

    for _ in range(3):
        assert (await rig.post(session_id, {"type": "interrupt"}, key="k")).json() == {"queued": False}

    await rig.delivered(session_id)
    assert runner.kinds() == ["message", "interrupt"]
    assert (await rig.log_types(session_id)).count("session.interrupted") == 1


async def test_a_stop_that_could_not_be_confirmed_is_done_again(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)
    await rig.say(session_id, "hi")
    await rig.delivered(session_id)
    host.can_stop = False
    assert_error(await rig.post(session_id, {"type": "stop_session"}, key="k"), 503, "runner_unavailable")
    host.can_stop = True

    answer = await rig.post(session_id, {"type": "stop_session"}, key="k")

    assert (answer.status_code, answer.json()) == (202, {"queued": False})
    assert len(host.stopped) == 2
    assert await rig.status(session_id) == "idle"
    assert await rig.run(Outbox.objects.count) == 0
