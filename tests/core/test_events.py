"""Events as literal JSON, both ways, and that each of them is documented."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigent.protocol import codec, events
from omnigent.protocol.events import FrameError, UnknownEvent

DOCS = Path(__file__).parents[2] / "docs" / "events.md"
RESPONSE = {"id": "resp_a", "status": "in_progress", "model": "plain", "created_at": 1795306411}

STATUS_NULLS: dict[str, Any] = {
    "response_id": None,
    "error": None,
    "background_task_count": None,
    "background_tasks": None,
    "blocked_on": None,
}
TODO = {"content": "c", "status": "pending", "activeForm": "f"}
PARAMS: dict[str, Any] = {
    "mode": "url",
    "message": "needs approval",
    "requestedSchema": {},
    "url": "/approve/C/E",
}

ROWS: list[tuple[str, dict[str, Any], events.Event]] = [
    ("session.heartbeat", {"server_time": None}, events.SessionHeartbeat()),
    (
        "stream.reset",
        {"conversation_id": "C", "reason": "pruned", "resume_after": 12},
        events.StreamReset(conversation_id="C", reason="pruned", resume_after=12),
    ),
    (
        "session.status",
        {"conversation_id": "C", "status": "running", **STATUS_NULLS},
        events.SessionStatus(conversation_id="C", status="running"),
    ),
    (
        "session.input.consumed",
        {
            "data": {
                "item_id": "I1",
                "type": "message",
                "data": {
                    "role": "user",
                    "content": [{"type": "input_text", "text": "Hello"}],
                    "agent": None,
                    "user_authored": True,
                    "stream_message_id": None,
                },
                "created_by": None,
                "cleared_pending_id": None,
            }
        },
        events.SessionInputConsumed(
            data=events.ConsumedInput(
                item_id="I1",
                data=events.message_data(
                    role="user", content=[{"type": "input_text", "text": "Hello"}], user_authored=True
                ),
            )
        ),
    ),
    (
        "session.interrupted",
        {"data": {"requested_at": 1795306512, "response_id": None}},
        events.SessionInterrupted(data=events.Interruption(requested_at=1795306512)),
    ),
    (
        "session.created",
        {"conversation_id": "C", "child_session_id": "D", "agent_id": "A", "parent_session_id": "C"},
        events.SessionCreated(conversation_id="C", child_session_id="D", agent_id="A", parent_session_id="C"),
    ),
    (
        "session.child_session.updated",
        {"conversation_id": "C", "child_session_id": "D", "child": {"busy": True, "last_task_error": None}},
        events.SessionChildUpdated(
            conversation_id="C", child_session_id="D", child={"busy": True, "last_task_error": None}
        ),
    ),
    (
        "session.title",
        {"conversation_id": "C", "title": "T"},
        events.SessionTitle(conversation_id="C", title="T"),
    ),
    (
        "session.model",
        {"conversation_id": "C", "model": "m"},
        events.SessionModel(conversation_id="C", model="m"),
    ),
    (
        "session.reasoning_effort",
        {"conversation_id": "C", "reasoning_effort": "high"},
        events.SessionReasoningEffort(conversation_id="C", reasoning_effort="high"),
    ),
    (
        "session.usage",
        {
            "conversation_id": "C",
            "context_tokens": 15,
            "context_window": 128000,
            "total_cost_usd": None,
            "usage_by_model": {"m": {"input_tokens": 10}},
        },
        events.SessionUsage(
            conversation_id="C",
            context_tokens=15,
            context_window=128000,
            usage_by_model={"m": {"input_tokens": 10}},
        ),
    ),
    (
        "session.agent_changed",
        {"conversation_id": "C", "agent_id": "A", "agent_name": "plain"},
        events.SessionAgentChanged(conversation_id="C", agent_id="A", agent_name="plain"),
    ),
    (
        "session.todos",
        {"conversation_id": "C", "todos": [TODO]},
        events.SessionTodos(conversation_id="C", todos=[TODO]),
    ),
    (
        "session.presence",
        {"conversation_id": "C", "viewers": [{"user_id": "u", "joined_at": 5, "idle": False}]},
        events.SessionPresence(conversation_id="C", viewers=(events.Viewer(user_id="u", joined_at=5),)),
    ),
    (
        "session.resource.created",
        {"resource": {"id": "terminal_a_b", "type": "terminal"}},
        events.SessionResourceCreated(resource={"id": "terminal_a_b", "type": "terminal"}),
    ),
    (
        "session.resource.deleted",
        {"resource_id": "terminal_a_b", "resource_type": "terminal", "session_id": "C"},
        events.SessionResourceDeleted(resource_id="terminal_a_b", resource_type="terminal", session_id="C"),
    ),
    (
        "session.changed_files.invalidated",
        {"session_id": "C", "environment_id": "default"},
        events.SessionChangedFilesInvalidated(session_id="C"),
    ),
    ("response.created", {"response": RESPONSE}, events.ResponseCreated(response=RESPONSE)),
    ("response.queued", {"response": RESPONSE}, events.ResponseQueued(response=RESPONSE)),
    ("response.in_progress", {"response": RESPONSE}, events.ResponseInProgress(response=RESPONSE)),
    ("response.completed", {"response": RESPONSE}, events.ResponseCompleted(response=RESPONSE)),
    (
        "response.failed",
        {"response": RESPONSE, "source": "harness"},
        events.ResponseFailed(response=RESPONSE, source="harness"),
    ),
    ("response.cancelled", {"response": RESPONSE}, events.ResponseCancelled(response=RESPONSE)),
    ("response.incomplete", {"response": RESPONSE}, events.ResponseIncomplete(response=RESPONSE)),
    (
        "response.output_text.delta",
        {"delta": "Hel", "message_id": None, "index": None, "final": None},
        events.OutputTextDelta(delta="Hel"),
    ),
    ("response.reasoning.started", {}, events.ReasoningStarted()),
    ("response.reasoning_text.delta", {"delta": "h"}, events.ReasoningTextDelta(delta="h")),
    ("response.reasoning_summary_text.delta", {"delta": "h"}, events.ReasoningSummaryTextDelta(delta="h")),
    (
        "response.output_item.done",
        {"item": {"id": "fc_1", "type": "function_call", "status": "in_progress", "agent": "resp_b"}},
        events.OutputItemDone(
            item={"id": "fc_1", "type": "function_call", "status": "in_progress", "agent": "resp_b"}
        ),
    ),
    (
        "response.function_call_output.delta",
        {"call_id": "call_1", "delta": "h"},
        events.FunctionCallOutputDelta(call_id="call_1", delta="h"),
    ),
    (
        "response.elicitation_request",
        {"elicitation_id": "E", "method": "elicitation/create", "params": PARAMS},
        events.ElicitationRequest(elicitation_id="E", params=PARAMS),
    ),
    (
        "response.elicitation_resolved",
        {"elicitation_id": "E", "action": "accept", "reason": None},
        events.ElicitationResolved(elicitation_id="E", action="accept"),
    ),
    (
        "response.policy_denied",
        {"conversation_id": "C", "reason": "no", "phase": "tool_call"},
        events.PolicyDenied(conversation_id="C", reason="no", phase="tool_call"),
    ),
    ("response.compaction.in_progress", {"started_at": 5}, events.CompactionInProgress(started_at=5)),
    (
        "response.compaction.completed",
        {"total_tokens": 9, "summary": "s", "summary_model": "m", "compacted_messages": None},
        events.CompactionCompleted(total_tokens=9, summary="s", summary_model="m"),
    ),
    ("response.compaction.failed", {}, events.CompactionFailed()),
    (
        "response.error",
        {"source": "llm", "error": {"code": "c", "message": "m"}},
        events.ResponseError(source="llm", error={"code": "c", "message": "m"}),
    ),
    (
        "response.retry",
        {
            "source": "llm",
            "error": {"code": "c", "message": "m"},
            "attempt": 1,
            "max_attempts": 7,
            "delay_seconds": 2.5,
        },
        events.ResponseRetry(
            source="llm", error={"code": "c", "message": "m"}, attempt=1, max_attempts=7, delay_seconds=2.5
        ),
    ),
    ("response.heartbeat", {}, events.ResponseHeartbeat()),
    ("response.output_file.done", {"file_id": "f"}, events.OutputFileDone(file_id="f")),
    ("response.client_task.cancel", {"call_id": "c"}, events.ClientTaskCancel(call_id="c")),
    ("turn.started", {"session_id": "C"}, events.TurnStarted(session_id="C")),
    ("turn.completed", {"session_id": "C"}, events.TurnCompleted(session_id="C")),
    ("turn.failed", {"session_id": "C"}, events.TurnFailed(session_id="C")),
    ("turn.cancelled", {"session_id": "C"}, events.TurnCancelled(session_id="C")),
    (
        "compaction",
        {"summary": "s", "last_item_id": "I", "model": "m", "token_count": 3, "compacted_messages": None},
        events.Compaction(summary="s", last_item_id="I", model="m", token_count=3),
    ),
    ("session.state_reset", {"session_id": "C"}, events.SessionStateReset(session_id="C")),
]
IDS = [type for type, _, _ in ROWS]


@pytest.mark.parametrize(("type", "members", "event"), ROWS, ids=IDS)
def test_an_event_and_its_json_are_the_same_both_ways(
    type: str, members: dict[str, Any], event: events.Event
) -> None:
    wire = {"type": type, "sequence_number": None, **members}

    assert events.parse(wire) == event
    assert json.loads(events.to_json(event)) == wire
    assert events.to_json(event).startswith(f'{{"type":"{type}","sequence_number":null'.encode())
    assert b"\n" not in events.to_json(event)


def test_the_table_covers_every_event_type() -> None:
    assert set(IDS) == set(events.EVENT_TYPES)
    assert set(events.EVENT_TYPES) >= events.TERMINAL | events.RUNNER_ONLY | events.SYNTHETIC


@pytest.mark.parametrize(
    ("wire", "event"),
    [
        ({"type": "session.heartbeat"}, events.SessionHeartbeat()),
        ({"type": "session.status", "status": "running"}, events.SessionStatus(status="running")),
        ({"type": "session.created", "child_session_id": "D"}, events.SessionCreated(child_session_id="D")),
        (
            {"type": "session.changed_files.invalidated", "environment_id": "default"},
            events.SessionChangedFilesInvalidated(),
        ),
        (
            {"type": "response.output_text.delta", "delta": "x", "response_id": "r", "sequence_number": 3},
            events.OutputTextDelta(delta="x", sequence_number=3),
        ),
        (
            {"type": "response.elicitation_request", "elicitation_id": "E", "params": {"message": "m"}},
            events.ElicitationRequest(elicitation_id="E", params={"message": "m"}),
        ),
    ],
)
def test_events_as_a_runner_sends_them_are_read(wire: dict[str, Any], event: events.Event) -> None:
    assert events.parse(wire) == event


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        ([], "must be an object"),
        ({}, "type: must be a string"),
        ({"type": None}, "type: must be a string"),
        ({"type": "session.status"}, "session.status: status: is required"),
        ({"type": "session.status", "status": "bored"}, "status: must be one of idle, running"),
        ({"type": "response.output_text.delta"}, "delta: is required"),
        ({"type": "response.output_text.delta", "delta": 1}, "delta: must be a string, not an integer"),
        ({"type": "response.output_item.done", "item": []}, "item: must be an object, not an array"),
        ({"type": "response.completed", "response": None}, "response: must be an object, not null"),
        ({"type": "session.input.consumed", "data": {"item_id": "I"}}, "data: data: is required"),
        ({"type": "session.presence", "viewers": [{"user_id": "u"}]}, "viewers: joined_at: is required"),
        ({"type": "session.title", "sequence_number": "1"}, "sequence_number: must be an integer"),
        (
            {"type": "response.elicitation_resolved", "elicitation_id": "E", "action": "maybe"},
            "action: must be",
        ),
    ],
)
def test_a_bad_event_is_refused_in_words(wire: Any, words: str) -> None:
    with pytest.raises(FrameError) as caught:
        events.parse(wire)

    assert words in str(caught.value)
    assert not isinstance(caught.value, UnknownEvent)


def test_an_unknown_type_is_told_apart_from_a_bad_event() -> None:
    with pytest.raises(UnknownEvent, match="unknown type 'policy_evaluation"):
        events.parse({"type": "policy_evaluation.requested"})


def test_an_event_that_json_cannot_carry_is_refused() -> None:
    with pytest.raises(FrameError):
        events.to_json(events.OutputTextDelta(delta="\udfff"))


@pytest.mark.parametrize(("type", "members", "event"), ROWS, ids=IDS)
def test_binding_an_event_overwrites_whatever_session_it_claims(
    type: str, members: dict[str, Any], event: events.Event
) -> None:
    bound = json.loads(events.to_json(events.bind(event, "conv_real")))

    for key in ("conversation_id", "session_id"):
        assert bound.get(key) == ("conv_real" if key in members else None)
    assert {k: v for k, v in bound.items() if k not in ("type", "sequence_number")} == {
        **members,
        **{key: "conv_real" for key in ("conversation_id", "session_id") if key in members},
    }
    assert events.bind(events.bind(event, "conv_real"), "conv_real") == events.bind(event, "conv_real")


def test_a_response_object_has_all_its_members() -> None:
    usage = events.ResponseUsage(input_tokens=10, output_tokens=5, total_tokens=15, context_tokens=15)
    response = events.response_object(
        id="resp_a", status="completed", model="plain", created_at=1, completed_at=2, usage=usage
    )

    assert codec.decode(codec.encode(response)) == {
        "id": "resp_a",
        "object": "response",
        "status": "completed",
        "model": "plain",
        "created_at": 1,
        "completed_at": 2,
        "output": [],
        "background": False,
        "store": True,
        "usage": {
            "input_tokens": 10,
            "output_tokens": 5,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 15,
            "context_tokens": 15,
            "cache_read_input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "model": None,
            "cost_usd": None,
        },
        "previous_response_id": None,
        "conversation": None,
        "instructions": None,
        "reasoning": None,
        "error": None,
        "incomplete_details": None,
    }


def test_a_failed_response_carries_its_error() -> None:
    error = events.error_object("RuntimeError", "no", remediation="try again")
    response = events.response_object(id="r", status="failed", model="m", created_at=1, error=error)

    assert response["error"] == {
        "code": "RuntimeError",
        "message": "no",
        "title": None,
        "cause": None,
        "remediation": "try again",
        "undelivered": None,
    }


def documented() -> dict[str, str]:
    """Event name to the text of its section."""
    sections = re.split(r"^### `([^`]+)`$", DOCS.read_text(), flags=re.MULTILINE)
    return dict(zip(sections[1::2], sections[2::2], strict=True))


def test_every_event_is_documented_and_no_other() -> None:
    assert set(documented()) == set(events.EVENT_TYPES)


@pytest.mark.parametrize(("type", "cls"), events.EVENT_TYPES.items(), ids=list(events.EVENT_TYPES))
def test_the_documentation_of_an_event_names_its_fields_and_its_example_is_real(
    type: str, cls: type[events.Event]
) -> None:
    text = documented()[type]
    (example,) = re.findall(r"```json\n(.*?)\n```", text, flags=re.DOTALL)
    wire = json.loads(example)

    assert json.loads(events.to_json(events.parse(wire))) == wire
    assert wire["type"] == type
    for key in codec.plan_of(cls).keys:
        assert f"`{key}`" in text or key == "sequence_number", f"{type}: {key} is not described"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab\0", max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=3), inner, max_size=3),
    max_leaves=5,
)
KEYS = st.sampled_from(sorted({key for _, members, _ in ROWS for key in members} | {"sequence_number"}))


@given(st.sampled_from(IDS), st.dictionaries(KEYS, JSON))
def test_any_object_is_an_event_or_a_frame_error(type: str, members: dict[str, Any]) -> None:
    try:
        event = events.parse({"type": type, **members})
    except FrameError:
        return
    assert events.parse(json.loads(events.to_json(event))) == event
