"""A file of a workspace as a download: fetched from its runner in parts, as fast as its reader reads them.

A tunnel has no flow control of its own, so a runner that knows ranges is asked for one part after the other.
One that does not sends the whole file, and a reader who falls too far behind is cut off.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.flows.resources import SECONDS, answered, nonsense
from sessions_app.rpc import RunnerAnswer, RunnerStream
from sessions_app.services.environments import Place
from sessions_app.services.receipts import Answer

if TYPE_CHECKING:
    from sessions_app.process import Process

PART = 4 * 1024 * 1024
MAX_REFUSAL = 64 * 1024
RANGE = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))")
CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")
UNSATISFIED = re.compile(r"bytes \*/([0-9]{1,18})")
WHOLE, PARTIAL, BEYOND = 200, 206, 416


@dataclass(frozen=True, kw_only=True, slots=True)
class Range:
    """What of a file is wanted: from `start` to `end`, both included, or its last `last` bytes."""

    start: int = 0
    end: int | None = None
    last: int | None = None

    def within(self, size: int) -> tuple[int, int] | None:
        """The first byte and the one after the last; None when the file has none of it."""
        if self.last is not None:
            return (max(0, size - self.last), size) if self.last and size else None
        if self.start >= size:
            return None
        return self.start, size if self.end is None else min(self.end + 1, size)


def range_of(header: str | None) -> Range | None:
    """A Range header; None, which means the whole, also for several ranges and for what is no range."""
    match = None if header is None else RANGE.fullmatch(header.strip())
    if match is None:
        return None
    start, end, last = match.groups()
    if last is not None:
        return Range(last=int(last))
    found = Range(start=int(start), end=int(end) if end else None)
    return None if found.end is not None and found.end < found.start else found


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of the file as the runner has sent it. `version` tells one content of the file from another."""

    start: int
    stop: int
    size: int
    version: tuple[str, str]
    stream: RunnerStream

    async def bytes(self, start: int, stop: int) -> AsyncIterator[bytes]:
        """Its bytes from `start` to before `stop`. Raises when it ends too early."""
        at, end = self.start, min(stop, self.stop)
        async for chunk in timely(self.stream.body):
            piece = chunk[max(0, start - at) : max(0, end - at)]
            at += len(chunk)
            if piece:
                yield piece
            if at >= end:
                return
        if at < end:
            raise nonsense("The runner's file ended too early")


class Download:
    """One file on its way: what is known of it before the first byte."""

    def __init__(self, fetcher: "Fetcher", first: Part, wanted: Range | None) -> None:
        place = (0, first.size) if wanted is None else wanted.within(first.size)
        self.size = first.size
        self.etag = first.version[0]
        self.status = BEYOND if place is None else WHOLE if wanted is None else PARTIAL
        self.start, self.stop = place or (0, 0)
        self._fetcher = fetcher
        self._first = first

    def widen(self) -> None:
        """Send the whole after all."""
        self.status, self.start, self.stop = WHOLE, 0, self.size

    async def bytes(self) -> AsyncGenerator[bytes, None]:
        """The bytes, as they come. Raises when the file has changed on the way or the runner has gone."""
        at, first = self.start, self._first
        if first.start <= at < first.stop:
            async for chunk in first.bytes(at, self.stop):
                at += len(chunk)
                yield chunk
        while at < self.stop:
            async with self._fetcher.part(at, min(at + PART, self.stop)) as part:
                if isinstance(part, Answer) or (part.size, part.version) != (self.size, first.version):
                    raise nonsense("The file has changed on its way")
                if not part.start <= at < part.stop:
                    raise nonsense("The runner sent another part of the file")
                async for chunk in part.bytes(at, self.stop):
                    at += len(chunk)
                    yield chunk


class Fetcher:
    """Asks a runner for a file; `suffix` is its path below the resources, with the query."""

    def __init__(self, process: "Process", place: Place, suffix: str) -> None:
        self._process = process
        self._place = place
        self._path = place.path + suffix

    @asynccontextmanager
    async def open(self, wanted: Range | None) -> AsyncIterator[Download | Answer]:
        """The download, or the runner's refusal. Raises 503 and 502."""
        start, stop = 0, PART
        if wanted is not None and wanted.last is not None:
            # How large the file is has to be known first.
            stop = 1
        elif wanted is not None:
            start = wanted.start
            stop = start + PART if wanted.end is None else min(start + PART, wanted.end + 1)
        async with self.part(start, stop) as first:
            yield first if isinstance(first, Answer) else Download(self, first, wanted)

    @asynccontextmanager
    async def part(self, start: int, stop: int) -> AsyncIterator[Part | Answer]:
        """The part from `start` to before `stop`, or the whole where the runner knows no ranges."""
        headers = (("Range", f"bytes={start}-{stop - 1}"),)
        asked = self._process.rpc.runner_stream(self._place.runner_id, "GET", self._path, headers=headers)
        try:
            async with asyncio.timeout(SECONDS) as deadline, asked as stream:
                part = await _part_of(stream, start)
                deadline.reschedule(None)
                yield part
        except TimeoutError:
            raise nonsense(f"The runner did not answer within {SECONDS:g} s") from None


async def timely(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The slices of a body, as long as the runner goes on to send."""
    slices = aiter(body)
    while True:
        try:
            async with asyncio.timeout(SECONDS):
                chunk = await anext(slices)
        except StopAsyncIteration:
            return
        except TimeoutError:
            raise nonsense(f"The runner sent nothing for {SECONDS:g} s") from None
        yield chunk


async def _part_of(stream: RunnerStream, start: int) -> Part | Answer:
    headers = {name.lower(): value for name, value in stream.headers}
    version = (headers.get("etag", ""), headers.get("last-modified", ""))
    if stream.status == PARTIAL:
        match = CONTENT_RANGE.fullmatch(headers.get("content-range", ""))
        if match is None:
            raise nonsense("The runner sent a part of a file and not which")
        first, last, size = map(int, match.groups())
        return Part(start=first, stop=last + 1, size=size, version=version, stream=stream)
    if stream.status == BEYOND and (match := UNSATISFIED.fullmatch(headers.get("content-range", ""))):
        # Past the end, as every part of an empty file is.
        return Part(start=start, stop=start, size=int(match[1]), version=version, stream=stream)
    if stream.status != WHOLE:
        return answered(RunnerAnswer(stream.status, stream.headers, await _short(stream)))
    if "content-disposition" not in headers:
        raise OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, "The session's runner knows no downloads")
    length = headers.get("content-length", "")
    if not length.isascii() or not length.isdigit():
        raise nonsense("The runner sent a file and not how large it is")
    return Part(start=0, stop=int(length), size=int(length), version=version, stream=stream)


async def _short(stream: RunnerStream) -> bytes:
    whole = b""
    async for chunk in timely(stream.body):
        whole += chunk
        if len(whole) > MAX_REFUSAL:
            raise nonsense("The runner's refusal is too large")
    return whole
