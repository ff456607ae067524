"""After a session was archived: its runner ends, and its work tree goes if that was asked for."""

import asyncio
import logging
from typing import TYPE_CHECKING

from omnigent.errors import OmnigentError
from omnigent.protocol import host_frames
from sessions_app.flows import launch, stop
from sessions_app.services import launching, updating

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)

WORKTREE_SECONDS = 150.0


async def settle_archived(
    process: "Process", session_id: str, seconds: float, *, delete_worktree: bool
) -> None:
    """Clean up for a session that is still archived after `seconds`.

    A server that stops in between leaves the runner to its own idle time and the work tree where it is; so
    does a host that is away.
    """
    await asyncio.sleep(seconds)
    session_pk = await process.pool.run(launching.archived, session_id)
    if session_pk is None:
        return
    try:
        await stop.stop_session(process, session_pk)
    except OmnigentError as error:
        logger.info("archived_runner_not_stopped", extra={"session": session_id, "reason": error.message})
    if delete_worktree:
        await _remove_worktree(process, session_pk)


async def _remove_worktree(process: "Process", session_pk: int) -> None:
    place = await process.pool.run(updating.worktree_of, session_pk)
    if place is None:
        return
    host_id, path = place
    ask = host_frames.RemoveWorktree(request_id=launch.request_id(), worktree_path=path)
    try:
        result = await process.rpc.host(host_id, ask, seconds=WORKTREE_SECONDS)
    except OmnigentError as error:
        logger.info("worktree_kept", extra={"path": path, "reason": error.message})
        return
    if getattr(result, "status", "") != "ok":
        logger.info("worktree_kept", extra={"path": path, "reason": getattr(result, "error", None)})
        return
    await process.pool.run(updating.forget_worktree, session_pk, path)
