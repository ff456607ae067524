"""Deleting a session: stop what runs, tidy up on runner and host as far as they answer, then the rows."""

import asyncio
import logging
from typing import TYPE_CHECKING

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.flows import launch, worktrees
from sessions_app.services import removal
from sessions_app.services.receipts import Answer, Claim
from sessions_app.services.removal import Doomed
from sessions_app.services.worktrees import Tree

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)

RUNNER_SECONDS = 5.0
INTERRUPT = b'{"type":"interrupt"}'


async def delete_session(
    process: "Process", principal: Principal, session_id: str, claimed: Claim | None, *, delete_branch: bool
) -> Answer:
    """Delete a session and its sub-agents. Who is away is no obstacle, unless a branch must go."""
    plan = await process.pool.run(removal.prepare, principal, session_id, claimed)
    if isinstance(plan, Answer):
        return plan
    await asyncio.gather(*(_end_on_runner(process, doomed) for doomed in plan.tree))
    await asyncio.gather(*(launch.stop_runner(process, host, runner) for host, runner in plan.own_runners))
    is_gone = False
    if delete_branch and plan.worktree is not None and not plan.is_worktree_shared:
        is_gone = await _take_branch_away(process, plan.worktree)
    return await process.pool.run(removal.commit, plan, claimed, is_worktree_gone=is_gone)


async def _end_on_runner(process: "Process", doomed: Doomed) -> None:
    path = f"/v1/sessions/{doomed.session_id}"
    try:
        async with asyncio.timeout(RUNNER_SECONDS):
            if doomed.is_busy:
                await process.rpc.runner(
                    doomed.runner_id, "POST", f"{path}/events", body=INTERRUPT, seconds=RUNNER_SECONDS
                )
            await process.rpc.runner(doomed.runner_id, "DELETE", path, seconds=RUNNER_SECONDS)
    except (OmnigentError, TimeoutError) as error:
        logger.info("runner_not_told_of_delete", extra={"session": doomed.session_id, "reason": str(error)})


async def _take_branch_away(process: "Process", tree: Tree) -> bool:
    """Whether the tree and its branch are gone. What git has against it is no obstacle, its absence is."""
    try:
        return await worktrees.take_away(process, tree, with_branch=True) is None
    except OmnigentError as error:
        if error.code is not ErrorCode.HOST_OFFLINE:
            raise
        raise OmnigentError(
            ErrorCode.CONFLICT, "The session's host is unreachable, so its branch cannot be deleted"
        ) from None
