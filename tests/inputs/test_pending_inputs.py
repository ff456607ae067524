"""Messages to a program in a terminal: they are items when its transcript has them, or never will."""

import asyncio
from typing import Any

import pytest

from tests.error_shape import assert_error
from tests.factories import make_agent, make_child
from tests.inputs.fake_runner import REFUSE, FakeRunner, began, ended, turn
from tests.inputs.rig import Rig, said
from tests.inputs.waiting import eventually

KEY = "0123456789abcdef" * 2


async def native(rig: Rig, runner: FakeRunner, **fields: Any) -> str:
    """A session of a program in a terminal."""
    agent = await rig.run(make_agent, f"native-{runner.runner_id}", harness="claude-native")
    return await rig.bound(runner, agent=agent, **fields)


def reported(text: str, **more: Any) -> dict[str, Any]:
    """What a transcript tells of a user's message."""
    content = [{"type": "input_text", "text": text}]
    data = {"item_type": "message", "item_data": {"role": "user", "content": content}, **more}
    return {"type": "external_conversation_item", "data": data}


async def shown(rig: Rig, session_id: str) -> list[dict[str, Any]]:
    return [event["data"] for kind, event in await rig.log(session_id) if kind == "session.input.consumed"]


async def test_a_message_waits_for_the_transcript(rig: Rig, runner: FakeRunner) -> None:
    session_id = await native(rig, runner)

    answer = (await rig.post(session_id, said("hello"))).json()
    await rig.delivered(session_id)

    assert answer["queued"] is True
    content = [{"type": "input_text", "text": "hello"}]
    snapshot = await rig.snapshot(session_id)
    assert snapshot["pending_inputs"] == [{"pending_id": answer["pending_id"], "content": content}]
    assert (snapshot["status"], snapshot["title"]) == ("running", "hello")
    assert await rig.items(session_id) == []
    assert await shown(rig, session_id) == []
    [told] = runner.taken
    assert (told["pending_id"], told["content"]) == (answer["pending_id"], content)
    assert "persisted_item_id" not in told


async def test_the_report_of_a_message_makes_it_the_promised_item(rig: Rig, runner: FakeRunner) -> None:
    session_id = await native(rig, runner)
    answer = (await rig.post(session_id, said("hello\n there"))).json()

    report = reported("hello there", pending_id=answer["pending_id"], source_id="u1", response_id="resp_1")
    taken = await rig.post(session_id, report)

    assert taken.json() == {"queued": False, "item_id": answer["item_id"]}
    [item] = await rig.items(session_id)
    assert (item["id"], item["response_id"], item["user_authored"]) == (answer["item_id"], "resp_1", True)
    assert item["content"] == [{"type": "input_text", "text": "hello\n there"}]
    [event] = await shown(rig, session_id)
    assert (event["item_id"], event["cleared_pending_id"]) == (answer["item_id"], answer["pending_id"])
    assert (await rig.snapshot(session_id))["pending_inputs"] == []


async def test_messages_become_items_in_the_order_of_the_transcript(rig: Rig, runner: FakeRunner) -> None:
    session_id = await native(rig, runner)
    one, two = [(await rig.post(session_id, said(text))).json() for text in ("one", "two")]
    waiting = (await rig.snapshot(session_id))["pending_inputs"]
    assert [row["pending_id"] for row in waiting] == [one["pending_id"], two["pending_id"]]

    await rig.post(session_id, reported("two", pending_id=two["pending_id"], source_id="u1"))
    await rig.post(session_id, reported("one", pending_id=one["pending_id"], source_id="u2"))

    assert [item["id"] for item in await rig.items(session_id)] == [two["item_id"], one["item_id"]]


async def test_a_report_that_is_repeated_stores_nothing(rig: Rig, runner: FakeRunner) -> None:
    session_id = await native(rig, runner)
    answer = (await rig.post(session_id, said("hello"))).json()
    report = reported("hello", pending_id=answer["pending_id"], source_id="u1")

    answers = await asyncio.gather(*(rig.post(session_id, report) for _ in range(8)))

    assert {(each.status_code, each.json()["item_id"]) for each in answers} == {(202, answer["item_id"])}
    assert len(await rig.items(session_id)) == len(await shown(rig, session_id)) == 1


async def test_a_report_without_a_name_is_matched_by_its_text(rig: Rig, runner: FakeRunner) -> None:
    session_id = await native(rig, runner)
    answers = [(await rig.post(session_id, said("the same"))).json() for _ in range(2)]

    await rig.post(session_id, reported("something else", source_id="u1"))
    await rig.post(session_id, reported(" the  same", source_id="u2"))
    await rig.post(session_id, reported(" the  same", source_id="u2"))

    other, first = await rig.items(session_id)
    assert first["id"] == answers[0]["item_id"]
    assert other["id"] not in {answer["item_id"] for answer in answers}
    waiting = (await rig.snapshot(session_id))["pending_inputs"]
    assert [row["pending_id"] for row in waiting] == [answers[1]["pending_id"]]


async def test_a_report_of_a_name_that_nobody_gave_is_an_item_of_its_own(
    rig: Rig, runner: FakeRunner
) -> None:
    session_id = await native(rig, runner)
    answer = (await rig.post(session_id, said("hello"))).json()

    await rig.post(session_id, reported("hello", pending_id="pending_unknown", source_id="u1"))

    [item] = await rig.items(session_id)
    assert item["id"] != answer["item_id"]
    assert [row["pending_id"] for row in (await rig.snapshot(session_id))["pending_inputs"]] == [
        answer["pending_id"]
    ]


async def test_another_sessions_message_is_not_claimed(rig: Rig, runner: FakeRunner) -> None:
    session_id = await native(rig, runner)
    other = await rig.bound(runner)
    answer = (await rig.post(session_id, said("hello"))).json()
    report = reported("hello", pending_id=answer["pending_id"], source_id="u1")

    await rig.post(other, report)
    await rig.post(session_id, report)
    await rig.post(other, {**report, "data": {**report["data"], "source_id": "u2"}})

    assert [item["id"] for item in await rig.items(session_id)] == [answer["item_id"]]
    assert answer["item_id"] not in [item["id"] for item in await rig.items(other)]
    assert len(await rig.items(other)) == 2


@pytest.mark.parametrize("end", ["idle", "cancelled", "failed"])
async def test_what_no_transcript_brought_is_an_item_when_the_session_rests(
    rig: Rig, runner: FakeRunner, end: str
) -> None:
    session_id = await native(rig, runner)
    answer = (await rig.post(session_id, said("hello"))).json()
    await rig.delivered(session_id)

    if end == "failed":
        await runner.tell(session_id, *began("resp_1"), *ended("resp_1", "failed", "failed"))
    elif end == "cancelled":
        await runner.tell(session_id, *began("resp_1"), *ended("resp_1", "cancelled", "idle"))
    else:
        await runner.tell(session_id, *turn("resp_1", "done"))
    await rig.becomes(session_id, "failed" if end == "failed" else "idle")

    stored = {item["id"]: place for place, item in enumerate(await rig.items(session_id))}
    [event] = await shown(rig, session_id)
    assert event["cleared_pending_id"] == answer["pending_id"]
    assert (await rig.snapshot(session_id))["pending_inputs"] == []
    late = await rig.post(session_id, reported("hello", pending_id=answer["pending_id"], source_id="u1"))
    assert late.json()["item_id"] == answer["item_id"]
    assert {item["id"] for item in await rig.items(session_id)} == set(stored)
    if end == "failed":
        assert [item["type"] for item in await rig.items(session_id)] == ["message", "error"]


async def test_a_message_that_is_refused_is_kept_as_an_item(rig: Rig, runner: FakeRunner) -> None:
    session_id = await native(rig, runner)
    runner.plan.append(REFUSE)

    answer = (await rig.post(session_id, said("hello"))).json()
    snapshot = await rig.becomes(session_id, "failed")

    assert snapshot["last_task_error"]["item_id"] == answer["item_id"]
    assert snapshot["pending_inputs"] == []
    assert [item["type"] for item in await rig.items(session_id)] == ["message", "error"]


async def test_a_message_that_is_still_to_come_stays_pending_when_the_turn_ends(
    rig: Rig, runner: FakeRunner
) -> None:
    session_id = await native(rig, runner)
    first = (await rig.post(session_id, said("one"))).json()
    await rig.delivered(session_id)
    await rig.post(session_id, reported("one", pending_id=first["pending_id"], source_id="u1"))
    runner.gate.clear()
    second = (await rig.post(session_id, said("two"))).json()

    await runner.tell(session_id, *turn("resp_1", "done"))

    async def has_ended() -> bool:
        return "response.completed" in await rig.log_types(session_id)

    await eventually(has_ended, "the first turn is over")
    waiting = (await rig.snapshot(session_id))["pending_inputs"]
    assert [row["pending_id"] for row in waiting] == [second["pending_id"]]
    runner.gate.set()
    await rig.delivered(session_id)
    assert [told["pending_id"] for told in runner.taken] == [first["pending_id"], second["pending_id"]]


async def test_a_message_is_pending_and_reported_across_a_restart(rig: Rig, runner: FakeRunner) -> None:
    session_id = await native(rig, runner)
    answer = (await rig.post(session_id, said("hello"), key="k")).json()
    await rig.delivered(session_id)

    await rig.door.restart()

    again = await rig.post(session_id, said("hello"), key="k")
    assert again.json() == answer
    assert len((await rig.snapshot(session_id))["pending_inputs"]) == 1
    await rig.post(session_id, reported("hello", pending_id=answer["pending_id"], source_id="u1"))
    assert [item["id"] for item in await rig.items(session_id)] == [answer["item_id"]]


async def test_a_stable_id_is_the_same_message_before_and_after_its_report(
    rig: Rig, runner: FakeRunner
) -> None:
    session_id = await native(rig, runner)
    body = said("hello", stable_id=KEY)

    answers = await asyncio.gather(*(rig.post(session_id, body) for _ in range(5)))
    first = answers[0].json()
    await rig.post(session_id, reported("hello", pending_id=first["pending_id"], source_id="u1"))
    answers.append(await rig.post(session_id, body))

    assert [answer.json() for answer in answers] == [first] * 6
    await rig.delivered(session_id)
    assert len(runner.taken) == 1
    other = await rig.post(session_id, said("another", stable_id=KEY))
    assert_error(other, 422, "idempotency_mismatch")


async def test_a_native_sub_agents_message_is_an_item_at_once(rig: Rig, runner: FakeRunner) -> None:
    session_id = await native(rig, runner)

    def child() -> str:
        from_parent = make_child(parent, "helper:one", runner_id=runner.runner_id)
        return from_parent.public_id

    parent = await rig.row(session_id)
    child_id = await rig.run(child)

    answer = (await rig.post(child_id, said("hello"))).json()

    assert "pending_id" not in answer
    assert [item["id"] for item in await rig.items(child_id)] == [answer["item_id"]]


async def test_a_deleted_session_leaves_nothing_pending(rig: Rig, runner: FakeRunner) -> None:
    session_id = await native(rig, runner)
    answer = (await rig.post(session_id, said("hello"))).json()

    assert (await rig.http.delete(f"/v1/sessions/{session_id}")).status_code == 200

    report = reported("hello", pending_id=answer["pending_id"], source_id="u1")
    assert_error(await rig.post(session_id, report), 404, "not_found")


async def test_an_idle_edge_that_is_told_elsewhere_leaves_no_bubble(rig: Rig, runner: FakeRunner) -> None:
    session_id = await native(rig, runner)
    answer = (await rig.post(session_id, said("hello"))).json()
    await rig.delivered(session_id)

    await rig.post(session_id, {"type": "external_session_status", "data": {"status": "idle"}})

    assert [item["id"] for item in await rig.items(session_id)] == [answer["item_id"]]
