"""After a session was archived: its runner ends, and its work tree goes if that was asked for."""

import asyncio
import logging
from typing import TYPE_CHECKING

from omnigent.errors import OmnigentError
from sessions_app.flows import stop, worktrees
from sessions_app.services import launching
from sessions_app.services import worktrees as noted

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)


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
    tree = await process.pool.run(noted.of_archived, session_pk)
    if tree is None:
        return
    try:
        await worktrees.take_away(process, tree, with_branch=False)
    except OmnigentError as error:
        logger.info("worktree_kept", extra={"path": tree.path, "reason": error.message})
