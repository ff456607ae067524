"""What search compares: the folded words of items, and the place of a hit for people to read."""

from collections.abc import Iterator
from typing import Any

import orjson

SPOKEN = frozenset(("text", "arguments", "output"))
CONTEXT, SNIPPET = 60, 160
"""Characters on each side of a hit, and in all."""


def folded(text: str) -> str:
    """The text without letter case, in every script; what has no place in a database is left out."""
    return text.casefold().replace("\0", "")


def spoken(data: str) -> str:
    """What an item says, from its stored JSON: message text, tool arguments, tool output."""
    return "\n".join(_texts(orjson.loads(data)))


def _texts(value: Any) -> Iterator[str]:  # any JSON
    if isinstance(value, dict):
        for key, member in value.items():
            if key in SPOKEN and isinstance(member, str):
                yield member
            else:
                yield from _texts(member)
    elif isinstance(value, list):
        for member in value:
            yield from _texts(member)


def snippet(text: str, search: str) -> str:
    """The first place of the searched text with some words around it, whitespace collapsed."""
    start, end = _place(text, folded(search))
    before = " ".join(text[:start].split())
    hit = " ".join(text[start:end].split())
    after = " ".join(text[end:].split())
    # Collapsing the three alone would join words that only whitespace holds apart.
    if before and (text[start - 1].isspace() or text[start:end][:1].isspace()):
        before += " "
    if after and (text[end].isspace() or text[start:end][-1:].isspace()):
        after = f" {after}"
    head, tail = before[-CONTEXT:], after[:CONTEXT]
    shown = (head + hit + tail)[:SNIPPET]
    is_cut_behind = len(head + hit + tail) > SNIPPET or len(after) > CONTEXT
    return f"{'…' if len(before) > CONTEXT else ''}{shown.strip()}{'…' if is_cut_behind else ''}"


def _place(text: str, needle: str) -> tuple[int, int]:
    """Where a folded needle stands in a text: folding changes lengths, so positions are mapped back."""
    plain = text.casefold()
    at = plain.find(needle)
    if at < 0:
        return 0, 0
    if len(plain) == len(text):
        return at, at + len(needle)
    start, position = -1, 0
    for index, character in enumerate(text):
        position += len(character.casefold())
        if start < 0 and position > at:
            start = index
        if position >= at + len(needle):
            return start, index + 1
    return start, len(text)
