"""One reading of a session's runner stream: from bytes to events, to commits, to acknowledgements."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import codec, events, items, sse
from omnigent.protocol.frames import StreamAck
from sessions_app.events.writer import Writer
from sessions_app.flows.policing.screening import Screen
from sessions_app.services.commit import IngestUnit
from sessions_app.services.relaying import Start
from sessions_app.tunnels.tunnel import Tunnel

logger = logging.getLogger(__name__)

MAX_IN_FLIGHT = 512
"""Batches of one stream that wait for a commit; what is faster than that waits in its tunnel."""
MAX_BYTES_IN_FLIGHT = 8 * 1024 * 1024
MAX_STREAM_NAME = 64
MAX_DIGITS = 18


class Reading:
    """Commits what a stream carries, in order. The first commit that fails ends it: `failure` says why.

    `heard` counts the pieces that have come.
    """

    def __init__(
        self, *, session_pk: int, start: Start, tunnel: Tunnel, writer: Writer, screen: Screen
    ) -> None:
        self.failure: BaseException | None = None
        self.heard = 0
        self._session_pk = session_pk
        self._start = start
        self._writer = writer
        self._screen = screen
        self._counter = Counter(start.ingest_stream, start.ingest_number)
        self._acknowledger = Acknowledger(tunnel, start.session_id)
        self._in_flight: deque[tuple[asyncio.Future[None], int]] = deque()
        self._bytes_in_flight = 0
        self._failed = asyncio.Event()

    async def run(self, body: AsyncIterator[bytes]) -> None:
        """Read until the stream ends or something of it cannot be committed. Raises the reason."""
        pump = asyncio.ensure_future(self._pump(body))
        failed = asyncio.ensure_future(self._failed.wait())
        try:
            await asyncio.wait((pump, failed), return_when=asyncio.FIRST_COMPLETED)
            if self.failure is not None:
                raise self.failure
            await pump
        finally:
            for task in (pump, failed):
                task.cancel()
            await asyncio.gather(pump, failed, return_exceptions=True)

    async def settled(self, seconds: float) -> None:
        """Wait until what was submitted is committed or has failed: nobody may take over before."""
        open_commits = [one for one, _ in self._in_flight if not one.done()]
        if open_commits:
            await asyncio.wait(open_commits, timeout=seconds)

    async def add(self, batch: Sequence[events.Event]) -> None:
        """Commit events of ours after what the runner has said so far."""
        await self._submit(batch, size=0)

    async def _pump(self, body: AsyncIterator[bytes]) -> None:
        decoder = sse.Decoder()
        try:
            async for chunk in body:
                self.heard += 1
                batch, ended = decode(decoder.feed(chunk), self._counter)
                if batch:
                    await self._submit(await self._screen.screened(batch), size=len(chunk))
                if ended:
                    return
        except sse.StreamError as error:
            raise OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, f"The runner's stream: {error}") from None

    async def _submit(self, batch: Sequence[events.Event], *, size: int) -> None:
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        stream, number = self._counter.stream, self._counter.number if self._counter.is_counting else 0

        def report(error: BaseException | None) -> None:
            if not outcome.done():
                outcome.set_result(None)
            if error is None:
                self._acknowledger.committed(stream, number)
            elif self.failure is None:
                self.failure = error
                self._failed.set()

        self._writer.submit(
            IngestUnit(
                session_pk=self._session_pk,
                generation=self._start.generation,
                memory=self._start.memory,
                batch=batch,
                stream=stream,
                number=number,
                report=report,
            )
        )
        self._in_flight.append((outcome, size))
        self._bytes_in_flight += size
        while self._in_flight and (self._in_flight[0][0].done() or self._is_full):
            oldest, its_size = self._in_flight[0]
            if not oldest.done():
                # Not by itself: whoever is cancelled here must not cancel what `settled` waits for.
                await asyncio.wait([oldest])
            if self._in_flight and self._in_flight[0][0] is oldest:
                self._in_flight.popleft()
                self._bytes_in_flight -= its_size

    @property
    def _is_full(self) -> bool:
        return len(self._in_flight) >= MAX_IN_FLIGHT or self._bytes_in_flight > MAX_BYTES_IN_FLIGHT


@dataclass(slots=True)
class Counter:
    """Where a numbered stream stands; events at or below it were committed before."""

    stream: str
    number: int
    is_counting: bool = False

    def is_new(self, event_id: str | None) -> bool:
        """Take the id of the next event; false when it was committed already."""
        stream, dot, digits = (event_id or "").rpartition(".")
        if not dot or not digits.isascii() or not digits.isdigit() or len(digits) > MAX_DIGITS:
            return True
        if len(stream) > MAX_STREAM_NAME:
            return True
        self.is_counting = True
        number = int(digits)
        if stream == self.stream and number <= self.number:
            return False
        self.stream, self.number = stream, number
        return True


def decode(messages: Sequence[sse.Message], counter: Counter) -> tuple[list[events.Event], bool]:
    """The new events among a stream's messages, and whether the runner has ended the stream."""
    batch: list[events.Event] = []
    for message in messages:
        if message.is_done:
            return batch, True
        try:
            event = _event(message.data)
        except events.FrameError as error:
            logger.info("runner_event_dropped", extra={"reason": str(error)[:200]})
            counter.is_new(message.id)
            continue
        if event.type != events.SessionHeartbeat.type and counter.is_new(message.id):
            batch.append(event)
    return batch, False


def _event(text: str) -> events.Event:
    body = codec.decode(text)
    if "\\u0000" in text:
        body = items.scrub(body)
    return events.parse(body)


class Acknowledger:
    """Tells a counting runner what is committed, with at most one message on its way."""

    def __init__(self, tunnel: Tunnel, session_id: str) -> None:
        self._tunnel = tunnel
        self._session_id = session_id
        self._latest = ""
        self._sending: asyncio.Task[None] | None = None

    def committed(self, stream: str, number: int) -> None:
        """Everything up to this number is committed; 0 is a runner that does not count."""
        if not number:
            return
        self._latest = f"{stream}.{number}"
        if self._sending is None or self._sending.done():
            self._sending = asyncio.get_running_loop().create_task(self._send())

    async def _send(self) -> None:
        while self._latest:
            event_id, self._latest = self._latest, ""
            try:
                await self._tunnel.send(StreamAck(session_id=self._session_id, id_=event_id))
            except OmnigentError:
                return
