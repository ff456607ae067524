"""Bringing a session back: its runner is launched again, and a message that nobody answered is delivered."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.flows import launch
from sessions_app.services import launching, recovery
from sessions_app.services.receipts import Receipts

if TYPE_CHECKING:
    from sessions_app.process import Process


async def finish(
    process: "Process", session_pk: int, receipts: Receipts, answer: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Recover as a request asks. Raises RUNNER_UNAVAILABLE when no runner comes back."""
    before = await process.pool.run(launching.standing, session_pk)
    try:
        await launch.ensure_runner(process, session_pk)
    except OmnigentError as error:
        await process.pool.run(receipts.release)
        raise OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, error.message) from None
    await process.pool.run(recovery.resume, session_pk)
    recovery_word = "already_connected" if before.is_online else "runner_relaunched"
    answer = {**answer, "recovered": True, "recovery": recovery_word}
    await process.pool.run(receipts.record, 202, answer)
    return answer
