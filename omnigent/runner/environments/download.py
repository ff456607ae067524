"""A file as raw bytes, in pieces, or the range of it that is asked for."""

import asyncio
import os
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from omnigent.runner.http import Call, Responder
from omnigent.workspace.names import Parts
from omnigent.workspace.reading import media_type

PIECE: Final = 256 * 1024
_BYTES: Final = "application/octet-stream"
_RANGE: Final = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes from `start` up to but not with `end`."""

    start: int
    end: int


def span_of(header: str | None, size: int) -> Span | None:
    """The one range that a header names; None for the whole file: no header, several ranges, or nonsense.

    A span without bytes stands for a range that the file does not have.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or match.groups() == ("", ""):
        return None
    first, last = match.groups()
    if not first:
        return Span(max(0, size - int(last)), size) if int(last) else Span(0, 0)
    end = min(int(last) + 1, size) if last else size
    if last and int(last) < int(first):
        return None
    return Span(int(first), end) if int(first) < size else Span(0, 0)


async def download(descriptor: int, parts: Parts, call: Call, respond: Responder) -> None:
    """Answer with an open file: 200, 206, or 416 for a range that it does not have."""
    found = await asyncio.to_thread(os.fstat, descriptor)
    tag = f'"{found.st_ino:x}-{found.st_mtime_ns:x}-{found.st_size:x}"'
    wanted = call.header("Range") if call.header("If-Range") in {None, tag} else None
    span = span_of(wanted, found.st_size)
    name = quote(os.fsencode(parts[-1]), safe="")
    headers = [
        ("accept-ranges", "bytes"),
        ("etag", tag),
        ("content-disposition", f"attachment; filename*=UTF-8''{name}"),
        ("x-content-type-options", "nosniff"),
    ]
    if span is not None and span.start == span.end:
        headers.append(("content-range", f"bytes */{found.st_size}"))
        await respond.head(416, _BYTES, headers)
        await respond.end()
        return
    if span is not None:
        headers.append(("content-range", f"bytes {span.start}-{span.end - 1}/{found.st_size}"))
    whole = span or Span(0, found.st_size)
    headers.append(("content-length", str(whole.end - whole.start)))
    await respond.head(206 if span else 200, media_type(parts) or _BYTES, headers)
    at = whole.start
    while at < whole.end:
        data = await asyncio.to_thread(os.pread, descriptor, min(PIECE, whole.end - at), at)
        if not data:
            await respond.end(error="the file became shorter while it was sent")
            return
        at += len(data)
        await respond.body(data, _BYTES)
    await respond.end()
