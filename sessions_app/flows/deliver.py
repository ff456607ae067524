"""Draining the outbox: each session's deliveries in order, one at a time in the whole cluster."""

import asyncio
import logging
import time
from enum import Enum
from typing import TYPE_CHECKING

import orjson

from omnigent.ending import end
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.flows import attachments, forgetful, launch
from sessions_app.models import OutboxKind
from sessions_app.services import outbox, presence
from sessions_app.services.controls import AGENT_ONLY
from sessions_app.tunnels.tunnel import Tunnel, TunnelLost

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)

CLAIM_SECONDS = 15.0
HOLD_SECONDS = 5.0
FORWARD_SECONDS = 60.0
INTERRUPT_SECONDS = 5.0


class Outcome(Enum):
    """What became of an attempt. One that was sent may have reached the runner; `ready` means that the runner
    is there now, and whoever holds its tunnel delivers.
    """

    DONE = "done"
    SENT = "sent"
    UNSENT = "unsent"
    READY = "ready"


class Deliveries:
    """The outbox loop of one process: it delivers for the tunnels held here, and launches missing runners."""

    def __init__(self, process: "Process", *, interval: float) -> None:
        self._process = process
        self._interval = interval
        self._wake = asyncio.Event()
        self._draining: dict[int, asyncio.Task[None]] = {}
        self._again: set[int] = set()
        self._is_stopped = False
        self._began = time.monotonic()

    def ring(self, keys: tuple[str, ...]) -> None:
        """Something was put into the outbox, or a tunnel has changed: of these sessions, or of any."""
        if keys and all(key.isdigit() for key in keys):
            for key in keys:
                self._start(int(key))
        else:
            self._wake.set()

    async def run(self) -> None:
        """Look for work whenever the bell rings, and every interval in case one was lost."""
        while True:
            try:
                async with asyncio.timeout(self._interval):
                    await self._wake.wait()
            except TimeoutError:
                pass
            self._wake.clear()
            waiting = await self._process.pool.run(outbox.waiting_sessions, holder=self._process.replica_id)
            for session_pk in waiting:
                self._start(session_pk)

    async def stop(self) -> None:
        """Stop delivering for good; what is not delivered stays in the outbox."""
        self._is_stopped = True
        await end(self._draining.values())

    def _start(self, session_pk: int) -> None:
        if self._is_stopped:
            return
        if session_pk in self._draining:
            self._again.add(session_pk)
            return
        task = asyncio.create_task(self._drain(session_pk), name=f"deliver-{session_pk}")
        self._draining[session_pk] = task
        task.add_done_callback(lambda done: self._ended(session_pk, done))

    def _ended(self, session_pk: int, task: "asyncio.Task[None]") -> None:
        self._draining.pop(session_pk, None)
        if not task.cancelled() and task.exception() is not None:
            logger.error("delivery_failed", extra={"session": session_pk}, exc_info=task.exception())
        if session_pk in self._again:
            self._again.discard(session_pk)
            self._start(session_pk)

    async def _drain(self, session_pk: int) -> None:
        process = self._process
        while True:
            delivery = await self._claim(session_pk)
            if delivery is None:
                return
            outcome = Outcome.SENT
            holding = asyncio.create_task(self._hold(delivery))
            try:
                outcome = await self._deliver(delivery)
            finally:
                holding.cancel()
                if outcome is not Outcome.DONE:
                    await process.pool.run(
                        outbox.release,
                        delivery=delivery,
                        holder=process.replica_id,
                        was_sent=outcome is Outcome.SENT,
                    )
            if outcome is Outcome.READY:
                # The tunnel's own bell rang while this claim still hid the row.
                process.announcer.bell("outbox", (str(session_pk),))
            if outcome is not Outcome.DONE:
                return

    async def _claim(self, session_pk: int) -> outbox.Delivery | None:
        """The session's next delivery. A claim that is made while this is cancelled is let go again."""
        process = self._process
        claiming = asyncio.ensure_future(
            process.pool.run(
                outbox.claim, session_pk=session_pk, holder=process.replica_id, seconds=CLAIM_SECONDS
            )
        )
        try:
            return await asyncio.shield(claiming)
        except asyncio.CancelledError:
            delivery = await claiming
            if delivery is not None:
                await process.pool.run(
                    outbox.release, delivery=delivery, holder=process.replica_id, was_sent=False
                )
            raise

    async def _hold(self, delivery: outbox.Delivery) -> None:
        """Keep the claim while its delivery takes long: the claim of a process that died is free soon."""
        process = self._process
        while True:
            await asyncio.sleep(HOLD_SECONDS)
            await process.pool.run(
                outbox.hold, delivery=delivery, holder=process.replica_id, seconds=CLAIM_SECONDS
            )

    async def _deliver(self, delivery: outbox.Delivery) -> Outcome:
        """Deliver one row, or leave it for later or for another process."""
        process = self._process
        tunnel = process.tunnels.get("runner", delivery.runner_id) if delivery.runner_id else None
        try:
            if tunnel is None:
                return await self._without_tunnel(delivery)
            await self._forward(delivery, tunnel)
        except TunnelLost:
            return Outcome.SENT
        except OmnigentError as error:
            is_rejected = isinstance(error, Rejected)
            if tunnel is not None and not is_rejected and not await self._is_final(delivery, tunnel):
                return Outcome.SENT
            code = "runner_rejected_event" if is_rejected else error.code.value
            await process.pool.run(outbox.refused, delivery=delivery, code=code, message=error.message)
        return Outcome.DONE

    async def _is_final(self, delivery: outbox.Delivery, tunnel: Tunnel) -> bool:
        """Whether what has failed is given up. What fails on an older tunnel than the runner's says nothing;
        and a runner waits for a verdict or a result for as long as it takes.
        """
        is_awaited = delivery.kind in (OutboxKind.APPROVAL, OutboxKind.TOOL_RESULT)
        if tunnel.lost.is_set() or (is_awaited and not self._is_overdue(delivery)):
            return False
        return await self._process.pool.run(
            presence.is_newest, kind=tunnel.kind, name=tunnel.name, generation=tunnel.generation
        )

    async def _without_tunnel(self, delivery: outbox.Delivery) -> Outcome:
        process = self._process
        try:
            if delivery.has_message and delivery.host_id:
                await launch.ensure_runner(process, delivery.session_pk)
                return Outcome.READY
            standing = await launch.await_runner(process, delivery.session_pk, 0)
        except OmnigentError as error:
            if error.code is ErrorCode.HOST_OFFLINE and not self._is_overdue(delivery):
                return Outcome.UNSENT
            raise
        if standing.is_online or delivery.is_parked or not self._is_overdue(delivery):
            return Outcome.UNSENT
        raise OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, "The session's runner did not come back in time")

    def _is_overdue(self, delivery: outbox.Delivery) -> bool:
        """Whether nobody came for it in time. While a server was away nobody could: its start counts anew."""
        is_patient = time.monotonic() - self._began < self._process.launch_seconds
        return delivery.is_late and not is_patient

    async def _forward(self, delivery: outbox.Delivery, tunnel: Tunnel) -> None:
        process = self._process
        relay = process.relays.ensure(delivery.session_pk, tunnel)
        await asyncio.shield(relay.ready)
        if delivery.kind == OutboxKind.MESSAGE and not delivery.was_sent:
            await process.pool.run(outbox.open_turn, delivery=delivery)
        if await forgetful.has_taken(process, tunnel, delivery):
            await process.pool.run(outbox.delivered, delivery=delivery)
            return
        seconds = INTERRUPT_SECONDS if delivery.kind == OutboxKind.INTERRUPT else FORWARD_SECONDS
        body = await attachments.with_files(process, delivery.session_pk, delivery.body)
        answer = await process.rpc.runner(
            tunnel.name,
            "POST",
            f"/v1/sessions/{delivery.session_id}/{_address_of(delivery)}",
            body=orjson.dumps(body),
            seconds=seconds,
        )
        if answer.status >= 400 and not _is_harmless(delivery, answer.status):
            text = answer.body[:500].decode(errors="replace")
            raise Rejected(f"The runner refused the event ({answer.status}): {text}")
        await process.pool.run(outbox.delivered, delivery=delivery)


def _address_of(delivery: outbox.Delivery) -> str:
    """Where below the session a runner takes it."""
    if delivery.kind != OutboxKind.RESET:
        return "events"
    return "agent-cache/reset" if delivery.body == AGENT_ONLY else "reset-state"


class Rejected(OmnigentError):
    """The runner took the event and said no."""

    def __init__(self, message: str) -> None:
        super().__init__(ErrorCode.RUNNER_UNAVAILABLE, message)


def _is_harmless(delivery: outbox.Delivery, status: int) -> bool:
    """A runner that does not know the approval or call any more has nothing left to do with it."""
    return status in (404, 409) and delivery.kind not in (OutboxKind.MESSAGE, OutboxKind.CONTROL)
