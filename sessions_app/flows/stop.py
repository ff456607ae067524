"""Stop a session's runner process: interrupt first, then ask the host."""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.flows.launch import stop_runner
from sessions_app.services import launching
from sessions_app.services.receipts import Receipts

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)


async def finish(process: "Process", session_pk: int, receipts: Receipts, answer: Mapping[str, Any]) -> None:
    """Stop as a request asks; its receipt is kept once the host has confirmed."""
    try:
        await stop_session(process, session_pk)
    except OmnigentError:
        await process.pool.run(receipts.release)
        raise
    await process.pool.run(receipts.record, 202, answer)


async def stop_archived(process: "Process", session_id: str, seconds: float) -> None:
    """End the runner of a session that is still archived after `seconds`.

    A server that stops in between leaves the runner to its own idle time.
    """
    await asyncio.sleep(seconds)
    session_pk = await process.pool.run(launching.archived, session_id)
    if session_pk is None:
        return
    try:
        await stop_session(process, session_pk)
    except OmnigentError as error:
        logger.info("archived_runner_not_stopped", extra={"session": session_id, "reason": error.message})


async def stop_session(process: "Process", session_pk: int) -> None:
    """End the session's runner. Raises RUNNER_UNAVAILABLE when its host cannot confirm it."""
    standing = await process.pool.run(launching.standing, session_pk)
    if not standing.runner_id or not standing.host_id:
        return
    if not (standing.is_online or standing.is_starting or standing.has_connected):
        return
    if not await stop_runner(process, standing.host_id, standing.runner_id):
        raise OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, "The host could not confirm that the runner ended")
    await process.pool.run(launching.record_stop, session_pk=session_pk, runner_id=standing.runner_id)
