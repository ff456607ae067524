"""Stop a session's runner process: interrupt first, then ask the host."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.flows.launch import stop_runner
from sessions_app.services import launching
from sessions_app.services.receipts import Receipts

if TYPE_CHECKING:
    from sessions_app.process import Process


async def finish(
    process: "Process", session_pk: int, receipts: Receipts, answer: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Stop as a request asks; its receipt is kept once the host has confirmed."""
    try:
        await stop_session(process, session_pk)
    except OmnigentError:
        await process.pool.run(receipts.release)
        raise
    await process.pool.run(receipts.record, 202, answer)
    return answer


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
