"""Work trees on hosts, noted before they are made: made for a session, taken back, and taken away."""

import logging
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from omnigent.api.pool import DatabasePool
from omnigent.errors import OmnigentError
from omnigent.git_names import BadGitName, check_base, check_branch
from omnigent.protocol import host_frames
from sessions_app.bodies import GitOptions
from sessions_app.flows import launch
from sessions_app.rpc import Rpc
from sessions_app.services import rules, worktrees
from sessions_app.services.hosts import Place
from sessions_app.services.worktrees import Tree

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
GIT_SECONDS = 150.0
MAX_PATH = 4096
MAX_BRANCH = 256


class Reach(Protocol):
    """A way to hosts and to the database: a server process, or a command of its operator."""

    rpc: Rpc
    pool: DatabasePool


def check_names(git: GitOptions) -> None:
    """Refuse names that git would refuse or misread, before any host is asked. Raises 400."""
    try:
        check_branch(git.branch_name)
        if git.base_branch:
            check_base(git.base_branch)
    except BadGitName as error:
        raise rules.invalid(str(error)) from None


async def make(
    process: "Process", host_id: str, repository: str, git: GitOptions, *, session_id: str
) -> Place:
    """A new work tree for a session. Raises 400 with git's words, else what the host's absence raises.

    When the host's answer is lost, the note stays: `manage.py orphaned_worktrees` finds the tree by it.
    """
    request_id = launch.request_id()
    await process.pool.run(
        worktrees.begin,
        request_id=request_id,
        session_id=session_id,
        host_id=host_id,
        repository=repository,
        branch=git.branch_name,
    )
    ask = host_frames.CreateWorktree(
        request_id=request_id,
        repo_path=repository,
        branch_name=git.branch_name,
        base_branch=git.base_branch or None,
        existing_branch=git.existing_branch,
    )
    made = await process.rpc.host(host_id, ask, seconds=GIT_SECONDS)
    is_made = isinstance(made, host_frames.CreateWorktreeResult) and made.status == "ok"
    if not isinstance(made, host_frames.CreateWorktreeResult) or not is_made or not made.worktree_path:
        await process.pool.run(worktrees.give_up, request_id)
        raise rules.invalid(getattr(made, "error", None) or "the host could not create the work tree")
    branch = made.branch or git.branch_name
    workspace = made.workspace or made.worktree_path
    if not _is_path(made.worktree_path) or not _is_path(workspace) or len(branch) > MAX_BRANCH:
        # The note stays: something may have been made.
        raise rules.invalid("the host named a work tree that cannot be used")
    await process.pool.run(
        worktrees.settle, request_id=request_id, host_id=host_id, path=made.worktree_path, branch=branch
    )
    return Place(workspace=workspace, git_branch=branch, worktree=made.worktree_path)


async def existing(process: "Process", host_id: str, workspace: str, git: GitOptions) -> Place:
    """A work tree that is there already, with the branch it is on. Raises 400 outside of a repository."""
    ask = host_frames.ListWorktrees(request_id=launch.request_id(), repo_path=workspace)
    found = await process.rpc.host(host_id, ask, seconds=LOOK_SECONDS)
    if not isinstance(found, host_frames.ListWorktreesResult) or found.status != "ok":
        raise rules.invalid(getattr(found, "error", None) or "the host could not list the work trees")
    around = [tree for tree in found.worktrees if PurePosixPath(workspace).is_relative_to(tree.path)]
    if not around:
        return Place(workspace=workspace, git_branch=git.branch_name)
    innermost = max(around, key=lambda tree: len(tree.path))
    return Place(workspace=workspace, git_branch=(innermost.branch or "")[:MAX_BRANCH])


def _is_path(text: str) -> bool:
    """Whether a path that a host names can be kept."""
    return text.startswith("/") and len(text) <= MAX_PATH


async def take_back(process: "Process", host_id: str, place: Place, git: GitOptions | None) -> None:
    """Undo `make` for a session that did not come to be; a tree that stays is an orphan from then on."""
    if not place.worktree:
        return
    tree = Tree(host_id=host_id, path=place.worktree, branch=place.git_branch)
    try:
        await take_away(process, tree, with_branch=git is not None and not git.existing_branch)
    except OmnigentError as error:
        logger.warning("worktree_kept", extra={"path": tree.path, "reason": error.message})


async def take_away(reach: Reach, tree: Tree, *, with_branch: bool, only_clean: bool = False) -> str | None:
    """Have the host remove a tree; None, or why it is kept. Raises HOST_OFFLINE when it cannot be asked."""
    ask = host_frames.RemoveWorktree(
        request_id=launch.request_id(),
        worktree_path=tree.path,
        branch=(tree.branch or None) if with_branch else None,
        delete_branch=with_branch,
        only_clean=only_clean or None,
    )
    result = await reach.rpc.host(tree.host_id, ask, seconds=GIT_SECONDS)
    if not isinstance(result, host_frames.RemoveWorktreeResult) or result.status != "ok":
        reason = getattr(result, "error", None) or "the host could not remove it"
        logger.info("worktree_kept", extra={"path": tree.path, "reason": reason})
        return str(reason)
    await reach.pool.run(worktrees.forget, tree)
    return None
