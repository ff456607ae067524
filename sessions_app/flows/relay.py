"""Relays: one reader for each session's runner stream, in the process that holds the runner's tunnel."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import orjson
from django.db import DatabaseError

from omnigent.api.pool import DatabasePool
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import events, sse
from omnigent.protocol.frames import EVENT_ACK, EVENT_ACK_HEADER, Headers, StreamAck
from sessions_app.events.writer import Writer
from sessions_app.services import relaying
from sessions_app.services.commit import IngestUnit, Superseded
from sessions_app.tunnels.tunnel import Tunnel

logger = logging.getLogger(__name__)

INIT_SECONDS = 10.0
FIRST_BYTE_SECONDS = 5.0
MAX_IN_FLIGHT = 64
RETRY_SECONDS = 0.2


@dataclass(slots=True)
class Relay:
    """The relay of one session over one tunnel.

    `ready` is done once the runner is told of the session and the stream has answered; it carries the error
    when that failed.
    """

    session_pk: int
    tunnel: Tunnel
    ready: "asyncio.Future[None]"
    task: "asyncio.Task[None] | None" = None
    reading: "asyncio.Task[None] | None" = None
    in_flight: list["asyncio.Future[None]"] = field(default_factory=list)
    failure: BaseException | None = None

    def check(self, done: "asyncio.Future[None]") -> None:
        """A commit that failed ends this reading of the stream: what was not committed is sent again."""
        error = None if done.cancelled() else done.exception()
        if error is not None and self.reading is not None:
            self.failure = self.failure or error
            self.reading.cancel()


class Relays:
    """All relays of this process."""

    def __init__(self, *, pool: DatabasePool, writer: Writer, server_version: str) -> None:
        self._pool = pool
        self._writer = writer
        self._server_version = server_version
        self._relays: dict[int, Relay] = {}

    def ensure(self, session_pk: int, tunnel: Tunnel) -> Relay:
        """The session's relay over this tunnel, started if there is none."""
        relay = self._relays.get(session_pk)
        if relay is not None and relay.tunnel is tunnel and relay.task is not None and not relay.task.done():
            return relay
        if relay is not None and relay.task is not None:
            relay.task.cancel()
        relay = Relay(session_pk, tunnel, asyncio.get_running_loop().create_future())
        relay.ready.add_done_callback(_seen)
        self._relays[session_pk] = relay
        relay.task = asyncio.create_task(self._run(relay), name=f"relay-{session_pk}")
        return relay

    async def drop(self, session_pk: int) -> None:
        """End the relay of a session that is gone or bound elsewhere."""
        relay = self._relays.pop(session_pk, None)
        if relay is not None and relay.task is not None:
            relay.task.cancel()
            await asyncio.gather(relay.task, return_exceptions=True)

    async def stop(self) -> None:
        """End all relays."""
        for session_pk in list(self._relays):
            await self.drop(session_pk)

    def __len__(self) -> int:
        return len(self._relays)

    async def _run(self, relay: Relay) -> None:
        try:
            while not relay.tunnel.lost.is_set():
                await self._attempt(relay)
                await asyncio.sleep(RETRY_SECONDS)
        except (Superseded, relaying.NotOurs) as reason:
            logger.info("relay_ended", extra={"session": relay.session_pk, "reason": type(reason).__name__})
            _fail(relay, OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, "The session was bound elsewhere"))
        except OmnigentError as error:
            _fail(relay, error)
        finally:
            _fail(relay, OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, "The relay has ended"))
            if self._relays.get(relay.session_pk) is relay:
                del self._relays[relay.session_pk]

    async def _attempt(self, relay: Relay) -> None:
        """One reading of the stream. A failure before the first success is final; later ones are retried."""
        try:
            await self._read_once(relay)
        except (OmnigentError, DatabaseError) as error:
            if not relay.ready.done():
                raise
            logger.warning("relay_broken", extra={"session": relay.session_pk, "reason": str(error)[:200]})

    async def _read_once(self, relay: Relay) -> None:
        """Take the fence, open the stream, and commit what comes until it ends."""
        start = await self._pool.run(
            relaying.take_over,
            session_pk=relay.session_pk,
            runner_id=relay.tunnel.name,
            tunnel_generation=relay.tunnel.generation,
        )
        headers: Headers = (("Accept", "text/event-stream"),)
        if EVENT_ACK in relay.tunnel.capabilities:
            headers += ((EVENT_ACK_HEADER, "1"),)
            if start.ingest_number:
                headers += (("Last-Event-ID", f"{start.ingest_stream}.{start.ingest_number}"),)
        path = f"/v1/sessions/{start.session_id}/stream"
        exchange_id, exchange = await relay.tunnel.request("GET", path, headers=headers, stream=True)
        try:
            async with asyncio.timeout(FIRST_BYTE_SECONDS):
                head = await exchange.head()
            if head.status != 200:
                raise OmnigentError(
                    ErrorCode.RUNNER_UNAVAILABLE, f"The runner's stream answered {head.status}"
                )
            relay.failure = None
            relay.in_flight.clear()
            relay.reading = asyncio.create_task(self._pump(relay, start, exchange.body()))
            try:
                await self._init(relay, start)
                if not relay.ready.done():
                    relay.ready.set_result(None)
                await asyncio.wait([relay.reading])
                if relay.failure is not None:
                    raise relay.failure
                await relay.reading
            finally:
                relay.reading.cancel()
                await asyncio.gather(relay.reading, return_exceptions=True)
        except TimeoutError:
            raise OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, "The runner's stream did not open") from None
        finally:
            if not relay.tunnel.lost.is_set():
                await relay.tunnel.cancel(exchange_id)

    async def _init(self, relay: Relay, start: relaying.Start) -> None:
        body = orjson.dumps(relaying.init_body(start, self._server_version))
        _, exchange = await relay.tunnel.request("POST", "/v1/sessions", body=body)
        async with asyncio.timeout(INIT_SECONDS):
            head = await exchange.head()
            answer = b"".join([chunk async for chunk in exchange.body()])
        if head.status >= 400:
            raise OmnigentError(
                ErrorCode.RUNNER_UNAVAILABLE,
                f"The runner refused the session ({head.status}): {answer[:500].decode(errors='replace')}",
            )

    async def _pump(self, relay: Relay, start: relaying.Start, body: AsyncIterator[bytes]) -> None:
        decoder = sse.Decoder()
        counter = Counter(start.ingest_stream, start.ingest_number)
        acknowledge = _acknowledger(relay, start.session_id)
        async for chunk in body:
            batch, ended = _decode(decoder.feed(chunk), counter)
            if batch:
                await self._submit(relay, start, batch, counter, acknowledge)
            if ended:
                return

    async def _submit(
        self,
        relay: Relay,
        start: relaying.Start,
        batch: list[events.Event],
        counter: "Counter",
        acknowledge: Callable[["asyncio.Future[None]", str, int], None],
    ) -> None:
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        number = counter.number if counter.is_counting else 0
        self._writer.submit(
            IngestUnit(
                session_pk=relay.session_pk,
                generation=start.generation,
                memory=start.memory,
                batch=batch,
                stream=counter.stream,
                number=number,
                outcome=outcome,
            )
        )
        stream = counter.stream
        outcome.add_done_callback(lambda done: acknowledge(done, stream, number))
        outcome.add_done_callback(relay.check)
        relay.in_flight.append(outcome)
        if len(relay.in_flight) >= MAX_IN_FLIGHT:
            await relay.in_flight[0]
        while relay.in_flight and relay.in_flight[0].done():
            relay.in_flight.pop(0)


@dataclass(slots=True)
class Counter:
    """Where a numbered stream stands; events at or below it were committed before."""

    stream: str
    number: int
    is_counting: bool = False

    def is_new(self, event_id: str | None) -> bool:
        """Take the id of the next event; false when it was committed already."""
        stream, dot, number = (event_id or "").rpartition(".")
        if not dot or not number.isdigit():
            return True
        self.is_counting = True
        if stream == self.stream and int(number) <= self.number:
            return False
        self.stream, self.number = stream, int(number)
        return True


def _decode(messages: list[sse.Message], counter: Counter) -> tuple[list[events.Event], bool]:
    batch: list[events.Event] = []
    for message in messages:
        if message.data == "[DONE]":
            return batch, True
        try:
            event = events.parse(orjson.loads(message.data))
        except (events.FrameError, orjson.JSONDecodeError) as error:
            logger.info("runner_event_dropped", extra={"reason": str(error)[:200]})
            counter.is_new(message.id)
            continue
        if event.type == "session.heartbeat":
            continue
        if counter.is_new(message.id):
            batch.append(event)
    return batch, False


def _acknowledger(relay: Relay, session_id: str) -> Callable[["asyncio.Future[None]", str, int], None]:
    """Tells a counting runner what is committed, at most one message on its way at a time."""
    latest = ""
    sending: asyncio.Task[None] | None = None

    async def send() -> None:
        nonlocal latest
        while latest:
            event_id, latest = latest, ""
            try:
                await relay.tunnel.send(StreamAck(session_id=session_id, id_=event_id))
            except OmnigentError:
                return

    def acknowledge(done: "asyncio.Future[None]", stream: str, number: int) -> None:
        nonlocal latest, sending
        if done.cancelled() or done.exception() is not None or not number:
            return
        latest = f"{stream}.{number}"
        if sending is None or sending.done():
            sending = asyncio.get_running_loop().create_task(send())

    return acknowledge


def _fail(relay: Relay, error: OmnigentError) -> None:
    if not relay.ready.done():
        relay.ready.set_exception(error)


def _seen(future: "asyncio.Future[None]") -> None:
    if not future.cancelled():
        future.exception()
