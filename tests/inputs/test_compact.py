"""The `compact` event: a summary takes the place of old items when a history is loaded; nothing is lost."""

from datetime import timedelta

from django.utils import timezone

from omnigent.protocol import items
from sessions_app.models import Session
from sessions_app.services import compaction
from tests.error_shape import assert_error
from tests.factories import add_item, agent_said, make_session, user_said
from tests.inputs.fake_runner import FakeRunner
from tests.inputs.rig import Rig
from tests.inputs.waiting import until

COMPACT = {"type": "compact", "data": {}}


async def talked(rig: Rig, runner: FakeRunner, *lines: str) -> str:
    """A session in which user and agent have said these lines in turn."""
    session_id = await rig.bound(runner)

    def talk() -> None:
        session = Session.objects.get(public_id=session_id)
        for place, line in enumerate(lines):
            (agent_said if place % 2 else user_said)(session, line)

    await rig.run(talk)
    return session_id


async def kinds(rig: Rig, session_id: str) -> list[str]:
    return [kind for kind, _ in await rig.log(session_id)]


async def test_a_summary_stands_for_all_but_the_last_exchange(rig: Rig, runner: FakeRunner) -> None:
    session_id = await talked(rig, runner, "one", "two", "three", "four")
    before = await rig.items(session_id)

    answer = await rig.post(session_id, COMPACT)

    shown = await rig.items(session_id)
    assert (answer.status_code, answer.json()) == (202, {"queued": False})
    assert shown[:-1] == before
    assert (shown[-1]["type"], shown[-1]["summary"]) == ("compaction", "In short.")
    assert (shown[-1]["last_item_id"], shown[-1]["token_count"]) == (before[1]["id"], 3)
    assert await kinds(rig, session_id) == [
        "response.compaction.in_progress",
        "response.output_item.done",
        "response.compaction.completed",
    ]
    assert (await rig.snapshot(session_id))["status"] == "idle"


async def test_the_model_is_shown_what_it_summarises(rig: Rig, runner: FakeRunner) -> None:
    session_id = await talked(rig, runner, "one", "two", "three")

    await rig.post(session_id, COMPACT)

    [asked] = runner.asked_to_summarise
    said = [(message["role"], message["content"]) for message in asked["messages"]]
    assert said[:2] == [("user", "one"), ("assistant", "two")]
    assert said[2][0] == "user" and said[2][1].startswith("Summarise the conversation so far")
    assert (asked["session_id"], len(said)) == (session_id, 3)


async def test_the_next_summary_goes_on_from_the_last(rig: Rig, runner: FakeRunner) -> None:
    session_id = await talked(rig, runner, "one", "two", "three", "four")
    await rig.post(session_id, COMPACT)

    def more() -> None:
        session = Session.objects.get(public_id=session_id)
        user_said(session, "five")

    await rig.run(more)
    await rig.post(session_id, COMPACT)

    said = [message["content"] for message in runner.asked_to_summarise[1]["messages"]]
    assert "In short." in said[0]
    assert said[1:3] == ["three", "four"]
    shown = await rig.items(session_id)
    assert [item["type"] for item in shown].count("compaction") == 2
    assert shown[-1]["last_item_id"] == shown[3]["id"]


async def test_one_exchange_is_left_as_it_is(rig: Rig, runner: FakeRunner) -> None:
    session_id = await talked(rig, runner, "one", "two")

    answer = await rig.post(session_id, COMPACT)

    assert answer.status_code == 202
    assert runner.asked_to_summarise == []
    assert (await kinds(rig, session_id))[-1] == "response.compaction.completed"
    assert len(await rig.items(session_id)) == 2


async def test_the_runner_forgets_its_longer_history(rig: Rig, runner: FakeRunner) -> None:
    session_id = await talked(rig, runner, "one", "two", "three")

    await rig.post(session_id, COMPACT)
    await rig.say(session_id, "go on")
    await until(lambda: bool(runner.messages), "the message is delivered")

    assert [body["type"] for body in runner.posted] == ["compact", "reset-state", "message"]


async def test_a_failing_model_changes_nothing(rig: Rig, runner: FakeRunner) -> None:
    session_id = await talked(rig, runner, "one", "two", "three")
    runner.summary = (502, {"error": "rate_limited", "detail": "Too many requests"})

    answer = await rig.post(session_id, COMPACT)

    assert_error(answer, 500, "internal_error")
    assert "Too many requests" in answer.json()["error"]["message"]
    assert (await kinds(rig, session_id))[-1] == "response.compaction.failed"
    assert len(await rig.items(session_id)) == 3


async def test_a_failed_attempt_may_be_repeated_under_its_key(rig: Rig, runner: FakeRunner) -> None:
    session_id = await talked(rig, runner, "one", "two", "three")
    runner.summary = (200, {"nothing": True})
    await rig.post(session_id, COMPACT, key="k")
    runner.summary = (200, {"text": "Short."})

    again = await rig.post(session_id, COMPACT, key="k")
    replayed = await rig.post(session_id, COMPACT, key="k")

    assert (again.status_code, replayed.status_code) == (202, 202)
    assert len(runner.asked_to_summarise) == 2


async def test_a_running_turn_is_in_the_way(rig: Rig, runner: FakeRunner) -> None:
    session_id = await talked(rig, runner, "one", "two")
    await rig.say(session_id, "three")

    assert_error(await rig.post(session_id, COMPACT), 409, "conflict")


async def test_nobody_to_ask_is_503_and_nothing_is_shown(rig: Rig) -> None:
    session_id = (await rig.run(make_session)).public_id

    assert_error(await rig.post(session_id, COMPACT), 503, "runner_unavailable")
    assert await rig.log(session_id) == []


async def test_what_a_dead_server_began_is_failed(rig: Rig, runner: FakeRunner) -> None:
    session_id = await talked(rig, runner, "one")

    def begun() -> None:
        late = timezone.now() - timedelta(seconds=1)
        Session.objects.filter(public_id=session_id).update(compacting_until=late)

    await rig.run(begun)
    assert await rig.run(compaction.expire) == 1
    assert await rig.run(compaction.expire) == 0
    assert await kinds(rig, session_id) == ["response.compaction.failed"]


async def test_tool_calls_are_told_in_words(rig: Rig, runner: FakeRunner) -> None:
    session_id = await talked(rig, runner, "one")

    def call() -> None:
        session = Session.objects.get(public_id=session_id)
        add_item(session, items.FunctionCall(name="ls", arguments='{"a":1}', call_id="c", agent="x"))
        add_item(session, items.FunctionCallOutput(call_id="c", output="y" * 5000))
        user_said(session, "next")

    await rig.run(call)
    await rig.post(session_id, COMPACT)

    said = [message["content"] for message in runner.asked_to_summarise[0]["messages"]]
    assert said[1] == '[calls ls] {"a":1}'
    assert said[2].startswith("[the tool answered] yyy") and len(said[2]) < 2100
