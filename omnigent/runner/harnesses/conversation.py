"""Turns the flat items of a session into what every model understands: messages, calls and results."""

import base64
import binascii
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final, Literal

Item = Mapping[str, Any]
"""JSON of an item as the server sent it."""

UNKNOWN_RESULT: Final = "The call did not finish; whether it had an effect is not known."
_BAD_ID_CHARACTER: Final = re.compile(r"[^A-Za-z0-9_-]")
_ID_LIMIT: Final = 64
_TEXT_BLOCKS: Final = frozenset({"input_text", "output_text", "text"})
_DATA_URI: Final = re.compile(
    r"data:(?P<kind>[\w.+-]+/[\w.+-]+)?(?:;[\w.+-]+=[^;,]*)*;base64,(?P<data>.*)", re.DOTALL
)
_VISIBLE_KINDS: Final = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})
_READABLE_KINDS: Final = frozenset(
    {"application/json", "application/xml", "application/yaml", "application/x-yaml"}
)


@dataclass(frozen=True, slots=True)
class Text:
    """Text of a message; never blank."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """A picture: either an address, or base64 `data` of a media type."""

    url: str
    media_type: str = ""
    data: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Document:
    """A PDF file, as base64 `data`; `url` is the same as a data URI."""

    filename: str
    url: str
    data: str


Part = Text | Image | Document


@dataclass(frozen=True, kw_only=True, slots=True)
class Message:
    """What one side said; an assistant's message has only text."""

    role: Literal["user", "assistant"]
    parts: tuple[Part, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """A tool call that is followed by its result; `arguments` is always the text of a JSON object."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """What a call gave back."""

    call_id: str
    output: str


Entry = Message | Call | Result


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """Consecutive entries of one side, for vendors whose messages alternate; results count as the user's."""

    role: Literal["user", "assistant"]
    entries: tuple[Entry, ...]


def entries_of(items: Sequence[Item]) -> list[Entry]:
    """What a model is told of a conversation.

    Reasoning, errors and records of the interface are left out. Results follow directly after their group of
    calls, also when something was said in between. A call without a result gets `UNKNOWN_RESULT`; a result
    without a call is dropped; call ids are made unique, because some providers number them from 0 each time.
    """
    return list(_Pairing(_since_compaction(items)).entries())


def turns_of(entries: Sequence[Entry]) -> list[Turn]:
    """Merge consecutive entries of the same side."""
    return [Turn(role=role, entries=tuple(group)) for role, group in groupby(entries, key=_side)]


def text_of(entry: Entry) -> str:
    """The text of a message's parts, one paragraph each."""
    parts = entry.parts if isinstance(entry, Message) else ()
    return "\n\n".join(part.text for part in parts if isinstance(part, Text))


def _side(entry: Entry) -> Literal["user", "assistant"]:
    if isinstance(entry, Message):
        return entry.role
    return "assistant" if isinstance(entry, Call) else "user"


def _since_compaction(items: Sequence[Item]) -> list[Item]:
    """The last summary, as a user's message, and what came after the item up to which it speaks."""
    marks = [place for place, item in enumerate(items) if item.get("type") == "compaction"]
    if not marks:
        return list(items)
    compaction = items[marks[-1]]
    last_id = compaction.get("last_item_id")
    covered = [place for place, item in enumerate(items) if last_id and item.get("id") == last_id]
    rest = items[(covered[-1] if covered else marks[-1]) + 1 :]
    summary = f"Summary of the conversation so far:\n\n{compaction.get('summary') or ''}"
    return [
        {"type": "message", "role": "user", "content": summary},
        *(item for item in rest if item.get("type") != "compaction"),
    ]


class _Pairing:
    """Walks the items once, holding back each group of calls until it is complete."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._outputs = _outputs_by_call(items)
        self._calls: list[Call] = []
        self._results: list[Result] = []
        self._used: set[str] = set()

    def entries(self) -> Iterator[Entry]:
        answered = False
        for place, item in enumerate(self._items):
            kind = item.get("type")
            if kind == "function_call":
                if answered:
                    yield from self._flush()
                answered = False
                self._add(item, self._outputs.get(place))
            elif kind == "function_call_output":
                answered = True
            elif message := _message(item):
                yield from self._flush()
                yield message
        yield from self._flush()

    def _add(self, item: Item, output: Item | None) -> None:
        call_id = self._unique(str(item.get("call_id") or "call"))
        name = str(item.get("name") or "unknown")
        self._calls.append(Call(call_id=call_id, name=name, arguments=_object_text(item.get("arguments"))))
        result = UNKNOWN_RESULT if output is None else _output_text(output)
        self._results.append(Result(call_id=call_id, output=result))

    def _flush(self) -> Iterator[Entry]:
        yield from self._calls
        yield from self._results
        self._calls, self._results = [], []

    def _unique(self, call_id: str) -> str:
        plain = _BAD_ID_CHARACTER.sub("_", call_id)[:_ID_LIMIT]
        unique, number = plain, 1
        while unique in self._used:
            number += 1
            unique = f"{plain[: _ID_LIMIT - 8]}_{number}"
        self._used.add(unique)
        return unique


def _outputs_by_call(items: Sequence[Item]) -> dict[int, Item]:
    """The output for each call's place: an output answers the latest open call before it that has its id."""
    waiting: dict[str, list[int]] = defaultdict(list)
    outputs: dict[int, Item] = {}
    for place, item in enumerate(items):
        call_id = str(item.get("call_id"))
        if item.get("type") == "function_call":
            waiting[call_id].append(place)
        elif item.get("type") == "function_call_output" and waiting[call_id]:
            outputs[waiting[call_id].pop()] = item
    return outputs


def _object_text(arguments: object) -> str:
    """The arguments as text of a JSON object, because some providers refuse a history with anything else."""
    source = (
        arguments if isinstance(arguments, str) else json.dumps(arguments if arguments is not None else {})
    )
    try:
        value = json.loads(source or "{}")
    except ValueError:
        value = None
    if isinstance(value, dict):
        return source or "{}"
    return json.dumps({"invalid_arguments": source})


def _output_text(item: Item) -> str:
    output = item.get("output")
    return output if isinstance(output, str) else json.dumps(output, ensure_ascii=False)


def _message(item: Item) -> Message | None:
    if item.get("type") == "slash_command":
        words = f"/{item.get('name') or ''} {item.get('arguments') or ''}".strip()
        return Message(role="user", parts=(Text(words),))
    if item.get("type") != "message":
        return None
    content = item.get("content")
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content or []
    parts = tuple(part for block in blocks if isinstance(block, Mapping) and (part := _part(block)))
    if item.get("role") == "assistant":
        parts = tuple(part for part in parts if isinstance(part, Text))
    if not parts:
        return None
    return Message(role="assistant" if item.get("role") == "assistant" else "user", parts=parts)


def _part(block: Mapping[str, Any]) -> Part | None:
    kind = block.get("type")
    if kind in _TEXT_BLOCKS:
        text = block.get("text")
        return Text(text) if isinstance(text, str) and text.strip() else None
    if kind == "input_image":
        return _image(block)
    if kind == "input_file":
        return _file(block)
    return None


def _image(block: Mapping[str, Any]) -> Part:
    address = block.get("image_url")
    url = address.get("url") if isinstance(address, Mapping) else address
    if not isinstance(url, str):
        return Text("[an image that is not available]")
    if match := _DATA_URI.fullmatch(url):
        return _picture(url, (match["kind"] or "image/png").lower(), match["data"])
    return (
        Image(url=url) if url.startswith(("http://", "https://")) else Text("[an image that cannot be read]")
    )


def _picture(url: str, kind: str, data: str) -> Part:
    """What every vendor looks at; a type that one of them refuses would fail the turn."""
    if kind not in _VISIBLE_KINDS:
        return Text(f"[an image of type {kind}, which cannot be shown]")
    return Image(url=url, media_type=kind, data=data)


def _file(block: Mapping[str, Any]) -> Part:
    name = str(block.get("filename") or "file")
    match = _DATA_URI.fullmatch(str(block.get("file_data") or ""))
    if not match:
        return Text(f"[the file {name}, which is not available]")
    kind = (match["kind"] or "text/plain").lower()
    if kind == "application/pdf":
        return Document(filename=name, url=match.string, data=match["data"])
    if kind.startswith("image/"):
        return _picture(match.string, kind, match["data"])
    if kind.startswith("text/") or kind in _READABLE_KINDS:
        try:
            return Text(f"[the file {name}]\n{base64.b64decode(match['data']).decode()}")
        except (binascii.Error, UnicodeDecodeError):
            return Text(f"[the file {name}, which cannot be read]")
    return Text(f"[the file {name} of type {kind}, which cannot be shown]")
