"""Items of a transcript as entries, but for tool calls, which take two items."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from omnigent_client.cli.live.entries import Entry, Note, Said, Thought
from omnigent_client.records.items import Item

ATTACHMENTS: Final = frozenset({"input_image", "input_file"})


def entry_of(item: Item) -> Entry | None:
    """What there is to show of an item; None for one that says nothing."""
    handler = _ENTRIES.get(item.type)
    return Note(text=item.type.replace("_", " ")) if handler is None else handler(item)


def text_of_thought(item: Item) -> str:
    """The words of a reasoning item, whichever of its members they are in."""
    found = []
    for name in ("summary", "content"):
        blocks = item.payload.get(name)
        if isinstance(blocks, str):
            found.append(blocks)
        elif isinstance(blocks, list):
            found += [str(block.get("text") or "") for block in blocks if isinstance(block, Mapping)]
    return "\n".join(text for text in found if text)


def _message(item: Item) -> Entry | None:
    if item.role == "assistant":
        return Said(role="assistant", text=item.text.strip("\n")) if item.text.strip() else None
    who = item.created_by or item.raw.get("created_by")
    return Said(role="user", text=item.text + _attached(item), who=who if isinstance(who, str) else None)


def _attached(item: Item) -> str:
    content = item.payload.get("content")
    blocks = content if isinstance(content, list) else []
    names = [
        str(block.get("filename") or block.get("file_id") or "a file")
        for block in blocks
        if isinstance(block, Mapping) and block.get("type") in ATTACHMENTS
    ]
    return f" [{', '.join(names)}]" if names else ""


def _error(item: Item) -> Entry:
    return Note(text=f"error: {item.payload.get('message') or item.payload.get('code')}", is_bad=True)


def _reasoning(item: Item) -> Entry | None:
    text = text_of_thought(item)
    return Thought(text=text) if text else None


def _compaction(item: Item) -> Entry:
    return Note(text="the history was summarised here")


_ENTRIES: Final[Mapping[str, Callable[[Item], Entry | None]]] = MappingProxyType(
    {"message": _message, "error": _error, "reasoning": _reasoning, "compaction": _compaction}
)
