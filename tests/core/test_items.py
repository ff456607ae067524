"""Conversation items: what is stored, what is served, what is refused."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigent.protocol import items
from omnigent.protocol.items import InvalidItem

TEXT = [{"type": "input_text", "text": "Hello"}]

TABLE: list[tuple[str, dict[str, Any], items.ItemData]] = [
    (
        "message",
        {"role": "user", "content": TEXT, "user_authored": True},
        items.Message(role="user", content=TEXT, user_authored=True),
    ),
    (
        "message",
        {"role": "assistant", "content": [{"type": "output_text", "text": "Hi."}], "model": "plain"},
        items.Message(role="assistant", content=[{"type": "output_text", "text": "Hi."}], agent="plain"),
    ),
    (
        "function_call",
        {"model": "asker", "name": "sys_os_shell", "arguments": '{"command":"echo hi"}', "call_id": "call_1"},
        items.FunctionCall(
            agent="asker", name="sys_os_shell", arguments='{"command":"echo hi"}', call_id="call_1"
        ),
    ),
    (
        "function_call_output",
        {"call_id": "call_1", "output": "hi\n"},
        items.FunctionCallOutput(call_id="call_1", output="hi\n"),
    ),
    (
        "reasoning",
        {"model": "plain", "summary": [{"type": "summary_text", "text": "s"}]},
        items.Reasoning(agent="plain", summary=[{"type": "summary_text", "text": "s"}]),
    ),
    (
        "error",
        {"source": "harness", "code": "RuntimeError", "message": "no"},
        items.Error(source="harness", code="RuntimeError", message="no"),
    ),
    (
        "compaction",
        {"summary": "s", "last_item_id": "item_1", "model": "m", "token_count": 5},
        items.Compaction(summary="s", last_item_id="item_1", model="m", token_count=5),
    ),
    (
        "resource_event",
        {
            "event_type": "session.subagent.delegated",
            "resource_id": "conv_2",
            "resource_type": "session",
            "resource": {"title": "auth"},
        },
        items.ResourceEvent(
            event_type="session.subagent.delegated",
            resource_id="conv_2",
            resource_type="session",
            resource={"title": "auth"},
        ),
    ),
    (
        "slash_command",
        {"kind": "skill", "name": "review", "arguments": ""},
        items.SlashCommand(kind="skill", name="review"),
    ),
    (
        "terminal_command",
        {"kind": "output", "stdout": "x"},
        items.TerminalCommand(kind="output", stdout="x"),
    ),
    ("routing_decision", {"model": "m", "applied": True}, items.RoutingDecision(model="m", applied=True)),
    ("native_tool", {"item": {"any": [1]}}, items.NativeTool(item={"any": [1]})),
]


@pytest.mark.parametrize(("type", "data", "item"), TABLE, ids=[row[0] for row in TABLE])
def test_data_and_item_are_the_same_both_ways(type: str, data: dict[str, Any], item: items.ItemData) -> None:
    nulls = {key: None for key in items.data_fields(type) if key not in data}

    assert items.parse_item(type, data) == item
    assert items.to_data(item) == {**nulls, **data}


@pytest.mark.parametrize(("type", "data", "item"), TABLE, ids=[row[0] for row in TABLE])
def test_split_divides_what_is_stored_from_what_is_null(
    type: str, data: dict[str, Any], item: items.ItemData
) -> None:
    text, nulls = items.split(item)

    assert json.loads(text) == data
    assert set(nulls) == set(items.data_fields(type)) - set(data)
    assert ": " not in text.split('"content"')[0]


def test_the_table_covers_every_type() -> None:
    assert {type for type, _, _ in TABLE} == set(items.ITEM_TYPES)


@pytest.mark.parametrize(
    ("data", "agent"),
    [
        ({"agent": "a"}, "a"),
        ({"model": "m"}, "m"),
        ({"agent": "a", "model": "m"}, "a"),
        ({"agent": None, "model": "m"}, "m"),
        ({}, None),
    ],
)
def test_an_agents_name_may_come_under_either_key_and_is_served_as_model(
    data: dict[str, Any], agent: str | None
) -> None:
    item = items.parse_item("function_call", {"name": "n", "arguments": "{}", "call_id": "c", **data})

    assert items.to_data(item)["model"] == agent
    assert "agent" not in items.to_data(item)


def test_a_routing_decision_has_both_an_agent_and_a_model() -> None:
    item = items.parse_item("routing_decision", {"model": "m", "agent": "a"})

    assert item == items.RoutingDecision(model="m", agent="a")


def test_members_that_a_type_does_not_have_are_dropped() -> None:
    item = items.parse_item(
        "function_call_output", {"call_id": "c", "output": "o", "arguments": "{}", "id": "x"}
    )

    assert items.to_data(item) == {"call_id": "c", "output": "o"}


@pytest.mark.parametrize(
    ("type", "data", "words"),
    [
        ("nonsense", {}, "unknown item type 'nonsense'; expected one of message, function_call"),
        ("message", [], "data: must be an object"),
        ("message", {"content": []}, "role: is required"),
        ("message", {"role": "robot", "content": []}, "role: must be one of user, assistant"),
        ("message", {"role": "user"}, "content: is required"),
        ("message", {"role": "user", "content": "hi"}, "content: must be an array, not a string"),
        ("message", {"role": "user", "content": ["hi"]}, "content[0]: must be an object"),
        ("message", {"role": "user", "content": [{}]}, "content[0].type: must be a non-empty string"),
        ("message", {"role": "user", "content": [{"type": 1}]}, "content[0].type: must be"),
        ("message", {"role": "user", "content": [*TEXT, {"type": "input_text"}]}, "content[1].text: must be"),
        (
            "message",
            {"role": "user", "content": [{"type": "output_text", "text": 1}]},
            "text: must be a string",
        ),
        (
            "message",
            {"role": "user", "content": [{"type": "input_image"}]},
            "content[0].image_url: one of image_url, file_id is required",
        ),
        ("message", {"role": "user", "content": [{"type": "input_file", "file_id": 1}]}, "file_id: must be"),
        (
            "message",
            {"role": "user", "content": [{"type": "input_file", "file_id": "f", "filename": 1}]},
            "filename: must be",
        ),
        ("message", {"role": "user", "content": [{"type": "input_text", "text": "a\0"}]}, "NUL"),
        ("message", {"role": "user", "content": [{"type": "x", "a\0": 1}]}, "NUL"),
        ("message", {"role": "user", "content": [{"type": "input_text", "text": "\ud800"}]}, "surrogates"),
        ("message", {"role": "user", "content": [{"type": "x", "n": 2**70}]}, "64-bit"),
        ("function_call", {"name": "n", "call_id": "c", "arguments": {}}, "arguments: must be a string"),
        ("function_call_output", {"call_id": "c", "output": None}, "output: must be a string, not null"),
        ("error", {"source": "moon", "code": "c", "message": "m"}, "source: must be one of llm"),
        ("slash_command", {"kind": "x", "name": "n"}, "kind: must be one of skill, command"),
    ],
)
def test_bad_data_is_refused_in_words(type: str, data: Any, words: str) -> None:
    with pytest.raises(InvalidItem) as caught:
        items.parse_item(type, data)

    assert words in str(caught.value)


def test_deeply_nested_content_is_refused() -> None:
    block: dict[str, Any] = {"type": "x"}
    for _ in range(300):
        block = {"type": "x", "inner": block}

    with pytest.raises(InvalidItem, match="nested deeper"):
        items.parse_item("message", {"role": "user", "content": [block]})


@pytest.mark.parametrize(
    "content",
    [
        [],
        [{"type": "input_text", "text": "a\\u0000 is six characters"}],
        [{"type": "input_image", "file_id": "f"}],
        [{"type": "input_image", "image_url": "data:,"}],
        [{"type": "input_file", "file_data": "data:,", "filename": "a.txt"}],
        [{"type": "hologram", "whatever": {"x": [1, None]}}],
    ],
)
def test_good_content_is_kept_untouched(content: list[Any]) -> None:
    item = items.parse_item("message", {"role": "user", "content": content})

    assert json.loads(items.split(item)[0])["content"] == content


def test_text_of_joins_text_blocks_only() -> None:
    content = [
        *TEXT,
        {"type": "input_image", "file_id": "f"},
        {"type": "output_text", "text": "b"},
        "odd",
        {},
    ]

    assert items.text_of(content) == "Hello\nb"
    assert items.text_of([]) == ""


def test_search_looks_at_text_arguments_and_outputs() -> None:
    found = {type: items.search_text(item) for type, _, item in TABLE[1:]}

    assert items.search_text(TABLE[0][2]) == "Hello"
    assert found["message"] == "Hi."
    assert found["function_call"] == 'sys_os_shell\n{"command":"echo hi"}'
    assert found["function_call_output"] == "hi\n"
    assert found["error"] == ""
    assert items.search_text(items.Message(role="user", content=TEXT, is_meta=True)) == ""


def test_output_over_a_mebibyte_is_cut_with_a_note() -> None:
    item = items.parse_item("function_call_output", {"call_id": "c", "output": "\N{SNOWMAN}" * 400_000})

    assert isinstance(item, items.FunctionCallOutput)
    assert len(item.output.encode()) <= items.MAX_OUTPUT_BYTES
    assert item.output.startswith("\N{SNOWMAN}" * 300_000)
    assert item.output.endswith("[Output truncated: 1200000 bytes, limit 1048576]")


def test_output_of_exactly_the_limit_is_whole() -> None:
    text = "x" * items.MAX_OUTPUT_BYTES

    assert items.clip_output(text) is text


@given(st.text(max_size=300), st.integers(60, 200))
def test_clipping_never_exceeds_its_limit(text: str, limit: int) -> None:
    text = items.scrub(text)
    clipped = items.clip_output(text, limit)

    assert len(clipped.encode()) <= limit
    assert clipped == text or "[Output truncated" in clipped


@pytest.mark.parametrize(
    ("value", "clean"),
    [
        ("plain", "plain"),
        ("a\0b", "a\N{REPLACEMENT CHARACTER}b"),
        ("a\ud800b", "a\N{REPLACEMENT CHARACTER}b"),
        (
            {"k\0": ["\0", 1, None, True]},
            {"k\N{REPLACEMENT CHARACTER}": ["\N{REPLACEMENT CHARACTER}", 1, None, True]},
        ),
        (float("nan"), None),
        (1.5, 1.5),
    ],
    ids=repr,
)
def test_scrubbing_replaces_what_cannot_be_stored(value: Any, clean: Any) -> None:
    assert items.scrub(value) == clean


@given(st.text())
def test_scrubbed_text_is_always_accepted(text: str) -> None:
    items.parse_item("function_call_output", items.scrub({"call_id": "c", "output": text}))
