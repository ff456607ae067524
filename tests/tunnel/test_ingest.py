"""From a runner's events to log, items and status: the sequences of the contract, and what breaks them."""

from typing import Any

import pytest

from sessions_app.models import Elicitation, Session, Turn
from tests.tunnel.feed import Feed
from tests.tunnel.script import (
    USAGE,
    call,
    item_done,
    logged,
    output,
    question,
    response,
    row,
    said,
    status,
    stored,
    streamed,
    text,
    turn,
    types,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def feed(db: None) -> Feed:
    return Feed(title="named")


def turns() -> list[tuple[str, str]]:
    return list(Turn.objects.order_by("id").values_list("response_id", "status"))


def terminals(session: Session) -> list[tuple[str, str]]:
    """(response, how it ended) of every terminal event in the log."""
    ends = ("completed", "failed", "cancelled", "incomplete")
    return [
        (event["response"]["id"], event["type"].removeprefix("response."))
        for event in logged(session.pk)
        if event["type"].removeprefix("response.") in ends
    ]


@pytest.fixture(params=["at once", "one by one"])
def apply(request: pytest.FixtureRequest, feed: Feed) -> Any:
    """Commits events in one transaction or in one each: the outcome is the same."""
    return feed.take if request.param == "at once" else feed.each


def test_a_plain_text_turn(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(*turn("Hello from the model."))

    assert types(feed.pk) == [
        "input.consumed", "status running", "in_progress", "text", "message completed", "model", "usage",
        "completed", "status idle",
    ]  # fmt: skip
    assert said(feed.pk) == ["Hellofromthemodel."]
    assert stored(feed.pk)[1]["response_id"] == "resp_a"
    assert turns() == [("resp_a", "completed")]
    usage = row(feed.pk).usage_by_model
    assert usage is not None
    assert usage["mock-model"]["total_tokens"] == 15


def test_a_tool_call_with_approval(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(status("running"), response("in_progress"), text("Let me look. "), call(state="in_progress"))
    apply(question())
    assert Elicitation.objects.get().status == "pending"
    assert row(feed.pk).status == "running"

    feed.post("approval", elicitation_id="elicit_x", action="accept")
    apply({"type": "response.elicitation_resolved", "elicitation_id": "elicit_x"})
    apply({"type": "session.changed_files.invalidated", "environment_id": "default"})
    apply(call(), output(), text("It says hi."), response("completed", usage=USAGE), status("idle"))

    assert types(feed.pk) == [
        "input.consumed", "status running", "in_progress", "text", "function_call in_progress",
        "elicitation_request", "elicitation_resolved", "elicitation_resolved", "changed_files.invalidated",
        "message completed", "function_call completed", "function_call_output completed", "text",
        "message completed", "model", "usage", "completed", "status idle",
    ]  # fmt: skip
    assert [item["type"] for item in stored(feed.pk)] == [
        "message", "message", "function_call", "function_call_output", "message",
    ]  # fmt: skip
    assert said(feed.pk) == ["Let me look. ", "It says hi."]
    assert Elicitation.objects.get().status == "delivered"


def test_a_declined_call_is_not_stored(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(status("running"), response("in_progress"), call(state="in_progress"), question())
    feed.post("approval", elicitation_id="elicit_x", action="decline")
    apply({"type": "response.elicitation_resolved", "elicitation_id": "elicit_x"})
    apply(response("cancelled"), status("idle"))

    assert [item["type"] for item in stored(feed.pk)] == ["message"]
    assert terminals(feed.session) == [("resp_a", "cancelled")]


def test_a_client_tool(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(
        status("running"), response("in_progress"), call(state="in_progress"), call(state="action_required")
    )
    feed.post("function_call_output", call_id="call_1", output="42")
    apply(call(), output(result="42"), text("It is 42."), response("completed"), status("idle"))

    assert [item["type"] for item in stored(feed.pk)] == [
        "message", "function_call", "function_call_output", "message",
    ]  # fmt: skip


def test_an_interrupt_in_the_middle(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(status("running"), response("in_progress"), text("one "), text("two "))
    feed.post("interrupt")
    apply(text("late "), call(), output(), response("cancelled"), status("idle"), status("idle"))

    assert types(feed.pk) == [
        "input.consumed", "status running", "in_progress", "text", "interrupted", "message completed",
        "cancelled", "status idle", "status idle",
    ]  # fmt: skip
    items = stored(feed.pk)
    assert said(feed.pk) == ["one two "]
    assert items[-1]["interrupted"] is True
    assert turns() == [("resp_a", "cancelled")]


def test_the_fence_falls_with_the_next_turn(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(status("running"), response("in_progress"), text("one "))
    feed.post("interrupt")
    apply(text("late "), status("running"), response("in_progress", "resp_b"), text("new"))
    apply(response("completed", "resp_b"), status("idle"))

    assert said(feed.pk) == ["one ", "new"]
    assert terminals(feed.session) == [("resp_a", "incomplete"), ("resp_b", "completed")]


def test_an_elicitation_passes_the_fence(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(status("running"), response("in_progress"), question())
    feed.post("interrupt")
    apply({"type": "response.elicitation_resolved", "elicitation_id": "elicit_x", "action": "cancel"})

    assert "elicitation_resolved" in types(feed.pk)
    assert Elicitation.objects.get().status == "cancelled"


def test_an_interrupt_before_the_first_event(feed: Feed, apply: Any) -> None:
    feed.message()
    feed.post("interrupt")
    apply(status("running"), response("cancelled"), status("idle"))

    assert terminals(feed.session) == [("resp_a", "cancelled")]
    assert row(feed.pk).status == "idle"


def test_steering_while_running(feed: Feed, apply: Any) -> None:
    feed.message("first")
    apply(status("running"), response("in_progress"))
    feed.message("second")
    apply(text("one"), response("completed"), status("running"), response("in_progress", "resp_b"))
    apply(text("two"), response("completed", "resp_b"), status("idle"))

    assert types(feed.pk) == [
        "input.consumed", "status running", "in_progress", "input.consumed", "text", "message completed",
        "completed", "status running", "in_progress", "text", "message completed", "completed", "status idle",
    ]  # fmt: skip
    assert turns() == [("resp_a", "completed"), ("resp_b", "completed")]


def test_an_idle_edge_does_not_hide_a_message_that_the_runner_cannot_know(feed: Feed, apply: Any) -> None:
    feed.message("first")
    apply(status("running"), response("in_progress"), text("one"))
    feed.post("message", role="user", content=[{"type": "input_text", "text": "second"}])
    apply(response("completed"), status("idle"))

    assert row(feed.pk).status == "running"
    feed.session.outbox.all().delete()
    apply(*turn("two", "resp_b"))
    assert types(feed.pk)[-9:] == [
        "completed", "status running", "in_progress", "text", "message completed", "model", "usage",
        "completed", "status idle",
    ]  # fmt: skip


def test_a_failure_is_one_error(feed: Feed, apply: Any) -> None:
    error = {"code": "RuntimeError", "message": "It broke", "title": "Broken"}
    feed.message()
    apply(status("running"), response("in_progress"), text("half an ans"))
    apply({**response("failed", error=error), "source": "llm"}, status("failed", error=error))

    assert types(feed.pk)[-5:] == [
        "text", "message completed", "error completed", "failed", "status failed",
    ]  # fmt: skip
    errors = [item for item in stored(feed.pk) if item["type"] == "error"]
    assert [(one["source"], one["code"], one["title"]) for one in errors] == [
        ("llm", "RuntimeError", "Broken")
    ]
    failed = row(feed.pk)
    assert (failed.status, failed.last_task_error["code"]) == ("failed", "RuntimeError")
    assert turns() == [("resp_a", "failed")]

    apply(status("idle"))
    assert row(feed.pk).status == "failed"
    feed.message()
    assert row(feed.pk).last_task_error is None


@pytest.mark.parametrize("begun", [True, False], ids=["in its response", "before its response"])
def test_a_failed_status_alone_is_one_error_too(feed: Feed, apply: Any, begun: bool) -> None:
    feed.message()
    apply(status("running"), *([response("in_progress")] if begun else []))
    apply(status("failed", error={"code": "boom", "message": "It broke"}))

    assert [item["code"] for item in stored(feed.pk) if item["type"] == "error"] == ["boom"]
    assert terminals(feed.session) == ([("resp_a", "failed")] if begun else [])
    assert not Turn.objects.filter(status="running").exists()


def test_compaction(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(status("running"), response("in_progress"))
    apply({"type": "response.compaction.in_progress", "started_at": 5})
    apply({"type": "response.compaction.completed", "total_tokens": 7, "summary": "s"})
    apply(response("completed"), status("idle"))

    assert types(feed.pk)[3:5] == ["compaction.in_progress", "compaction.completed"]
    assert [item["type"] for item in stored(feed.pk)] == ["message"]


def test_a_response_ends_once(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(status("running"), response("in_progress"), text("a"))
    apply(response("completed", usage=USAGE), response("completed", usage=USAGE), response("failed"))
    apply(status("idle"), response("completed", usage=USAGE))

    assert terminals(feed.session) == [("resp_a", "completed")]
    usage = row(feed.pk).usage_by_model
    assert usage is not None
    assert usage["mock-model"]["total_tokens"] == 15


def test_a_response_that_never_ended_is_ended(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(status("running"), response("in_progress"), text("a"), status("idle"))

    assert terminals(feed.session) == [("resp_a", "cancelled")]
    assert types(feed.pk)[-3:] == ["message completed", "cancelled", "status idle"]


def test_a_response_begun_twice_is_shown_once(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(status("running"), response("in_progress"), response("in_progress"))

    assert types(feed.pk).count("in_progress") == 1


def test_blank_text_is_not_stored(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(status("running"), response("in_progress"), text(" \n "), call(), output(), response("completed"))

    assert said(feed.pk) == []
    assert row(feed.pk).open_seq is None


def test_a_runners_own_message_item_replaces_its_streamed_text(feed: Feed, apply: Any) -> None:
    message = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hi."}]}
    feed.message()
    apply(status("running"), response("in_progress"), text("Hi."), item_done(message), response("completed"))

    assert said(feed.pk) == ["Hi."]


def test_a_late_output_keeps_the_response_of_its_call(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(status("running"), response("in_progress"), call("call_1"), call("call_2"), output("call_2"))
    apply(output("call_1"))

    assert {item["response_id"] for item in stored(feed.pk)[1:]} == {"resp_a"}


def test_thinking_is_live_only(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(status("running"), response("in_progress"), {"type": "response.reasoning.started"})
    apply({"type": "response.reasoning_text.delta", "delta": "hm"}, text("a"), response("completed"))

    assert [item["type"] for item in stored(feed.pk)] == ["message", "message"]
    assert row(feed.pk).open_seq is None


def test_an_open_question_ends_with_its_turn(feed: Feed, apply: Any) -> None:
    feed.message()
    apply(status("running"), response("in_progress"), question(), response("completed"), status("idle"))

    assert Elicitation.objects.get().status == "cancelled"
    assert types(feed.pk)[-3:] == ["elicitation_resolved", "completed", "status idle"]


def test_another_sessions_name_is_not_taken(feed: Feed, apply: Any) -> None:
    other = Feed()
    feed.message()
    apply(status("running", conversation_id=other.session.public_id))
    apply(status("idle", conversation_id=other.session.public_id))

    assert {e["conversation_id"] for e in logged(feed.pk) if e["type"] == "session.status"} == {
        feed.session.public_id
    }
    assert types(other.pk) == []


@pytest.mark.parametrize("cut", range(1, 9))
def test_a_relay_that_takes_over_anywhere_changes_nothing(feed: Feed, cut: int) -> None:
    whole = [
        status("running"), response("in_progress"), text("one "), text("two "), call(), output(),
        text("three"), response("completed", usage=USAGE), status("idle"),
    ]  # fmt: skip
    feed.message()
    feed.take(*whole[:cut])
    feed.restart()
    feed.take(*whole[cut:])

    assert said(feed.pk) == ["one two ", "three"]
    assert streamed(feed.pk) == "one two three"
    assert terminals(feed.session) == [("resp_a", "completed")]
    assert turns() == [("resp_a", "completed")]
