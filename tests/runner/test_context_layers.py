"""Histories made smaller: whatever is left out, calls keep their outputs and the last message stays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigent.runner.context import condensing, layers
from omnigent.runner.context.sizes import (
    BINARY_TOKENS,
    DEFAULT_WINDOW,
    Scale,
    item_tokens,
    items_tokens,
    overhead_tokens,
    window_of,
)
from omnigent.runner.harnesses.base import ModelRequest, ToolSchema, Usage

Items = Sequence[Mapping[str, Any]]


def said(text: str, role: str = "user") -> dict[str, Any]:
    kind = "output_text" if role == "assistant" else "input_text"
    return {"type": "message", "role": role, "content": [{"type": kind, "text": text}]}


def calls(*ids: str) -> list[dict[str, Any]]:
    return [{"type": "function_call", "call_id": one, "name": "f", "arguments": "{}"} for one in ids]


def outputs(*ids: str, size: int = 1000) -> list[dict[str, Any]]:
    return [{"type": "function_call_output", "call_id": one, "output": "x" * size} for one in ids]


def step(number: int, size: int = 1000) -> list[dict[str, Any]]:
    """A message of the user, an answer with two parallel calls, and their outputs."""
    one, two = f"a{number}", f"b{number}"
    return [said(f"do {number}"), said("on it", "assistant"), *calls(one, two), *outputs(two, one, size=size)]


def at_most(count: int) -> Callable[[Items], bool]:
    return lambda items: len(items) <= count


history = st.lists(st.sampled_from(["user", "assistant", "call", "pair"]), min_size=1, max_size=30)


def built(kinds: Sequence[str]) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    for number, kind in enumerate(kinds):
        if kind == "pair":
            items += [*calls(f"p{number}", f"q{number}"), *outputs(f"q{number}", f"p{number}")]
        elif kind == "call":
            items += [*calls(f"c{number}"), *outputs(f"c{number}")]
        else:
            items.append(said(str(number), kind))
    return items


def is_paired(items: Items) -> bool:
    called = [item["call_id"] for item in items if item["type"] == "function_call"]
    answered = [item["call_id"] for item in items if item["type"] == "function_call_output"]
    return sorted(called) == sorted(answered)


@given(kinds=history, room=st.integers(min_value=0, max_value=40))
def test_dropping_keeps_pairs_and_the_last_message(kinds: Sequence[str], room: int) -> None:
    items = built(kinds)

    left = layers.dropped(items, at_most(room))

    assert is_paired(left)
    assert left == items[len(items) - len(left) :]
    messages = [item for item in items if item["type"] == "message"]
    assert not messages or messages[-1] in left
    assert len(left) <= room or not messages or left[0] is messages[-1] or not is_paired(left[1:])


@given(
    kinds=history, steps=st.integers(min_value=0, max_value=6), room=st.integers(min_value=0, max_value=40)
)
def test_a_cut_parts_no_call_from_its_output(kinds: Sequence[str], steps: int, room: int) -> None:
    items = built(kinds)

    edge = layers.cut(items, steps, at_most(room))

    assert is_paired(items[:edge])
    assert is_paired(items[edge:])


def test_a_cut_spares_the_last_steps_and_fewer_when_they_do_not_fit() -> None:
    items = [item for number in range(6) for item in step(number)]

    assert items[layers.cut(items, 2, at_most(12))] == said("do 4")
    assert items[layers.cut(items, 2, at_most(7))] == said("do 5")
    assert items[layers.cut(items, 2, at_most(1))] == said("do 5")


def test_only_what_lies_before_the_last_steps_becomes_lighter() -> None:
    picture = {
        "type": "input_image",
        "image_url": "data:image/png;base64," + "A" * 900,
        "filename": "plan.png",
    }
    first = {"type": "message", "role": "user", "content": [picture, {"type": "input_text", "text": "look"}]}
    items = [first, *step(1), *step(2)]

    light = layers.lightened(items, 1)

    assert light[0]["content"][0] == {"type": "input_text", "text": "[plan.png left out to save context]"}
    assert [item["output"] for item in light[1:7] if "output" in item] == [
        "[output left out to save context: 1000 characters]"
    ] * 2
    assert light[7:] == step(2)


def test_a_short_output_stays() -> None:
    items = [*step(1, size=10), *step(2)]

    assert layers.lightened(items, 1) == items


def test_the_wish_for_a_summary_holds_the_end_of_what_was_said() -> None:
    items = [said(f"word {number}") for number in range(100)]

    asked = condensing.asked(items, at_most(20))

    assert asked[0]["content"] == "[older messages are left out here]"
    assert asked[-2]["content"] == "word 99"
    assert asked[-1]["content"] == condensing.REQUEST
    assert len(asked) <= 22


@pytest.mark.parametrize(
    ("model", "stated", "window"),
    [
        ("claude-sonnet-5-5", None, 200_000),
        ("anthropic/claude-sonnet-5-5", None, 200_000),
        ("gpt-5.6-terra", None, 400_000),
        ("gpt-5.6-terra", 1000, 1000),
        ("something-new", None, DEFAULT_WINDOW),
    ],
)
def test_the_window_of_a_model(model: str, stated: int | None, window: int) -> None:
    assert window_of(model, stated) == window


def test_bytes_cost_by_what_they_show() -> None:
    picture = {"type": "input_image", "image_url": "data:image/png;base64," + "A" * 1_000_000}

    assert item_tokens({"type": "message", "role": "user", "content": [picture]}) < BINARY_TOKENS + 50


def test_estimates_follow_what_the_model_says_it_read() -> None:
    tool = ToolSchema(name="f", description="d" * 360, parameters={"type": "object"})
    request = ModelRequest(model="m", instructions="i" * 3600, items=[said("x" * 3600)], tools=[tool])
    estimate = overhead_tokens(request) + items_tokens(request.items)
    scale = Scale()

    scale.learn(request, Usage(input_tokens=estimate, cache_read_input_tokens=estimate))
    assert scale.of(1000) == 2000
    scale.learn(request, Usage())
    assert scale.of(1000) == 2000
