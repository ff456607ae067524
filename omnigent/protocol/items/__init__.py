"""Conversation items: their types, how their data is checked, and the form in which it is stored."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from omnigent.protocol import codec
from omnigent.protocol.codec import FrameError
from omnigent.protocol.items.content import (
    MAX_OUTPUT_BYTES,
    check_blocks,
    check_text,
    clip_output,
    scrub,
    text_of,
)
from omnigent.protocol.items.errors import InvalidItem
from omnigent.protocol.items.types import (
    Compaction,
    Error,
    FunctionCall,
    FunctionCallOutput,
    ItemData,
    Message,
    NativeTool,
    Reasoning,
    ResourceEvent,
    RoutingDecision,
    SlashCommand,
    TerminalCommand,
)

__all__ = [
    "ITEM_TYPES",
    "MAX_OUTPUT_BYTES",
    "NUL_ESCAPE",
    "Compaction",
    "Error",
    "FunctionCall",
    "FunctionCallOutput",
    "InvalidItem",
    "ItemData",
    "Message",
    "NativeTool",
    "Reasoning",
    "ResourceEvent",
    "RoutingDecision",
    "SlashCommand",
    "TerminalCommand",
    "check_blocks",
    "check_text",
    "clip_output",
    "data_fields",
    "parse_item",
    "scrub",
    "search_text",
    "split",
    "text_of",
    "to_data",
]

ITEM_TYPES: Mapping[str, type[ItemData]] = MappingProxyType(
    {
        cls.type: cls
        for cls in (
            Message,
            FunctionCall,
            FunctionCallOutput,
            Reasoning,
            Error,
            Compaction,
            ResourceEvent,
            SlashCommand,
            TerminalCommand,
            RoutingDecision,
            NativeTool,
        )
    }
)
"""Every item type and the class of its data."""

NUL_ESCAPE = b"\\u0000"
"""In JSON text this may be a NUL character, which `check_text` then decides."""


def parse_item(type: str, data: Any) -> ItemData:
    """Check item data from outside; members that the type does not have are dropped.

    The agent's name may come as `agent` or as `model`. Tool output over the limit is cut.
    Raises InvalidItem, for an unknown type with the list of types.
    """
    cls = ITEM_TYPES.get(type)
    if cls is None:
        raise InvalidItem(f"unknown item type {type[:100]!r}; expected one of {', '.join(ITEM_TYPES)}")
    if not isinstance(data, Mapping):
        raise InvalidItem("data: must be an object")
    if "agent" in data and "agent" not in data_fields(type):
        data = {**data, "model": data["agent"] if data["agent"] is not None else data.get("model")}
    try:
        item = codec.load(cls, data)
        values = codec.dump(item)
        codec.check_depth(values)
        if NUL_ESCAPE in codec.encode(values):
            check_text(values)
    except FrameError as error:
        raise InvalidItem(str(error)) from None
    if isinstance(item, Message):
        check_blocks(item.content)
    if isinstance(item, FunctionCallOutput):
        return FunctionCallOutput(call_id=item.call_id, output=clip_output(item.output))
    return item


def data_fields(type: str) -> tuple[str, ...]:
    """The JSON members of this item type's data, in order."""
    return codec.plan_of(ITEM_TYPES[type]).keys


def to_data(item: ItemData) -> dict[str, Any]:
    """The data object with all its members, nulls included."""
    return codec.dump(item)


def split(item: ItemData) -> tuple[str, tuple[str, ...]]:
    """The data as it is stored: compact JSON of what is not null, and the names of what is."""
    values = codec.dump(item)
    nulls = tuple(key for key, value in values.items() if value is None)
    for key in nulls:
        del values[key]
    return codec.encode(values).decode(), nulls


def search_text(item: ItemData) -> str:
    """What a search over conversations looks at: what was said, tool arguments and tool outputs."""
    if isinstance(item, Message):
        return "" if item.is_meta else text_of(item.content)
    if isinstance(item, FunctionCall):
        return f"{item.name}\n{item.arguments}"
    if isinstance(item, FunctionCallOutput):
        return item.output
    return ""
