"""Creating a session: its host looks at the workspace before anything is stored and launches after."""

import logging
from typing import TYPE_CHECKING

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import host_frames
from sessions_app.bodies import CreateSession, GitOptions
from sessions_app.flows import launch
from sessions_app.services import creation, rules
from sessions_app.services.creation import Asked, Place
from sessions_app.services.receipts import Answer, Claim
from sessions_app.services.sessions import NewSession

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
WORKTREE_SECONDS = 150.0
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
        made = await process.pool.run(creation.commit, principal, plan.new, place, claimed)
        if isinstance(made, Answer):
            return made
        session_pk = made
    if not plan.is_launched:
        try:
            await launch.launch(process, session_pk)
        except OmnigentError as error:
            logger.warning("launch_failed", extra={"session": session_pk, "reason": error.message})
    return await process.pool.run(creation.finish, principal, asked, session_pk, claimed)


async def _place(process: "Process", new: NewSession, git: GitOptions | None, *, is_auto: bool) -> Place:
    try:
        if new.workspace:
            workspace = await _existing(process, new.host_id, new.workspace)
        else:
            workspace = await _fresh(process, new.host_id, f"{AUTO_ROOT}/{new.public_id}")
        if git is None:
            return Place(workspace=workspace)
        if git.existing_worktree:
            return Place(workspace=workspace, git_branch=git.branch_name)
        return await _worktree(process, new.host_id, workspace, git)
    except OmnigentError as error:
        # A host that is connected and does not answer in time keeps its 504.
        if error.code is ErrorCode.HOST_OFFLINE and error.status != TIMED_OUT and not is_auto:
            raise creation.host_is_offline() from None
        raise


async def _existing(process: "Process", host_id: str, path: str) -> str:
    ask = host_frames.Stat(request_id=launch.request_id(), path=path)
    found = await process.rpc.host(host_id, ask, seconds=LOOK_SECONDS)
    if not isinstance(found, host_frames.StatResult) or found.status != "ok":
        raise rules.invalid(f"workspace: {getattr(found, 'error', None) or 'the host cannot look at it'}")
    if not found.exists:
        raise rules.invalid(f"workspace does not exist on the host: {path}")
    if found.type != "directory":
        raise rules.invalid(f"workspace is not a directory: {path}")
    return found.canonical_path or path


async def _fresh(process: "Process", host_id: str, path: str) -> str:
    ask = host_frames.CreateDir(request_id=launch.request_id(), path=path)
    made = await process.rpc.host(host_id, ask, seconds=LOOK_SECONDS)
    if not isinstance(made, host_frames.CreateDirResult) or made.status != "ok":
        raise rules.invalid(f"workspace: {getattr(made, 'error', None) or 'the host cannot create it'}")
    return made.path or path


async def _worktree(process: "Process", host_id: str, repository: str, git: GitOptions) -> Place:
    ask = host_frames.CreateWorktree(
        request_id=launch.request_id(),
        repo_path=repository,
        branch_name=git.branch_name,
        base_branch=git.base_branch,
        existing_branch=git.existing_branch,
    )
    made = await process.rpc.host(host_id, ask, seconds=WORKTREE_SECONDS)
    if (
        not isinstance(made, host_frames.CreateWorktreeResult)
        or made.status != "ok"
        or not made.worktree_path
    ):
        raise rules.invalid(getattr(made, "error", None) or "the host could not create the work tree")
    return Place(
        workspace=made.workspace or made.worktree_path,
        git_branch=made.branch or git.branch_name,
        worktree=made.worktree_path,
    )
