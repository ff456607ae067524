"""What is shown of a session, from recorded events."""

from typing import Any

import pytest

from omnigent_client import Event, Item
from omnigent_client.cli.live.drawing import lines_of
from omnigent_client.cli.live.entries import Asked, Entry, Note, Ran, Said, Thought
from omnigent_client.cli.live.view import SessionView
from omnigent_client.decoding import read
from tests.cli.recorded import (
    SESSION_ID,
    asked,
    began,
    delta,
    ended,
    event,
    item,
    said,
    session,
    took,
    tool_turn,
)


def shown(view: SessionView, *events: Event) -> list[Entry]:
    """Everything that these events show for good."""
    return [entry for one in events for entry in view.feed(one)]


def stored(kind: str, item_id: str, **data: Any) -> Item:
    """An item as a snapshot has it."""
    return read(Item, {"id": item_id, "type": kind, "data": data})


def test_a_turn_is_shown_in_order_and_each_thing_once() -> None:
    view = SessionView(session())

    assert shown(view, *tool_turn()) == [
        Said(role="user", text="Run the shell command: echo hi"),
        Thought(text="Thinking. Hmm."),
        Said(role="assistant", text="I thought."),
        Ran(name="sys_os_shell", arguments='{"command": "echo hi"}', output="hi\n"),
        Said(role="assistant", text="The tool answered:"),
        Said(role="assistant", text="hi"),
    ]
    assert view.facts.line() == "idle · scripted · 28 tokens · $0.50"
    assert (view.text, view.thinking, view.calls) == ("", "", {})


def test_the_same_turn_in_a_pipe() -> None:
    lines = [lines_of(entry) for entry in shown(SessionView(session()), *tool_turn())]

    assert lines == [
        "> Run the shell command: echo hi",
        "~ Thinking. Hmm.",
        "I thought.",
        '$ sys_os_shell {"command": "echo hi"}\n| hi',
        "The tool answered:",
        "hi",
    ]


def test_what_is_under_way_can_be_seen_before_it_is_done() -> None:
    view = SessionView(session())
    events = list(tool_turn())

    shown(view, *events[:6])
    assert (view.thinking, view.facts.is_busy) == ("Thinking. Hmm. ", True)
    shown(view, *events[6:8], event("response.function_call_output.delta", call_id="call_1", delta="h"))
    assert view.text == "I thought.\n"
    assert view.calls["call_1"].tail == "h"


def test_history_is_not_shown_again_by_the_stream() -> None:
    view = SessionView(session())
    content = [{"type": "input_text", "text": "Hello"}]
    view.add(stored("message", "item_1", role="user", content=content))

    assert shown(view, took("Hello", "item_1"), began(), said("Hi", "item_2")) == [
        Said(role="assistant", text="Hi")
    ]
    assert view.add(stored("message", "item_2", role="assistant", content=[])) == []


def test_a_message_that_was_joined_in_the_middle_is_shown_when_it_is_whole() -> None:
    view = SessionView(session(status="running", active_response_id="resp_1"))

    assert shown(view, delta("middle\n\nand "), delta("end")) == []
    assert shown(view, said("Beginning, middle\n\nand end")) == [
        Said(role="assistant", text="Beginning, middle\n\nand end")
    ]


def test_what_a_new_connection_replays_is_shown_when_it_is_whole() -> None:
    view = SessionView(session(status="running", active_response_id="resp_1"))
    replayed = event("response.created", response={"id": "resp_1", "status": "in_progress"})

    assert shown(view, replayed, delta("One\n\nTwo"), said("One\n\nTwo")) == [
        Said(role="assistant", text="One\n\nTwo")
    ]


def test_thoughts_come_before_the_words_that_follow_them() -> None:
    thinking = event("response.reasoning_text.delta", delta="Hmm.")

    entries = shown(SessionView(session()), began(), thinking, delta("Aha.\n\n"))

    assert entries == [Thought(text="Hmm."), Said(role="assistant", text="Aha.")]


def test_text_of_an_interrupted_turn_is_kept_and_not_repeated() -> None:
    view = SessionView(session())
    interruption = event("session.interrupted", data={"requested_at": 1})

    entries = shown(view, began(), delta("1 2 "), interruption, ended("cancelled"), said("1 2 "))

    assert entries == [Note(text="interrupted"), Said(role="assistant", text="1 2 ")]


def test_a_call_without_a_result_is_shown_when_the_turn_ends() -> None:
    view = SessionView(session())
    call = item("function_call", "fc_1", status="in_progress", call_id="c", name="wait", arguments="{}")

    assert shown(view, began(), call, ended("cancelled")) == [Ran(name="wait", arguments="{}", output=None)]


def test_a_failure_is_shown_once() -> None:
    error = item("error", "item_2", source="llm", code="bad", message="no paper")

    entries = shown(SessionView(session()), began(), error, ended("failed", {"message": "no paper"}))

    assert entries == [Note(text="the turn failed: no paper", is_bad=True)]


def test_code_is_not_cut_in_the_middle() -> None:
    code = "```python\na = 1\n\nb = 2\n```"

    entries = shown(SessionView(session()), began(), delta(f"Look:\n\n{code}\n\nDo"), delta("ne"), ended())

    assert [entry.text for entry in entries if isinstance(entry, Said)] == ["Look:", code, "Done"]


def test_an_approval_is_asked_once_and_answered_once() -> None:
    view = SessionView(session())
    form = {"properties": {"city": {"type": "string", "description": "where"}}}

    asking = shown(view, asked(content_preview="rm -r", policy_name="careful", requestedSchema=form), asked())
    resolved = event("response.elicitation_resolved", elicitation_id="elicit_1", action="decline")

    assert asking == [Asked(message="May I?", preview="rm -r", policy="careful", fields=("city: where",))]
    assert list(view.approvals) == ["elicit_1"]
    assert shown(view, resolved, resolved) == [Note(text="declined")]
    assert view.approvals == {}


def test_a_sub_agent_s_approval_is_answered_to_the_sub_agent() -> None:
    view = SessionView(session())

    shown(view, asked(target_session_id="conv_child"), asked("elicit_2"))

    assert [one.session_id for one in view.approvals.values()] == ["conv_child", SESSION_ID]


def test_after_a_gap_only_what_is_new_is_shown() -> None:
    view = SessionView(session())
    shown(view, took("Hello", "item_1"), began(), delta("Half of"))
    items = [
        stored("message", "item_1", role="user", content=[{"type": "input_text", "text": "Hello"}]),
        stored(
            "message", "item_2", role="assistant", content=[{"type": "output_text", "text": "Half of it"}]
        ),
    ]

    entries = view.missed(session(title="New"), items)

    assert entries == [Note(text="some events were missed"), Said(role="assistant", text="Half of it")]
    assert (view.text, view.facts.title) == ("", "New")


@pytest.mark.parametrize("text", ["", "   ", "\n\n"])
def test_silence_is_not_shown(text: str) -> None:
    assert shown(SessionView(session()), began(), delta(text), said(text), ended()) == []


def test_events_of_a_newer_server_are_passed_over() -> None:
    view = SessionView(session())

    assert shown(view, event("session.weather", is_sunny=True), event("response.completed")) == []
