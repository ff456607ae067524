"""The identifiers of files and drafts: in arguments, in addresses, and in what a tool has given."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qs, urlsplit

from omnigent.policies.calls import Event, state_of

MAX_DEPTH = 20
UNREADABLE = ""
"""Stands for an identifier that is no text; no list of allowed ones holds it."""

FILE_KEYS = ("document_id", "file_id", "spreadsheet_id", "presentation_id")
DRAFT_KEYS = ("draft_id", "id")
_HOSTS = frozenset({"docs.google.com", "drive.google.com", "sheets.google.com", "slides.google.com"})
_IN_PATH = re.compile(r"/d/([\w-]+)", re.ASCII)


def camel(key: str) -> str:
    """`document_id` as `documentId`."""
    first, *others = key.split("_")
    return first + "".join(word.capitalize() for word in others)


def both_spellings(keys: Iterable[str]) -> frozenset[str]:
    """Keys in snake and in camel case."""
    return frozenset(spelt for key in keys for spelt in (key, camel(key)))


def file_id_of(text: str) -> str:
    """The identifier of a file: itself, or what a Google address names."""
    plain = text.strip()
    try:
        address = urlsplit(plain)
    except ValueError:
        return plain
    if address.hostname not in _HOSTS:
        return plain
    if known := _IN_PATH.search(address.path):
        return known[1]
    return parse_qs(address.query).get("id", [plain])[0]


def targets_of(arguments: Mapping[str, Any], keys: Sequence[str]) -> frozenset[str]:
    """The identifiers that a call names; UNREADABLE among them when a value is no text."""
    values = [arguments[key] for key in sorted(both_spellings(keys)) if arguments.get(key) is not None]
    return frozenset(file_id_of(value) if isinstance(value, str) else UNREADABLE for value in values)


def made_ids(event: Event, keys: Sequence[str]) -> list[str]:
    """The identifiers in what a tool has given, without repeats: objects, JSON texts and content blocks."""
    data = event.get("data")
    result = data.get("result") if isinstance(data, Mapping) else data
    return list(dict.fromkeys(_found(result, both_spellings(keys) | {"id"}, MAX_DEPTH)))


def remembered(event: Event, key: str) -> frozenset[str]:
    """Identifiers kept in the session state."""
    kept = state_of(event).get(key)
    rows = kept if isinstance(kept, list | tuple) else ()
    return frozenset(row for row in rows if isinstance(row, str))


def kept_updates(event: Event, key: str, ids: Sequence[str]) -> list[dict[str, Any]]:
    """State updates that add what is not remembered yet."""
    new = [item for item in ids if item not in remembered(event, key)]
    return [{"key": key, "action": "append", "value": item} for item in new]


def _found(value: object, keys: frozenset[str], depth: int) -> Iterator[str]:
    if depth < 0:
        return
    if isinstance(value, str):
        value = _read(value)
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key in keys and isinstance(inner, str) and inner:
                yield inner
            elif key == "text" or not isinstance(inner, str):
                yield from _found(inner, keys, depth - 1)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for inner in value:
            if not isinstance(inner, str):
                yield from _found(inner, keys, depth - 1)


def _read(text: str) -> object:
    """The object that a JSON text holds, None for other texts."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
