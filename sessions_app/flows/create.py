"""Creating a session: its host looks at the workspace before anything is stored and launches after."""

import logging
from typing import TYPE_CHECKING

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.bodies import CreateSession, GitOptions
from sessions_app.flows import launch, placing, worktrees
from sessions_app.services import creation, hosts
from sessions_app.services.creation import Asked
from sessions_app.services.hosts import Place
from sessions_app.services.receipts import Answer, Claim
from sessions_app.services.sessions import NewSession

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)

AUTO_ROOT = "~/omnigent"
TIMED_OUT = 504


async def create_session(
    process: "Process", principal: Principal, body: CreateSession, claimed: Claim | None
) -> Answer:
    """Create a session with a registered agent."""
    return await create(process, principal, Asked(body=body, agent_id=body.agent_id), claimed)


async def create(process: "Process", principal: Principal, asked: Asked, claimed: Claim | None) -> Answer:
    """Create, place and launch. A launch that fails shows in the session's status, never here."""
    plan = await process.pool.run(creation.prepare, principal, asked, claimed)
    if isinstance(plan, Answer):
        return plan
    if plan.new is None:
        session_pk = plan.existing
    else:
        place = await _place(process, plan.new, asked.body.git, is_auto=plan.is_auto)
        made = await _commit(process, principal, plan.new, place, asked.body.git, claimed)
        if isinstance(made, Answer):
            return made
        session_pk = made
    if not plan.is_launched:
        try:
            await launch.launch(process, session_pk)
        except OmnigentError as error:
            logger.warning("launch_failed", extra={"session": session_pk, "reason": error.message})
    return await process.pool.run(creation.finish, principal, asked, session_pk, claimed)


async def _commit(
    process: "Process",
    principal: Principal,
    new: NewSession,
    place: Place,
    git: GitOptions | None,
    claimed: Claim | None,
) -> Answer | int:
    """Store the session; a work tree that it does not come to use is taken back."""
    try:
        made = await process.pool.run(creation.commit, principal, new, place, claimed)
    except Exception:
        await worktrees.take_back(process, new.host_id, place, git)
        raise
    if isinstance(made, Answer) or not made.is_new:
        await worktrees.take_back(process, new.host_id, place, git)
    return made if isinstance(made, Answer) else made.session_pk


async def _place(process: "Process", new: NewSession, git: GitOptions | None, *, is_auto: bool) -> Place:
    try:
        if new.workspace:
            return await placing.existing(process, new.host_id, new.workspace, git, session_id=new.public_id)
        return await placing.fresh(process, new.host_id, f"{AUTO_ROOT}/{new.public_id}")
    except OmnigentError as error:
        # A host that is connected and does not answer in time keeps its 504.
        if error.code is ErrorCode.HOST_OFFLINE and error.status != TIMED_OUT and not is_auto:
            raise hosts.is_offline() from None
        raise
