"""What every subscriber may rely on: the order of events within a response and within a tool call."""

from collections.abc import Sequence
from typing import Any

from tests.e2e.stream import TERMINAL, Frame, assert_no_gap

CALL_STEPS = ("in_progress", "completed", "output")


def assert_ordered(frames: Sequence[Frame]) -> None:
    """Check a whole stream of complete turns."""
    assert_no_gap(frames)
    logged = [frame for frame in frames if frame.id is not None]
    assert_responses(logged)
    assert_calls(logged)


def assert_responses(frames: Sequence[Frame]) -> None:
    """Each response begins once, ends once, and everything of it lies between; rest comes after the end."""
    open_response = None
    ended: set[str] = set()
    for frame in frames:
        if frame.event == "response.in_progress":
            assert open_response is None, f"{frame.id}: a response began inside {open_response}"
            open_response = frame.body["response"]["id"]
            assert open_response not in ended, f"{frame.id}: {open_response} began again"
        elif frame.event in TERMINAL:
            assert frame.body["response"]["id"] == open_response, f"{frame.id}: ended what was not open"
            ended.add(open_response)
            open_response = None
        elif frame.event == "response.output_text.delta":
            assert open_response is not None, f"{frame.id}: text outside a response"
        elif frame.event == "session.status" and frame.body["status"] == "idle":
            assert open_response is None, f"{frame.id}: idle inside {open_response}"
    assert open_response is None, f"{open_response} never ended"


def assert_calls(frames: Sequence[Frame]) -> None:
    """Each call is announced, then completed, then answered, each once."""
    steps: dict[str, list[str]] = {}
    for frame in frames:
        if frame.event != "response.output_item.done":
            continue
        item = frame.body["item"]
        if item["type"] == "function_call":
            steps.setdefault(item["call_id"], []).append(item["status"])
        elif item["type"] == "function_call_output":
            steps.setdefault(item["call_id"], []).append("output")
    for call_id, seen in steps.items():
        assert tuple(seen) == CALL_STEPS[: len(seen)], f"{call_id}: {seen}"


def assert_same_as_items(frames: Sequence[Frame], items: Sequence[dict[str, Any]]) -> None:
    """Every stored item was announced, in its order, and every announced stored item exists."""
    stored = [item["id"] for item in items]
    announced = []
    for frame in frames:
        if frame.event == "session.input.consumed":
            announced.append(frame.body["data"]["item_id"])
        elif frame.event == "response.output_item.done" and frame.body["item"]["id"] in stored:
            announced.append(frame.body["item"]["id"])
    assert announced == stored
