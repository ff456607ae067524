"""What a file holds."""

import base64
import codecs
import mimetypes
import os
from typing import Final

from omnigent.workspace.entries import Json
from omnigent.workspace.names import Parts, shown

MOST_READ: Final = 10 * 1024 * 1024
CONTENT: Final = "session.environment.filesystem.file_content"
_CHUNK: Final = 1024 * 1024


def content_of(descriptor: int, parts: Parts) -> Json:
    """The beginning of an open file, which for most is all of it; what is no UTF-8 text comes as base64."""
    data = beginning_of(descriptor, MOST_READ + 1)
    is_cut = len(data) > MOST_READ
    data = data[:MOST_READ]
    text = text_in(data, is_cut=is_cut)
    guessed = media_type(parts)
    return {
        "object": CONTENT,
        "path": shown(parts),
        "content_type": guessed or ("application/octet-stream" if text is None else "text/plain"),
        "bytes": os.fstat(descriptor).st_size,
        "truncated": is_cut,
        "encoding": "base64" if text is None else "utf-8",
        "content": base64.b64encode(data).decode() if text is None else text,
    }


def beginning_of(descriptor: int, most: int) -> bytes:
    """At most so many bytes from the start of an open file."""
    found = bytearray()
    while len(found) < most and (more := os.pread(descriptor, min(_CHUNK, most - len(found)), len(found))):
        found += more
    return bytes(found)


def text_in(data: bytes, *, is_cut: bool) -> str | None:
    """UTF-8 text, or None; of data that was cut, a character that is not whole is left out."""
    if b"\x00" in data:
        return None
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(data, final=not is_cut)
    except UnicodeDecodeError:
        return None


def media_type(parts: Parts) -> str | None:
    """What the name says about the content."""
    return mimetypes.guess_type(parts[-1])[0] if parts else None
