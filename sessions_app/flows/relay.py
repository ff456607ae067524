"""The relay: the one reader of a session's runner stream in the whole cluster, while its tunnel lives."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson
from django.db import DatabaseError

from omnigent.ending import end
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol.frames import EVENT_ACK, EVENT_ACK_HEADER, Headers
from sessions_app.flows import forgetful
from sessions_app.flows.policing.screening import Screen
from sessions_app.flows.reading import Reading
from sessions_app.services import fleet, relaying
from sessions_app.services.commit import Skipped, Superseded
from sessions_app.tunnels.tunnel import Tunnel, TunnelLost

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)

INIT_SECONDS = 10.0
FIRST_BYTE_SECONDS = 5.0
SETTLE_SECONDS = 10.0
RETRY_SECONDS = 0.2
MAX_RETRY_SECONDS = 5.0


@dataclass(slots=True)
class Relay:
    """The relay of one session over one tunnel.

    `ready` is done once the runner is told of the session and the stream has answered; it carries the error
    when that failed.
    """

    session_pk: int
    tunnel: Tunnel
    ready: "asyncio.Future[None]" = field(default_factory=lambda: _future())
    task: "asyncio.Task[None] | None" = None
    reading: Reading | None = None

    @property
    def is_running(self) -> bool:
        """Whether it still does something."""
        return self.task is not None and not self.task.done()

    def opened(self) -> None:
        """The stream is open and the runner knows the session."""
        if not self.ready.done():
            self.ready.set_result(None)

    def fail(self, error: OmnigentError) -> None:
        """Tell those who wait for it that it could not be opened."""
        if not self.ready.done():
            self.ready.set_exception(error)
            self.ready.exception()

    def reopen(self) -> None:
        """The next try has its own outcome."""
        if self.ready.done() and self.ready.exception() is not None:
            self.ready = _future()


def _future() -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future()


class Relays:
    """All relays of this process. A stream that does not open for `patience` seconds fails its turn.

    `quiet` is how long a runner that acknowledges nothing is given to say what it has kept.
    """

    def __init__(self, process: "Process", *, server_version: str) -> None:
        self.patience = 30.0
        self.quiet = 2.0
        self._process = process
        self._pool = process.pool
        self._server_version = server_version
        self._relays: dict[int, Relay] = {}

    def ensure(self, session_pk: int, tunnel: Tunnel) -> Relay:
        """The session's relay over this tunnel, started if there is none."""
        older = self._relays.get(session_pk)
        if older is not None and older.tunnel is tunnel and older.is_running:
            return older
        relay = Relay(session_pk, tunnel)
        self._relays[session_pk] = relay
        relay.task = asyncio.create_task(self._run(relay, older), name=f"relay-{session_pk}")
        return relay

    async def drop(self, session_pk: int) -> None:
        """End the relay of a session that is gone or bound elsewhere."""
        relay = self._relays.pop(session_pk, None)
        if relay is not None and relay.task is not None:
            await end([relay.task])

    async def stop(self) -> None:
        """End all relays."""
        relays, self._relays = self._relays, {}
        await end(relay.task for relay in relays.values() if relay.task is not None)

    def __len__(self) -> int:
        return len(self._relays)

    async def _run(self, relay: Relay, older: Relay | None) -> None:
        try:
            if older is not None:
                await _finish(older)
            await self._keep_reading(relay)
        except relaying.NotOurs:
            logger.info("relay_ended", extra={"session": relay.session_pk})
        finally:
            # Whoever waits tries again later, over the tunnel that the session then has.
            relay.fail(TunnelLost(relay.tunnel.name))
            if self._relays.get(relay.session_pk) is relay:
                del self._relays[relay.session_pk]

    async def _keep_reading(self, relay: Relay) -> None:
        """Read until the tunnel goes. A session that has work for its runner is tried again and again."""
        pause, opened_at = RETRY_SECONDS, asyncio.get_running_loop().time()
        while not relay.tunnel.lost.is_set():
            relay.reopen()
            reason: BaseException | None = None
            try:
                await self._read_once(relay)
            except relaying.NotOurs:
                raise
            except Superseded:
                # By a newer tunnel, which the next try will find, or by whoever has settled the turn.
                logger.info("relay_superseded", extra={"session": relay.session_pk})
            except (OmnigentError, DatabaseError, Skipped) as error:
                reason = error
                logger.warning(
                    "relay_broken", extra={"session": relay.session_pk, "reason": str(error)[:200]}
                )
            except Exception:
                logger.exception("relay_broken", extra={"session": relay.session_pk})
            now = asyncio.get_running_loop().time()
            if relay.ready.done() and relay.ready.exception() is None:
                relay.ready, pause, opened_at = _future(), RETRY_SECONDS, now
            elif not await self._is_worth_it(relay, reason, is_last=now - opened_at > self.patience):
                return
            else:
                pause = min(pause * 2, MAX_RETRY_SECONDS)
            await _wait(relay.tunnel.lost, pause)

    async def _is_worth_it(self, relay: Relay, reason: BaseException | None, *, is_last: bool) -> bool:
        """After a stream that did not open: tell who waits, and say whether to try again."""
        unknown = OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, "The runner's stream could not be opened")
        error = reason if isinstance(reason, OmnigentError) else unknown
        relay.fail(error)
        session_pk, runner_id = relay.session_pk, relay.tunnel.name
        try:
            if not await self._pool.run(relaying.is_busy, session_pk=session_pk, runner_id=runner_id):
                return False
            if is_last and not relay.tunnel.lost.is_set():
                await self._pool.run(
                    fleet.fail_turn, session_pk, runner_id, code=error.code.value, message=error.message
                )
                return False
        except DatabaseError:
            logger.exception("relay_not_judged", extra={"session": relay.session_pk})
        return True

    async def _read_once(self, relay: Relay) -> None:
        """Take the fence, open the stream, and commit what comes until it ends."""
        if relay.reading is not None:
            await relay.reading.settled(SETTLE_SECONDS)
        start = await self._pool.run(
            relaying.take_over,
            session_pk=relay.session_pk,
            runner_id=relay.tunnel.name,
            tunnel_generation=relay.tunnel.generation,
        )
        path = f"/v1/sessions/{start.session_id}/stream"
        exchange_id, exchange = await relay.tunnel.request(
            "GET", path, headers=_stream_headers(relay.tunnel, start), stream=True
        )
        try:
            async with _in_time("The runner's stream did not open", FIRST_BYTE_SECONDS):
                head = await exchange.head()
            if head.status != 200:
                raise OmnigentError(
                    ErrorCode.RUNNER_UNAVAILABLE, f"The runner's stream answered {head.status}"
                )
            relay.reading = Reading(
                session_pk=relay.session_pk,
                start=start,
                tunnel=relay.tunnel,
                writer=self._process.writer,
                screen=Screen(self._process, relay.session_pk, "".join(start.memory.text)),
            )
            reading = asyncio.ensure_future(relay.reading.run(exchange.body()))
            looking = asyncio.ensure_future(
                forgetful.end_what_has_ended(self._process, relay.tunnel, start, relay.reading)
            )
            try:
                await forgetful.hear_out(self._process, relay.tunnel, start, relay.reading)
                await self._init(relay, start)
                relay.opened()
                await reading
            finally:
                reading.cancel()
                looking.cancel()
                await asyncio.gather(reading, looking, return_exceptions=True)
        finally:
            if not relay.tunnel.lost.is_set():
                await relay.tunnel.cancel(exchange_id)

    async def _init(self, relay: Relay, start: relaying.Start) -> None:
        body = orjson.dumps(relaying.init_body(start, self._server_version))
        async with _in_time("The runner did not take the session", INIT_SECONDS):
            exchange_id, exchange = await relay.tunnel.request("POST", "/v1/sessions", body=body)
            try:
                head = await exchange.head()
                answer = b"".join([chunk async for chunk in exchange.body()])
            finally:
                await relay.tunnel.cancel(exchange_id)
        if head.status >= 400:
            raise OmnigentError(
                ErrorCode.RUNNER_UNAVAILABLE,
                f"The runner refused the session ({head.status}): {answer[:500].decode(errors='replace')}",
            )


async def _finish(older: Relay) -> None:
    """Let the relay that is replaced commit what it has received: a runner may not send it again."""
    if older.task is None:
        return
    if older.tunnel.lost.is_set():
        await asyncio.wait([older.task], timeout=SETTLE_SECONDS)
    await end([older.task])
    if older.reading is not None:
        await older.reading.settled(SETTLE_SECONDS)


def _stream_headers(tunnel: Tunnel, start: relaying.Start) -> Headers:
    headers: Headers = (("Accept", "text/event-stream"),)
    if EVENT_ACK in tunnel.capabilities:
        headers += ((EVENT_ACK_HEADER, "1"),)
        if start.ingest_number:
            headers += (("Last-Event-ID", f"{start.ingest_stream}.{start.ingest_number}"),)
    return headers


@asynccontextmanager
async def _in_time(complaint: str, seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, f"{complaint} within {seconds:g} s") from None


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
