"""What the user said, in the form in which Codex takes it."""

import base64
import binascii
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omnigent.runner.harnesses.conversation import Document, Image, Message, Part, entries_of

Item = Mapping[str, Any]


def input_of(messages: Sequence[Item], files: Path) -> list[dict[str, Any]]:
    """User input of a turn. Documents, which Codex does not take, are written below `files`."""
    parts = [part for entry in entries_of(messages) if isinstance(entry, Message) for part in entry.parts]
    return [_input(part, files) for part in parts]


def text_input(text: str) -> list[dict[str, Any]]:
    """Input that is nothing but text."""
    return [{"type": "text", "text": text, "text_elements": []}]


def _input(part: Part, files: Path) -> dict[str, Any]:
    match part:
        case Image():
            return {"type": "image", "url": part.url}
        case Document():
            return text_input(f"[the file {part.filename} is {_written(part, files)}]")[0]
        case _:
            return text_input(part.text)[0]


def _written(document: Document, files: Path) -> str:
    try:
        data = base64.b64decode(document.data)
    except binascii.Error:
        return "not readable"
    files.mkdir(mode=0o700, parents=True, exist_ok=True)
    # The name on disk is ours; the one that was sent could lead elsewhere.
    file = files / f"{hashlib.sha256(data).hexdigest()[:24]}.pdf"
    file.write_bytes(data)
    return f"at {file}"
