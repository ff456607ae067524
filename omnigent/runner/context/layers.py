"""Ways to make a history smaller: leave out bulk, cut it in two for a summary, drop what is oldest.

None of them ever parts a call from its output.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from omnigent.runner.context.sizes import is_binary

Item = Mapping[str, Any]

LIGHT: Final = 200
"""Outputs of up to so many characters stay: the marker would not be shorter."""


def recent(items: Sequence[Item], steps: int) -> int:
    """The index where the last `steps` model calls begin; 0 when there are no more than that.

    A model call is a run of what the assistant said and called; the user's message before it belongs to it.
    """
    starts = [index for index, item in enumerate(items) if _begins_step(items, index, item)]
    if steps == 0:
        return len(items)
    return starts[-steps] if len(starts) >= steps else 0


def lightened(items: Sequence[Item], steps: int) -> list[Item]:
    """The items with a marker in the place of each large output and attachment before the last `steps`."""
    edge = recent(items, steps)
    return [*(_light(item) for item in items[:edge]), *items[edge:]]


def cut(items: Sequence[Item], steps: int, fits: Callable[[Sequence[Item]], bool]) -> int:
    """The index up to which a summary stands for the items: the earliest that leaves a rest which fits.

    It spares the last `steps` model calls if those fit, else fewer, and at least the user's last message;
    what is left begins with neither an output nor in the midst of parallel calls.
    """
    for spared in range(steps, 0, -1):
        edge = whole(items, recent(items, spared))
        if 0 < edge < len(items) and fits(items[edge:]):
            return edge
    asked = max((index for index, item in enumerate(items) if _is_user(item)), default=0)
    return whole(items, asked) or len(items)


def whole(items: Sequence[Item], edge: int) -> int:
    """The first index from `edge` on at which no call is waiting for its output."""
    open_calls: set[Any] = set()
    for index, item in enumerate(items):
        if index >= edge and not open_calls and item.get("type") != "function_call_output":
            return index
        if item.get("type") == "function_call":
            open_calls.add(item.get("call_id"))
        elif item.get("type") == "function_call_output":
            open_calls.discard(item.get("call_id"))
    return len(items)


def dropped(items: Sequence[Item], fits: Callable[[Sequence[Item]], bool]) -> list[Item]:
    """The items without as many of the oldest as it takes to fit; the last message always stays."""
    keep_from = max((n for n, item in enumerate(items) if item.get("type") == "message"), default=0)
    edge = 0
    while edge < keep_from and not fits(items[edge:]):
        edge = whole(items, edge + 1)
    return list(items[min(edge, keep_from) :])


def _begins_step(items: Sequence[Item], index: int, item: Item) -> bool:
    """Whether a model call begins here, or the message that led to it."""
    before = items[index - 1] if index else None
    if _is_said(item):
        return before is None or before.get("type") == "function_call_output"
    return item.get("type") == "message" and (before is None or not _is_user(before))


def _is_said(item: Item) -> bool:
    return item.get("type") == "function_call" or (
        item.get("type") == "message" and item.get("role") == "assistant"
    )


def _is_user(item: Item) -> bool:
    return item.get("type") == "message" and item.get("role") != "assistant"


def _light(item: Item) -> Item:
    if item.get("type") == "function_call_output":
        output = item.get("output")
        if isinstance(output, str) and len(output) > LIGHT:
            return {**item, "output": f"[output left out to save context: {len(output)} characters]"}
    content = item.get("content")
    if item.get("type") == "message" and isinstance(content, list):
        return {**item, "content": [_without_bytes(block) for block in content]}
    return item


def _without_bytes(block: object) -> object:
    if isinstance(block, Mapping) and is_binary(block):
        name = block.get("filename") or block.get("file_id") or block.get("type") or "attachment"
        return {"type": "input_text", "text": f"[{name} left out to save context]"}
    return block
