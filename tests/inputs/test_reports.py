"""Reports of what happens elsewhere: status, usage, plans, titles, models, and arrays of them."""

from typing import Any

import pytest

from sessions_app.models import Session
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_child
from tests.inputs.fake_runner import FakeRunner
from tests.inputs.rig import Rig, said


def report(kind: str, **data: Any) -> dict[str, Any]:
    """One report."""
    return {"type": f"external_{kind}", "data": data}


async def send(rig: Rig, session_id: str, kind: str, **data: Any) -> dict[str, Any]:
    """Post a report that must be taken; its answer."""
    answer = await rig.post(session_id, report(kind, **data))
    assert answer.status_code == 202, answer.text
    return dict(answer.json())


async def shown(rig: Rig, session_id: str, kind: str) -> list[dict[str, Any]]:
    """The events of a type in the log."""
    return [event for name, event in await rig.log(session_id) if name == kind]


# -- status ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["idle", "running", "waiting", "failed"])
async def test_a_status_from_elsewhere_is_the_sessions(rig: Rig, word: str) -> None:
    session_id = await rig.session()

    assert await send(rig, session_id, "session_status", status=word) == {"queued": False}

    assert await rig.status(session_id) == word
    [event] = await shown(rig, session_id, "session.status")
    assert (event["status"], event["conversation_id"]) == (word, session_id)


async def test_a_failure_from_elsewhere_says_why(rig: Rig) -> None:
    session_id = await rig.session()
    await send(rig, session_id, "session_status", status="running")

    await send(rig, session_id, "session_status", status="failed", output="the tool crashed")

    error = (await rig.snapshot(session_id))["last_task_error"]
    assert error["message"] == "the tool crashed"
    edges = await shown(rig, session_id, "session.status")
    assert [edge["status"] for edge in edges] == ["running", "failed"]
    assert edges[-1]["error"]["message"] == "the tool crashed"
    await send(rig, session_id, "session_status", status="idle")
    assert await rig.status(session_id) == "failed"
    await send(rig, session_id, "session_status", status="running")
    assert (await rig.snapshot(session_id))["last_task_error"] is None


async def test_work_in_the_background_shows_until_the_next_edge(rig: Rig) -> None:
    session_id = await rig.session()
    tasks = [{"id": "bg_1", "command": "make"}]

    def background(snapshot: Any) -> tuple[Any, Any]:
        return snapshot["background_task_count"], snapshot["background_tasks"]

    assert background(await rig.snapshot(session_id)) == (None, None)
    await send(rig, session_id, "session_status", status="running")
    for count in (1, 2):
        more = {"background_task_count": count, "background_tasks": tasks}
        await send(rig, session_id, "session_status", status="running", **more)
        assert background(await rig.snapshot(session_id)) == (count, tasks)
    counts = [edge["background_task_count"] for edge in await shown(rig, session_id, "session.status")]
    assert counts == [None, 1, 2]
    await send(rig, session_id, "session_status", status="idle")
    assert background(await rig.snapshot(session_id)) == (None, None)


async def test_a_turn_elsewhere_is_one_that_has_run(rig: Rig) -> None:
    parent_id = await rig.session()
    child_id = await rig.run(lambda: make_child(Session.objects.get(public_id=parent_id), "a:b").public_id)

    async def task() -> Any:
        answer = await rig.http.get(f"/v1/sessions/{parent_id}/child_sessions")
        return answer.json()["data"][0]["current_task_status"]

    seen = [await task()]
    for word in ("running", "waiting", "idle"):
        await send(rig, child_id, "session_status", status=word)
        seen.append(await task())
    assert seen == [None, "in_progress", "in_progress", "completed"]


async def test_an_interrupt_from_elsewhere_is_shown(rig: Rig) -> None:
    session_id = await rig.session()

    await send(rig, session_id, "session_interrupted", response_id="resp_9")

    [event] = await shown(rig, session_id, "session.interrupted")
    assert event["data"]["response_id"] == "resp_9"
    assert event["data"]["requested_at"] > 0


# -- usage -----------------------------------------------------------------------------------------------


async def test_totals_are_set_and_never_shrink(rig: Rig) -> None:
    session_id = await rig.session()
    totals = {"cumulative_input_tokens": 100, "cumulative_output_tokens": 40, "cumulative_cost_usd": 1.5}
    await send(rig, session_id, "session_usage", model="m", context_tokens=70, context_window=1000, **totals)

    smaller = {"cumulative_input_tokens": 10, "cumulative_output_tokens": 50, "cumulative_cost_usd": 0.5}
    await send(rig, session_id, "session_usage", model="m", context_tokens=20, **smaller)

    snapshot = await rig.snapshot(session_id)
    bucket = snapshot["usage_by_model"]["m"]
    assert (bucket["input_tokens"], bucket["output_tokens"], bucket["total_tokens"]) == (100, 50, 150)
    assert bucket["total_cost_usd"] == snapshot["total_cost_usd"] == 1.5
    assert (snapshot["last_total_tokens"], snapshot["context_window"]) == (20, 1000)
    assert [event["total_cost_usd"] for event in await shown(rig, session_id, "session.usage")] == [1.5, 1.5]


async def test_growth_belongs_to_the_model_that_is_named(rig: Rig) -> None:
    session_id = await rig.session()
    await send(rig, session_id, "session_usage", model="one", cumulative_input_tokens=10)

    await send(rig, session_id, "session_usage", model="two", cumulative_input_tokens=25)

    usage = (await rig.snapshot(session_id))["usage_by_model"]
    assert {name: bucket["input_tokens"] for name, bucket in usage.items()} == {"one": 10, "two": 15}


# -- plans, titles, models -------------------------------------------------------------------------------


async def test_a_plan_is_shown_and_kept(rig: Rig) -> None:
    session_id = await rig.session()
    assert (await rig.snapshot(session_id))["todos"] is None
    plan = [{"content": "Look", "status": "in_progress", "activeForm": "Looking"}, {"content": "ü\n"}]

    for todos in (plan, []):
        await send(rig, session_id, "session_todos", todos=todos)
        assert (await rig.snapshot(session_id))["todos"] == todos
    assert [event["todos"] for event in await shown(rig, session_id, "session.todos")] == [plan, []]


async def test_a_title_from_elsewhere(rig: Rig) -> None:
    parent_id = await rig.session()
    child_id = await rig.run(lambda: make_child(Session.objects.get(public_id=parent_id), "a:b").public_id)

    for session_id in (parent_id, child_id):
        await send(rig, session_id, "session_title", title="  New name ")

    assert (await rig.snapshot(parent_id))["title"] == "New name"
    assert (await rig.snapshot(child_id))["title"] == "a:b"
    assert [event["title"] for event in await shown(rig, parent_id, "session.title")] == ["New name"]
    assert await rig.log(child_id) == []


async def test_a_model_and_an_effort_from_elsewhere(rig: Rig) -> None:
    session_id = await rig.session()

    await send(rig, session_id, "model_change", model="big")
    await send(rig, session_id, "reasoning_effort_change", reasoning_effort="high")

    snapshot = await rig.snapshot(session_id)
    assert (snapshot["llm_model"], snapshot["reasoning_effort"]) == ("big", "high")
    assert (await shown(rig, session_id, "session.model"))[0]["model"] == "big"
    assert (await shown(rig, session_id, "session.reasoning_effort"))[0]["reasoning_effort"] == "high"


@pytest.mark.parametrize("word", ["in_progress", "completed", "failed"])
async def test_compaction_elsewhere_is_shown(rig: Rig, word: str) -> None:
    session_id = await rig.session()

    await send(rig, session_id, "compaction_status", status=word)

    assert await rig.log_types(session_id) == [f"response.compaction.{word}"]


async def test_thinking_and_tool_output_are_shown_and_not_stored(rig: Rig) -> None:
    session_id = await rig.session()

    await send(rig, session_id, "output_reasoning_delta", delta="Hm", started=True)
    await send(rig, session_id, "output_reasoning_delta", delta="m")
    await send(rig, session_id, "tool_output_delta", call_id="c", delta="out")

    assert await rig.log_types(session_id) == [
        "response.reasoning.started",
        "response.reasoning_text.delta",
        "response.reasoning_text.delta",
        "response.function_call_output.delta",
    ]
    assert await rig.items(session_id) == []


# -- arrays ----------------------------------------------------------------------------------------------


async def test_an_array_is_applied_in_order(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    batch = [
        report("session_status", status="running"),
        report("assistant_message", agent="a", text="one"),
        report("session_todos", todos=["x"]),
        report("assistant_message", agent="a", text="two"),
        report("session_status", status="idle"),
    ]

    answer = await rig.post(session_id, batch)

    answers = answer.json()
    assert answer.status_code == 202
    assert [sorted(one) for one in answers] == [
        ["queued"],
        ["item_id", "queued"],
        ["queued"],
        ["item_id", "queued"],
        ["queued"],
    ]
    assert [item["id"] for item in await rig.items(session_id)] == [
        answers[1]["item_id"],
        answers[3]["item_id"],
    ]
    assert await rig.log_types(session_id) == [
        "session.status",
        "response.output_item.done",
        "session.todos",
        "response.output_item.done",
        "session.status",
    ]


async def test_an_array_stops_at_the_first_that_is_refused(rig: Rig) -> None:
    session_id = await rig.session()
    batch = [
        report("session_title", title="first"),
        report("session_title", title=""),
        report("session_title", title="third"),
    ]

    assert_error(await rig.post(session_id, batch), 400, "invalid_input")

    assert (await rig.snapshot(session_id))["title"] == "first"
    assert await rig.log_types(session_id) == ["session.title"]


async def test_an_array_with_a_flawed_envelope_applies_nothing(rig: Rig) -> None:
    session_id = await rig.session()

    assert_invalid(await rig.post(session_id, [report("session_title", title="first"), 7]), "body", 1)

    assert await rig.log(session_id) == []


async def test_a_repeated_array_is_applied_once(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    batch = [
        said("go"),
        report("assistant_message", agent="a", text="one"),
        report("session_title", title="t"),
    ]

    answers = [await rig.post(session_id, batch, key="k") for _ in range(2)]

    assert answers[0].status_code == 202
    assert answers[0].json() == answers[1].json()
    assert len(await rig.items(session_id)) == 2
