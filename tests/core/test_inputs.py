"""Bodies of `POST /events`: the envelope, the payload of each type, the short forms of some clients."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigent.protocol import inputs, items
from omnigent.protocol.inputs import EnvelopeError, InputError

TEXT = [{"type": "input_text", "text": "Hello"}]
HEX = "0123456789abcdef" * 2


def payload(type: str, data: dict[str, Any]) -> inputs.Payload:
    return inputs.read_payload(inputs.read_event({"type": type, "data": data}))


def call(**change: Any) -> items.FunctionCall:
    return items.FunctionCall(**{"name": "n", "arguments": "{}", "call_id": "c", **change})


ROWS: list[tuple[str, dict[str, Any], inputs.Payload]] = [
    (
        "message",
        {"role": "user", "content": TEXT, "stable_id": HEX},
        inputs.MessageInput(item=items.Message(role="user", content=TEXT), stable_id=HEX),
    ),
    (
        "message",
        {"role": "assistant", "agent": "a", "content": [{"type": "output_text", "text": "x"}]},
        inputs.MessageInput(
            item=items.Message(role="assistant", agent="a", content=[{"type": "output_text", "text": "x"}])
        ),
    ),
    (
        "message",
        {"role": "user", "content": []},
        inputs.MessageInput(item=items.Message(role="user", content=[])),
    ),
    ("interrupt", {"response_id": "r"}, inputs.Interrupt(response_id="r")),
    (
        "approval",
        {"elicitation_id": "E", "action": "accept", "content": {"a": 1}, "_meta": {"m": 1}},
        inputs.Approval(elicitation_id="E", action="accept", content={"a": 1}, meta={"m": 1}),
    ),
    ("compact", {}, inputs.Compact()),
    ("function_call_output", {"call_id": "c", "output": "o"}, inputs.ToolResult(call_id="c", output="o")),
    ("slash_command", {"kind": "skill", "name": "n"}, inputs.SlashCommand(kind="skill", name="n")),
    ("stop_session", {}, inputs.StopSession()),
    ("retry_session", {}, inputs.RetrySession()),
    (
        "mcp_elicitation",
        {"message": "m", "requestedSchema": {"type": "object"}},
        inputs.McpElicitation(message="m", requested_schema={"type": "object"}),
    ),
    (
        "function_call",
        {"name": "n", "arguments": "{}", "call_id": "c", "evaluate_policy": True},
        inputs.StoredItem(item=call(), evaluate_policy=True),
    ),
    (
        "error",
        {"source": "llm", "code": "c", "message": "m"},
        inputs.StoredItem(item=items.Error(source="llm", code="c", message="m")),
    ),
    ("reasoning", {"summary": []}, inputs.StoredItem(item=items.Reasoning(summary=[]))),
    ("compaction", {"summary": "s"}, inputs.StoredItem(item=items.Compaction(summary="s"))),
    ("native_tool", {"item": {}}, inputs.StoredItem(item=items.NativeTool(item={}))),
    (
        "resource_event",
        {"event_type": "e", "resource_id": "i", "resource_type": "t"},
        inputs.StoredItem(item=items.ResourceEvent(event_type="e", resource_id="i", resource_type="t")),
    ),
    ("routing_decision", {"model": "m"}, inputs.StoredItem(item=items.RoutingDecision(model="m"))),
    ("terminal_command", {"kind": "input"}, inputs.StoredItem(item=items.TerminalCommand(kind="input"))),
    (
        "external_assistant_message",
        {"agent": "a", "text": "t"},
        inputs.ExternalAssistantMessage(agent="a", text="t"),
    ),
    (
        "external_conversation_item",
        {
            "item_type": "function_call",
            "item_data": {"name": "n", "arguments": "{}", "call_id": "c", "agent": "x\0"},
            "response_id": "r",
            "source_id": "s",
        },
        inputs.ExternalConversationItem(
            item=call(agent="x\N{REPLACEMENT CHARACTER}"), response_id="r", source_id="s"
        ),
    ),
    (
        "external_output_text_delta",
        {"delta": "d", "message_id": "m", "index": 0, "final": True},
        inputs.ExternalTextDelta(delta="d", message_id="m", index=0, final=True),
    ),
    (
        "external_tool_output_delta",
        {"call_id": "c", "delta": "d"},
        inputs.ExternalToolOutputDelta(call_id="c", delta="d"),
    ),
    (
        "external_output_reasoning_delta",
        {"delta": "d", "started": True},
        inputs.ExternalReasoningDelta(delta="d", started=True),
    ),
    (
        "external_session_status",
        {"status": "failed", "output": "o", "background_task_count": 1, "turn_outcome": "x"},
        inputs.ExternalSessionStatus(status="failed", output="o", background_task_count=1),
    ),
    ("external_session_interrupted", {}, inputs.ExternalSessionInterrupted()),
    (
        "external_session_usage",
        {"cumulative_cost_usd": 1, "cumulative_input_tokens": 2, "model": "m"},
        inputs.ExternalSessionUsage(cumulative_cost_usd=1.0, cumulative_input_tokens=2, model="m"),
    ),
    (
        "external_elicitation_resolved",
        {"elicitation_id": "E"},
        inputs.ExternalElicitationResolved(elicitation_id="E"),
    ),
    (
        "external_compaction_status",
        {"status": "completed"},
        inputs.ExternalCompactionStatus(status="completed"),
    ),
    ("external_session_title", {"title": "t"}, inputs.ExternalSessionTitle(title="t")),
    ("external_session_todos", {"todos": [1]}, inputs.ExternalSessionTodos(todos=[1])),
    ("external_model_change", {"model": "m"}, inputs.ExternalModelChange(model="m")),
    (
        "external_reasoning_effort_change",
        {"reasoning_effort": "high"},
        inputs.ExternalReasoningEffortChange(reasoning_effort="high"),
    ),
    (
        "external_subagent_start",
        {"subagent_id": "s", "agent_type": "t"},
        inputs.ExternalSubagentStart(subagent_id="s", agent_type="t"),
    ),
]


@pytest.mark.parametrize(("type", "data", "expected"), ROWS, ids=[row[0] for row in ROWS])
def test_each_type_reads_its_payload(type: str, data: dict[str, Any], expected: inputs.Payload) -> None:
    assert payload(type, data) == expected


def test_the_table_covers_every_type() -> None:
    assert {row[0] for row in ROWS} == set(inputs.INPUT_TYPES)
    assert {type for type in inputs.INPUT_TYPES if inputs.is_external(type)} == {
        row[0] for row in ROWS if row[0].startswith("external_")
    }


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ({"data": {"text": "Hello"}}, TEXT),
        ({"content": "Hello"}, TEXT),
        ({"content": "Hello", "context": None}, TEXT),
        (
            {"content": "Hello", "context": {"file": "a.py"}},
            [*TEXT, {"type": "input_text", "text": "File: a.py"}],
        ),
        ({"content": TEXT}, TEXT),
        ({"role": "user", "content": TEXT, "data": {}}, TEXT),
    ],
    ids=["go", "editor", "editor-null", "editor-file", "flat", "flat-empty-data"],
)
def test_the_short_forms_of_a_message_are_understood(body: dict[str, Any], content: list[Any]) -> None:
    read = inputs.read_payload(inputs.read_event({"type": "message", **body}))

    assert read == inputs.MessageInput(item=items.Message(role="user", content=content))


@pytest.mark.parametrize("type", ["interrupt", "compact", "approval", "stop_session", "retry_session"])
def test_data_may_be_missing_where_nothing_is_needed(type: str) -> None:
    inputs.read_payload(inputs.read_event({"type": type}))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({}, inputs.Approval()),
        ({"elicitation_id": 5, "action": "accept"}, inputs.Approval(action="accept")),
        ({"elicitation_id": "E", "action": "maybe"}, inputs.Approval(elicitation_id="E")),
        ({"elicitation_id": "E", "action": ["accept"]}, inputs.Approval(elicitation_id="E")),
        (
            {"elicitation_id": "E", "action": "cancel", "content": "x"},
            inputs.Approval(elicitation_id="E", action="cancel"),
        ),
    ],
)
def test_an_odd_approval_is_accepted_and_has_no_effect(
    data: dict[str, Any], expected: inputs.Approval
) -> None:
    read = payload("approval", data)

    assert read == expected
    assert expected.is_effective == (expected.elicitation_id is not None and expected.action is not None)


def test_what_only_the_server_may_say_about_a_user_message_is_dropped() -> None:
    read = payload(
        "message", {"role": "user", "content": TEXT, "is_meta": True, "agent": "a", "interrupted": True}
    )

    assert read == inputs.MessageInput(item=items.Message(role="user", content=TEXT))


PREFIX = "Invalid data payload for event type '"


@pytest.mark.parametrize(
    ("type", "data", "words"),
    [
        ("nonsense", {}, "Unknown event type 'nonsense'. Allowed types: message, interrupt"),
        ("message", {}, PREFIX + "message': role: is required"),
        ("message", {"role": "robot", "content": []}, "role: must be one of user, assistant"),
        ("message", {"role": "user", "content": "hi"}, "content: must be an array, not a string"),
        ("message", {"role": "user", "content": [1]}, "content[0]: must be an object"),
        ("message", {"role": "user", "content": TEXT, "stable_id": HEX.upper()}, "stable_id: must be 32"),
        ("message", {"role": "user", "content": TEXT, "stable_id": 1}, "stable_id: must be 32"),
        ("message", {"role": "user", "content": [{"type": "input_text", "text": "\0"}]}, "NUL"),
        ("message", {"role": "user", "content": [{"type": "input_text", "text": "\ud800"}]}, "surrogates"),
        ("interrupt", {"response_id": 1}, "response_id: must be a string or null"),
        ("function_call_output", {"call_id": "c"}, "output: is required"),
        ("function_call_output", {"call_id": "c", "output": {}}, "output: must be a string"),
        ("function_call_output", {"call_id": "c", "output": "\0"}, "NUL"),
        ("slash_command", {"kind": "command", "name": "n"}, "kind: must be one of skill"),
        ("function_call", {"name": "n", "arguments": "{}", "call_id": "c", "evaluate_policy": 1}, "boolean"),
        ("error", {"source": "llm", "code": "c"}, PREFIX + "error': message: is required"),
        ("external_conversation_item", {"item_type": "x", "item_data": {}}, "unknown item type 'x'"),
        (
            "external_conversation_item",
            {"item_type": "message", "item_data": []},
            "item_data: must be an object",
        ),
        ("external_output_text_delta", {}, "delta: is required"),
        ("external_session_status", {"status": "launching"}, "status: must be one of idle"),
        ("external_session_usage", {}, "one of context_tokens, context_window"),
        ("external_session_usage", {"model": "m"}, "is required"),
        ("external_session_usage", {"context_tokens": -1}, "context_tokens: must not be negative"),
        ("external_session_usage", {"context_window": 0}, "context_window: must be positive"),
        ("external_session_usage", {"context_tokens": 1.5}, "must be an integer"),
        ("external_session_title", {"title": ""}, "title: must be one line"),
        ("external_session_title", {"title": "a\nb"}, "title: must be one line"),
        ("external_session_title", {"title": "x" * 201}, "title: must be one line"),
        ("external_compaction_status", {"status": "x"}, "status: must be one of"),
    ],
)
def test_a_bad_payload_is_refused_in_words(type: str, data: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError) as caught:
        payload(type, data)

    assert words in str(caught.value)
    assert not isinstance(caught.value, EnvelopeError)


@pytest.mark.parametrize(
    ("body", "kind", "loc"),
    [
        (None, "model_attributes_type", ["body"]),
        ("x", "model_attributes_type", ["body"]),
        ({}, "missing", ["body", "type"]),
        ({"data": {}}, "missing", ["body", "type"]),
        ({"type": 1}, "string_type", ["body", "type"]),
        ({"type": None}, "string_type", ["body", "type"]),
        ({"type": "message", "data": []}, "dict_type", ["body", "data"]),
        ({"type": "message", "data": None}, "dict_type", ["body", "data"]),
        ({"type": "message", "tools": {}}, "list_type", ["body", "tools"]),
        ({"type": "message", "model_override": 1}, "string_type", ["body", "model_override"]),
        ({"type": "message", "created_by": 1}, "string_type", ["body", "created_by"]),
        ([{"type": "message"}, 5], "model_attributes_type", ["body", 1]),
        ([{}], "missing", ["body", 0, "type"]),
    ],
)
def test_a_body_that_is_no_event_lists_its_problem_as_validators_do(
    body: Any, kind: str, loc: list[Any]
) -> None:
    with pytest.raises(EnvelopeError) as caught:
        inputs.read_envelope(body)

    (row,) = caught.value.detail
    assert (row["type"], row["loc"]) == (kind, loc)
    assert row["msg"]
    assert "input" in row


def test_all_problems_of_an_envelope_are_listed() -> None:
    with pytest.raises(EnvelopeError) as caught:
        inputs.read_envelope({"data": 1, "tools": 2})

    assert [row["loc"][-1] for row in caught.value.detail] == ["type", "data", "tools"]


def test_an_envelope_carries_its_options() -> None:
    tool = {"type": "function", "name": "t", "parameters": {}}
    envelope = inputs.read_envelope(
        {"type": "message", "data": {}, "model_override": "m", "tools": [tool], "created_by": "u", "x": 1}
    )

    assert envelope == inputs.Envelope(
        events=(
            inputs.SessionEvent(type="message", data={}, model_override="m", tools=(tool,), created_by="u"),
        ),
        is_batch=False,
    )


def test_an_array_is_a_batch_of_at_most_a_hundred() -> None:
    batch = inputs.read_envelope([{"type": "interrupt"}] * 100)

    assert batch.is_batch
    assert len(batch.events) == 100
    with pytest.raises(InputError, match="must not be empty"):
        inputs.read_envelope([])
    with pytest.raises(InputError, match="more than 100"):
        inputs.read_envelope([{"type": "interrupt"}] * 101)


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("x", "tools[0]: must be an object"),
        ({}, "tools[0].name: must be"),
        ({"name": ""}, "tools[0].name: must be"),
        ({"function": 1}, "tools[0].name: must be"),
        ({"name": "t", "description": 1}, "tools[0].description: must be"),
        ({"name": "t", "parameters": []}, "tools[0].parameters: must be"),
        ({"name": "t\0"}, "NUL"),
    ],
)
def test_a_bad_tool_is_refused_in_words(tool: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        inputs.read_event({"type": "message", "data": {}, "tools": [tool]})

    assert words in str(caught.value)
    assert not isinstance(caught.value, EnvelopeError)


def test_a_tool_may_be_nested_as_chat_apis_have_it() -> None:
    tool = {"type": "function", "function": {"name": "t", "description": "d", "parameters": {}}}

    assert inputs.read_event({"type": "message", "tools": [tool]}).tools == (tool,)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(sorted({key for _, data, _ in ROWS for key in data}))


@given(st.sampled_from(inputs.INPUT_TYPES) | st.text(max_size=5), st.dictionaries(KEYS, JSON) | JSON)
def test_any_body_is_an_input_or_an_input_error(type: str, data: Any) -> None:
    try:
        inputs.read_payload(inputs.read_event({"type": type, "data": data}))
    except InputError:
        return
