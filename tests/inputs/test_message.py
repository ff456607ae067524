"""A person's message: what is stored, what is shown, what is answered."""

import asyncio
from typing import Any

import pytest

from sessions_app.models import Host, Item, Outbox, Session, SessionLabel
from tests.error_shape import assert_error
from tests.factories import make_child, make_session
from tests.inputs.fake_host import FakeHost
from tests.inputs.fake_runner import FakeRunner, began, ended, turn
from tests.inputs.rig import Rig, said
from tests.inputs.waiting import eventually

KEY = "0123456789abcdef" * 2


async def test_a_message_without_a_runner_is_refused_and_not_stored(rig: Rig) -> None:
    session_id = await rig.session()
    before = await rig.counts()

    answer = await rig.post(session_id, said("hi", stable_id=KEY), key="k")

    assert_error(answer, 503, "runner_unavailable", "No runner bound for session")
    assert await rig.counts() == before
    assert await rig.status(session_id) == "idle"
    assert (await rig.snapshot(session_id))["title"] is None


async def test_a_message_to_a_runner_that_has_gone_is_refused(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await runner.disconnect()
    before = await rig.counts()

    assert_error(await rig.post(session_id, said("hi")), 503, "runner_unavailable")

    assert await rig.counts() == before


async def test_a_message_to_a_host_that_has_gone_is_refused(rig: Rig, host: FakeHost) -> None:
    session_id = await rig.hosted(host)
    await host.disconnect()
    before = await rig.counts()

    assert_error(await rig.post(session_id, said("hi")), 503, "runner_unavailable")

    assert await rig.counts() == before
    assert await rig.run(Host.objects.count) == 1


async def test_a_message_is_shown_before_its_turn_runs(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    item_id = await rig.say(session_id, "hello")

    log = await rig.log(session_id)
    kinds = [kind for kind, _ in log]
    assert kinds == ["session.title", "session.input.consumed", "session.status"]
    assert log[1][1]["data"] == {
        "item_id": item_id,
        "type": "message",
        "data": {
            "role": "user",
            "content": [{"type": "input_text", "text": "hello"}],
            "agent": None,
            "user_authored": True,
            "stream_message_id": None,
        },
        "created_by": None,
        "cleared_pending_id": None,
    }
    assert log[2][1]["status"] == "running"
    [item] = await rig.items(session_id)
    assert item["id"] == item_id
    assert item["response_id"].startswith("turn_")


async def test_what_the_runner_is_told(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner, reasoning_effort="high", model_override="column")
    tool = {"name": "look", "parameters": {"type": "object"}}

    first = await rig.post(session_id, said("hello"))
    second = await rig.post(session_id, {**said("more"), "model_override": "event", "tools": [tool]})
    await rig.delivered(session_id)

    agent = (await rig.snapshot(session_id))["agent_id"]
    one, two = runner.taken
    assert one == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "hello"}],
        "agent_id": agent,
        "model": one["model"],
        "persisted_item_id": first.json()["item_id"],
        "has_mcp_servers": False,
        "browser_renderer_available": False,
        "model_override": "column",
        "reasoning": {"effort": "high"},
    }
    assert two["persisted_item_id"] == second.json()["item_id"]
    assert (two["model_override"], two["tools"]) == ("event", [tool])
    assert (await rig.snapshot(session_id))["model_override"] == "column"
    assert runner.opened == [session_id]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        pytest.param("  two\n\n words\t", "two words", id="collapsed"),
        pytest.param("x" * 60, "x" * 60, id="fits"),
        pytest.param("x" * 61, "x" * 59 + "…", id="cut"),
        pytest.param("word " * 20, ("word " * 20)[:59].rstrip() + "…", id="cut at a blank"),
        pytest.param(" \n\t", None, id="blank"),
        pytest.param("", None, id="empty"),
    ],
)
async def test_the_first_text_names_the_session(
    rig: Rig, runner: FakeRunner, text: str, title: str | None
) -> None:
    session_id = await rig.bound(runner)

    await rig.say(session_id, text)
    shown = await rig.snapshot(session_id)

    assert shown["title"] == title
    events = [event["title"] for kind, event in await rig.log(session_id) if kind == "session.title"]
    assert events == ([title] if title else [])


async def test_a_title_is_seeded_once(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.post(session_id, said("", content=[]))

    await rig.say(session_id, "first words")
    await rig.say(session_id, "second words")

    assert (await rig.snapshot(session_id))["title"] == "first words"
    assert (await rig.log_types(session_id)).count("session.title") == 1


async def test_a_given_title_stays(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner, title="mine")

    await rig.say(session_id, "words")

    assert (await rig.snapshot(session_id))["title"] == "mine"


async def test_a_sub_agent_is_not_renamed_by_what_it_is_told(rig: Rig, runner: FakeRunner) -> None:
    """Its siblings' titles are taken: a seeded one could clash."""
    await rig.known(runner)

    def family() -> tuple[str, str]:
        parent = make_session(runner_id=runner.runner_id)
        make_child(parent, "words", runner_id=runner.runner_id)
        return parent.public_id, make_child(parent, "", runner_id=runner.runner_id).public_id

    _, child_id = await rig.run(family)

    answer = await rig.post(child_id, said("words"))

    assert answer.status_code == 202
    assert (await rig.row(child_id)).title == ""


async def test_a_closed_sub_agent_takes_no_message(rig: Rig, runner: FakeRunner) -> None:
    await rig.known(runner)

    def closed_child() -> str:
        child = make_child(make_session(), "a:b", runner_id=runner.runner_id)
        SessionLabel.objects.create(session=child, key="omnigent.closed", value="true")
        return child.public_id

    child_id = await rig.run(closed_child)

    message = "Session is closed. Start a new sub-agent session to continue."
    assert_error(await rig.post(child_id, said("hi")), 409, "conflict", message)
    assert (await rig.post(child_id, {"type": "interrupt"})).status_code == 202


async def test_an_archived_session_takes_messages(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner, archived=True)

    assert (await rig.post(session_id, said("hi"))).status_code == 202


async def test_an_assistant_message_is_stored_without_a_turn(rig: Rig) -> None:
    session_id = await rig.session()
    content = [{"type": "output_text", "text": "done"}]

    answer = await rig.post(
        session_id, {"type": "message", "data": {"role": "assistant", "agent": "helper", "content": content}}
    )

    assert answer.status_code == 202
    assert answer.json()["queued"] is True
    [item] = await rig.items(session_id)
    assert (item["id"], item["role"], item["model"]) == (answer.json()["item_id"], "assistant", "helper")
    assert await rig.log_types(session_id) == ["response.output_item.done"]
    assert await rig.status(session_id) == "idle"


async def test_the_same_stable_id_is_the_same_message(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    first = await rig.post(session_id, said("once", stable_id=KEY))
    second = await rig.post(session_id, said("once", stable_id=KEY))

    assert second.json() == first.json()
    await rig.delivered(session_id)
    assert runner.messages == [first.json()["item_id"]]
    assert len(await rig.items(session_id)) == 1


async def test_a_stable_id_is_remembered_after_its_turn_and_without_a_runner(
    rig: Rig, runner: FakeRunner
) -> None:
    session_id = await rig.bound(runner)
    first = await rig.post(session_id, said("once", stable_id=KEY))
    await rig.delivered(session_id)
    await runner.tell(session_id, *turn("resp_1", "a"))
    await rig.becomes(session_id, "idle")
    await runner.disconnect()

    second = await rig.post(session_id, said("once", stable_id=KEY))

    assert (second.status_code, second.json()) == (202, first.json())
    assert await rig.status(session_id) == "idle"


async def test_another_message_under_a_stable_id_is_a_mismatch(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.post(session_id, said("once", stable_id=KEY))
    before = await rig.counts()

    answer = await rig.post(session_id, said("twice", stable_id=KEY))

    assert_error(answer, 422, "idempotency_mismatch")
    assert (await rig.counts())[0] == before[0]


async def test_ten_posts_with_one_stable_id_make_one_item(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    answers = await asyncio.gather(*(rig.post(session_id, said("once", stable_id=KEY)) for _ in range(10)))

    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["item_id"] for answer in answers}) == 1
    await rig.delivered(session_id)
    assert len(runner.posted) == 1
    assert (await rig.log_types(session_id)).count("session.input.consumed") == 1


async def test_a_stable_id_belongs_to_its_session(rig: Rig, runner: FakeRunner) -> None:
    one, two = await rig.bound(runner), await rig.bound(runner)

    answers = [await rig.post(session_id, said("x", stable_id=KEY)) for session_id in (one, two)]

    assert len({answer.json()["item_id"] for answer in answers}) == 2


async def test_parallel_posts_leave_no_gap(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    answers = await asyncio.gather(*(rig.post(session_id, said(str(number))) for number in range(30)))

    acknowledged = {answer.json()["item_id"] for answer in answers}
    assert len(acknowledged) == 30
    order = [item["id"] for item in await rig.items(session_id)]
    assert set(order) == acknowledged
    positions = await rig.run(
        lambda: list(Item.objects.order_by("position").values_list("position", flat=True))
    )
    assert positions == list(range(1, 31))
    await rig.delivered(session_id)
    assert runner.messages == order
    shown = [event["data"]["item_id"] for kind, event in await rig.log(session_id) if "consumed" in kind]
    assert shown == order
    assert (await rig.log_types(session_id)).count("session.status") == 1


async def test_a_message_to_a_failed_session_clears_the_failure(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "fail")
    await rig.delivered(session_id)
    await runner.tell(session_id, *began("resp_1"), *ended("resp_1", "failed", "failed"))
    assert (await rig.becomes(session_id, "failed"))["last_task_error"] is not None

    await rig.say(session_id, "again")

    shown = await rig.snapshot(session_id)
    assert (shown["status"], shown["last_task_error"]) == ("running", None)
    await rig.delivered(session_id)
    await runner.tell(session_id, *turn("resp_2", "fine"))
    await rig.becomes(session_id, "idle")


async def test_a_message_in_a_deleted_session_is_not_found(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    await rig.say(session_id, "hi")
    await rig.http.delete(f"/v1/sessions/{session_id}")

    assert_error(await rig.post(session_id, said("hi")), 404, "not_found", "Session not found")
    assert await rig.run(Outbox.objects.count) == 0


async def test_deleting_while_messages_arrive_leaves_nothing(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    async def delete() -> Any:
        return await rig.http.delete(f"/v1/sessions/{session_id}")

    answers = await asyncio.gather(*(rig.post(session_id, said("x")) for _ in range(6)), delete())

    assert {answer.status_code for answer in answers[:-1]} <= {202, 404}
    assert answers[-1].status_code == 200

    async def is_gone() -> bool:
        return await rig.run(
            lambda: Session.objects.count() + Item.objects.count() + Outbox.objects.count() == 0
        )

    await eventually(is_gone, "nothing of the session is left")
