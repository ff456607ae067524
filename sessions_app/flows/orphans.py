"""Work trees that nobody works in: what their hosts say of them, and removing those that lose nothing."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from omnigent.errors import OmnigentError
from omnigent.protocol import host_frames
from sessions_app.flows import launch
from sessions_app.flows.worktrees import GIT_SECONDS, Reach, take_away
from sessions_app.services import worktrees
from sessions_app.services.worktrees import Orphan, Tree

Listing = Sequence[host_frames.Worktree] | str
"""A repository's work trees, or why they cannot be listed."""


class State(StrEnum):
    """What would be lost with a tree; UNKNOWN when its host cannot say."""

    CLEAN = "clean"
    DIRTY = "dirty"
    UNKNOWN = "unknown"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """An orphan as its host sees it now; `path` is empty for one that nobody can name."""

    orphan: Orphan
    path: str
    state: State
    unpushed: int | None = None
    is_detached: bool = False
    problem: str = ""


async def look(reach: Reach, *, older_than: timedelta) -> list[Found]:
    """Every orphan, oldest first; each repository is listed once."""
    listings: dict[tuple[str, str], Listing] = {}

    async def listing(host_id: str, path: str) -> Listing:
        if (host_id, path) not in listings:
            listings[host_id, path] = await _list(reach, host_id, path)
        return listings[host_id, path]

    found = []
    for orphan in await reach.pool.run(worktrees.orphans, older_than=older_than):
        trees = await listing(orphan.host_id, orphan.repository)
        if isinstance(trees, str) and orphan.path:
            # The repository may be named by a work tree that is gone itself.
            trees = await listing(orphan.host_id, orphan.path)
        found.append(_found(orphan, trees))
    return found


async def remove(reach: Reach, found: Found, *, force: bool) -> str | None:
    """Remove one from its host's disk, its branch stays; None, or why it is kept.

    Without `force` the host itself refuses when something would be lost. A tree that is gone loses its note,
    and with `force` one on a host that is not registered any more.
    """
    if found.state is State.GONE:
        await reach.pool.run(worktrees.give_up, found.orphan.request_id)
        return None
    if found.orphan.host_name is None and force:
        # Nobody can ask that machine again; whoever has it may remove the directory.
        await reach.pool.run(worktrees.give_up, found.orphan.request_id)
        return None
    if not found.path:
        return found.problem or "its host does not say where it is"
    if found.state is not State.CLEAN and not force:
        return found.problem or f"its state is {found.state}; --force removes it all the same"
    tree = Tree(host_id=found.orphan.host_id, path=found.path, branch=found.orphan.branch)
    if not await reach.pool.run(worktrees.is_free, tree):
        return "a session works in it now"
    try:
        reason = await take_away(reach, tree, with_branch=False, only_clean=not force)
    except OmnigentError as error:
        return error.message
    if reason is None:
        await reach.pool.run(worktrees.give_up, found.orphan.request_id)
    return reason


async def _list(reach: Reach, host_id: str, path: str) -> Listing:
    ask = host_frames.ListWorktrees(request_id=launch.request_id(), repo_path=path, for_cleanup=True)
    try:
        answer = await reach.rpc.host(host_id, ask, seconds=GIT_SECONDS)
    except OmnigentError as error:
        return error.message
    if isinstance(answer, host_frames.ListWorktreesResult) and answer.status == "ok":
        return answer.worktrees
    return str(getattr(answer, "error", None) or "the host could not list the work trees")


def _found(orphan: Orphan, trees: Listing) -> Found:
    if isinstance(trees, str):
        return Found(orphan=orphan, path=orphan.path, state=State.UNKNOWN, problem=trees)
    others = [tree for tree in trees if not tree.is_main]
    for tree in others:
        is_it = tree.path == orphan.path if orphan.path else tree.made_for == orphan.request_id
        if is_it:
            return _seen(orphan, tree)
    if not orphan.path and any(tree.branch == orphan.branch and tree.made_for is None for tree in others):
        # It may have been made by a host that leaves no mark, or by somebody else.
        problem = f"a work tree of {orphan.branch} does not say whom it was made for"
        return Found(orphan=orphan, path="", state=State.UNKNOWN, problem=problem)
    return Found(orphan=orphan, path=orphan.path, state=State.GONE)


def _seen(orphan: Orphan, tree: host_frames.Worktree) -> Found:
    loses_commits = tree.branch is None and tree.unpushed != 0
    if tree.updated_at is None:
        state = State.GONE
    elif tree.is_dirty is None or tree.unpushed is None:
        state = State.UNKNOWN
    else:
        state = State.DIRTY if tree.is_dirty or loses_commits else State.CLEAN
    return Found(
        orphan=orphan, path=tree.path, state=state, unpushed=tree.unpushed, is_detached=tree.branch is None
    )
