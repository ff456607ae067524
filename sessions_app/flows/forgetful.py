"""Runners that acknowledge nothing: what was lost with a connection is found out by asking how they stand."""

import asyncio
from typing import TYPE_CHECKING

import orjson

from omnigent.errors import OmnigentError
from omnigent.protocol.frames import EVENT_ACK
from sessions_app.flows.reading import Reading
from sessions_app.models import OutboxKind
from sessions_app.services import forgetful
from sessions_app.services.outbox import Delivery
from sessions_app.services.relaying import Start
from sessions_app.tunnels.tunnel import Tunnel

if TYPE_CHECKING:
    from sessions_app.process import Process

ASK_SECONDS = 10.0
QUIET_LOOKS = 4
WORKING = "running"
AT_REST = ("idle", "failed")


async def has_taken(process: "Process", tunnel: Tunnel, delivery: Delivery) -> bool:
    """Whether the runner was given this message by a server that died before it could note the answer.

    A runner that acknowledges drops what it has had; another one would answer a second time.
    """
    if EVENT_ACK in tunnel.capabilities or delivery.kind != OutboxKind.MESSAGE:
        return False
    if delivery.sent_to != tunnel.name:
        await process.pool.run(forgetful.note_sending, delivery=delivery)
        return False
    status = await _status(process, tunnel, delivery.session_id)
    if status != WORKING:
        # It has kept what it had to say meanwhile, and says that first.
        await asyncio.sleep(process.relays.quiet)
    return await process.pool.run(forgetful.was_taken, delivery=delivery, is_working=status == WORKING)


async def hear_out(process: "Process", tunnel: Tunnel, start: Start, reading: Reading) -> None:
    """Store what a runner that was at work has kept, before it is told of the session and loads its history.

    One that has ended its turn meanwhile would find the prompt there without the answer.
    """
    if EVENT_ACK in tunnel.capabilities or start.turn_pk is None:
        return
    pause, heard = process.relays.quiet / QUIET_LOOKS, -1
    for _ in range(QUIET_LOOKS):
        if heard == reading.heard:
            break
        heard = reading.heard
        await asyncio.sleep(pause)
    await reading.settled(process.relays.quiet)


async def end_what_has_ended(process: "Process", tunnel: Tunnel, start: Start, reading: Reading) -> None:
    """End the turn of a runner that is at rest: it said so over a connection that broke.

    It is asked twice, with time for what it has kept to arrive before each.
    """
    if EVENT_ACK in tunnel.capabilities or not start.is_running:
        return
    for _ in range(2):
        await asyncio.sleep(process.relays.quiet)
        if await _status(process, tunnel, start.session_id) not in AT_REST:
            return
    end = await process.pool.run(
        forgetful.lost_end,
        session_pk=start.session_pk,
        runner_id=tunnel.name,
        turn_pk=start.turn_pk,
    )
    if end:
        await reading.add(end)


async def _status(process: "Process", tunnel: Tunnel, session_id: str) -> str:
    """How the runner says that the session stands; empty when it does not know, or does not say."""
    try:
        answer = await process.rpc.runner(
            tunnel.name, "GET", f"/v1/sessions/{session_id}", seconds=ASK_SECONDS
        )
        told = orjson.loads(answer.body) if answer.status == 200 else None
    except (OmnigentError, orjson.JSONDecodeError):
        return ""
    return str(told.get("status")) if isinstance(told, dict) else ""
