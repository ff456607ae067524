"""Frames about git work trees."""

from dataclasses import dataclass
from typing import ClassVar

from omnigent.protocol.host_frames.base import Ask, Result


@dataclass(frozen=True, kw_only=True, slots=True)
class Worktree:
    """One work tree of a repository.

    The last three are answered for cleaning up only: `unpushed` counts the commits that no remote branch and
    no other branch here has; `made_for` is the `request_id` of the request that made the tree.
    """

    omit_null: ClassVar[tuple[str, ...]] = ("is_dirty", "unpushed", "made_for")

    path: str
    branch: str | None = None
    is_main: bool = False
    detached: bool = False
    updated_at: int | float | None = None
    is_dirty: bool | None = None
    unpushed: int | None = None
    made_for: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateWorktree(Ask):
    """Add a work tree beside the repository, on a new branch or an existing one."""

    kind: ClassVar[str] = "host.create_worktree"
    omit_null: ClassVar[tuple[str, ...]] = ("base_branch",)

    repo_path: str
    branch_name: str
    base_branch: str | None = None
    existing_branch: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateWorktreeResult(Result):
    """`ok` or `failed`; `workspace` keeps the subdirectory that `repo_path` named."""

    kind: ClassVar[str] = "host.create_worktree_result"

    worktree_path: str | None = None
    branch: str | None = None
    workspace: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveWorktree(Ask):
    """Remove a work tree, and its branch when asked; `only_clean` spares one that something is lost with."""

    kind: ClassVar[str] = "host.remove_worktree"
    omit_null: ClassVar[tuple[str, ...]] = ("branch", "only_clean")

    worktree_path: str
    branch: str | None = None
    delete_branch: bool = False
    only_clean: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RemoveWorktreeResult(Result):
    """`ok` or `failed`."""

    kind: ClassVar[str] = "host.remove_worktree_result"


@dataclass(frozen=True, kw_only=True, slots=True)
class ListWorktrees(Ask):
    """The work trees of a repository.

    `for_cleanup` says that `repo_path` is a recorded path: it may be gone, and a link at it is not followed.
    """

    kind: ClassVar[str] = "host.list_worktrees"

    repo_path: str
    for_cleanup: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ListWorktreesResult(Result):
    """`ok` or `failed`."""

    kind: ClassVar[str] = "host.list_worktrees_result"

    worktrees: tuple[Worktree, ...] = ()
