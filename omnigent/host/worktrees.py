"""Git work trees beside a repository: add, list and remove, by way of the git program."""

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from threading import Lock

from omnigent.git_names import BadGitName, check_base, check_branch
from omnigent.host import repositories
from omnigent.host.filesystem import FileSystem, PathRefused
from omnigent.host.git import Git, GitFailed, Operation
from omnigent.host.repositories import Tree, knows
from omnigent.protocol.host_frames import (
    CreateWorktree,
    CreateWorktreeResult,
    ListWorktrees,
    ListWorktreesResult,
    RemoveWorktree,
    RemoveWorktreeResult,
    Worktree,
)

MAX_AT_ONCE = 4
MAX_SUFFIX = 50
_BESIDE = "-worktrees"
_EXPECTED = (PathRefused, GitFailed, BadGitName, OSError)


class Worktrees:
    """Blocking git operations; call them on `threads`, so that a slow remote holds up nothing else."""

    def __init__(self, disk: FileSystem, environ: Mapping[str, str]) -> None:
        self._disk = disk
        self._git = Git(environ)
        # Branches that follow a remote one are written into the repository's settings, by one at a time.
        self._naming = Lock()
        self.threads = ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="git")

    def close(self) -> None:
        """Kill what runs and accept nothing more; what was being made is taken away again."""
        self._git.close()
        self.threads.shutdown(wait=False, cancel_futures=True)

    def create(self, ask: CreateWorktree) -> CreateWorktreeResult:
        """Add a work tree; a subdirectory named by `repo_path` is kept as the workspace inside it."""
        try:
            target, workspace = self._create(self._git.operation(), ask)
        except _EXPECTED as error:
            return CreateWorktreeResult(request_id=ask.request_id, status="failed", error=_said(error))
        return CreateWorktreeResult(
            request_id=ask.request_id,
            status="ok",
            worktree_path=str(target),
            branch=ask.branch_name,
            workspace=str(workspace),
        )

    def list(self, ask: ListWorktrees) -> ListWorktreesResult:
        """All work trees of a repository, the main one first; for cleaning up with what would be lost."""
        run = self._git.operation()
        try:
            if ask.for_cleanup:
                path = self._disk.resolve(str(_still_there(Path(ask.repo_path))))
            else:
                path = self._disk.resolve(ask.repo_path)
            trees = [tree for tree in repositories.trees_of(run, path) if _can_be_named(tree.path)]
        except _EXPECTED as error:
            return ListWorktreesResult(request_id=ask.request_id, status="failed", error=_said(error))
        shown = tuple(_shown(run, tree, is_examined=ask.for_cleanup) for tree in trees)
        return ListWorktreesResult(request_id=ask.request_id, status="ok", worktrees=shown)

    def remove(self, ask: RemoveWorktree) -> RemoveWorktreeResult:
        """Remove a work tree, changed files included unless `only_clean`, then its branch when asked.

        Never the main one, and never one that a link at its path leads to.
        """
        try:
            self._remove(self._git.operation(), ask)
        except _EXPECTED as error:
            return RemoveWorktreeResult(request_id=ask.request_id, status="failed", error=_said(error))
        return RemoveWorktreeResult(request_id=ask.request_id, status="ok")

    def _create(self, run: Operation, ask: CreateWorktree) -> tuple[Path, Path]:
        check_branch(ask.branch_name)
        base = ask.base_branch or "HEAD"
        check_base(base)
        picked = self._disk.resolve(ask.repo_path)
        if not picked.is_dir():
            raise GitFailed(f"{picked} is not a directory")
        main = repositories.trees_of(run, picked)[0].path
        top = repositories.top_of(run, picked, main)
        within = picked.relative_to(top) if picked.is_relative_to(top) else Path()
        start = _start(run, main, ask, base)
        target = self._claim(main, ask.branch_name)
        is_branch_new = False
        try:
            if start is not None:
                # A step of its own, because it says who of two at once has made the branch.
                with self._naming:
                    run.run(main, "branch", "--", ask.branch_name, start)
                is_branch_new = True
            run.run(main, "worktree", "add", "--", str(target), ask.branch_name)
            repositories.mark(run, target, ask.request_id)
        except BaseException:
            self._undo(main, target, ask.branch_name if is_branch_new else None)
            raise
        workspace = target / within
        return target, workspace if workspace.is_dir() else target

    def _claim(self, main: Path, branch: str) -> Path:
        """An empty directory that nobody else is given, inside the roots."""
        parent = self._disk.resolve(str(main.with_name(f"{main.name}{_BESIDE}")))
        parent.mkdir(exist_ok=True)
        flat = branch.replace("/", "-")
        for suffix in ("", *(f"-{number}" for number in range(2, MAX_SUFFIX + 1))):
            target = parent / f"{flat}{suffix}"
            with suppress(FileExistsError):
                target.mkdir()
                return target
        raise GitFailed(f"{parent / flat} and {MAX_SUFFIX - 1} more names for it are taken")

    def _undo(self, main: Path, target: Path, branch: str | None) -> None:
        run = self._git.operation(is_undo=True)
        run.try_run(main, "worktree", "remove", "--force", "--force", "--", str(target))
        shutil.rmtree(target, ignore_errors=True)
        run.try_run(main, "worktree", "prune")
        if branch is not None:
            run.try_run(main, "branch", "-D", "--", branch)
        with suppress(OSError):
            target.parent.rmdir()  # only if nothing else is there

    def _remove(self, run: Operation, ask: RemoveWorktree) -> None:
        path = self._disk.resolve(ask.worktree_path)
        if path != Path(ask.worktree_path).expanduser():
            raise GitFailed(f"{ask.worktree_path} has become a link to another place")
        branch = ask.branch if ask.delete_branch else None
        if branch is not None:
            check_branch(branch)
        trees = repositories.trees_of(run, _door(path))
        main = trees[0].path
        if path == main:
            raise GitFailed("the main work tree cannot be removed")
        tree = next((one for one in trees[1:] if one.path == path), None)
        if tree is None:
            raise GitFailed(f"{path} is not a work tree of {main}")
        if ask.only_clean:
            _refuse_to_lose(run, tree)
            run.run(main, "worktree", "remove", "--", str(path))
        else:
            run.run(main, "worktree", "remove", "--force", "--", str(path))
        if branch is not None:
            run.run(main, "branch", "-D", "--", branch)


def _start(run: Operation, main: Path, ask: CreateWorktree, base: str) -> str | None:
    """The revision that the new branch starts at; None when the branch is there and may be."""
    is_there = knows(run, main, f"refs/heads/{ask.branch_name}")
    if ask.existing_branch:
        if not is_there:
            raise GitFailed(f"there is no branch {ask.branch_name!r}")
        return None
    if is_there:
        raise GitFailed(f"the branch {ask.branch_name!r} exists already")
    if knows(run, main, base):
        return base
    if base == "HEAD":
        raise GitFailed("the repository has no commit yet, so nothing that a branch could start at")
    try:
        # It may be a branch that this clone has not seen yet.
        run.run(main, "fetch", "--quiet")
        failure = ""
    except GitFailed as error:
        failure = f", and fetching failed: {error}"
    for seen in (base, f"refs/remotes/origin/{base}"):
        if knows(run, main, seen):
            return seen
    raise GitFailed(f"there is no branch or commit {base!r}{failure}")


def _refuse_to_lose(run: Operation, tree: Tree) -> None:
    """Raises GitFailed when something would go that is nowhere else; the tree's branch stays."""
    state = repositories.state_of(run, tree)
    if state.is_dirty is not False:
        raise GitFailed("the work tree has changed or new files")
    if tree.branch is None and state.unpushed != 0:
        raise GitFailed("the work tree is at commits that are on no branch")


def _door(path: Path) -> Path:
    """A directory from which git finds the tree's repository: itself, or what it was made beside."""
    if path.is_dir():
        return path
    parent = path.parent
    beside = parent.with_name(parent.name.removesuffix(_BESIDE))
    if parent.name.endswith(_BESIDE) and beside.is_dir():
        return beside
    raise GitFailed(f"{path} does not exist")


def _still_there(path: Path) -> Path:
    """The nearest directory on the way to a recorded path that exists, without following a link."""
    if not path.is_absolute():
        return path
    reached = Path(path.anchor)
    for part in path.parts[1:]:
        further = reached / part
        if further.is_symlink() or not further.is_dir():
            break
        reached = further
    return reached


def _shown(run: Operation, tree: Tree, *, is_examined: bool) -> Worktree:
    is_there = tree.path.is_dir()
    is_examined = is_examined and is_there and not tree.is_main
    state = repositories.state_of(run, tree) if is_examined else None
    return Worktree(
        path=str(tree.path),
        branch=None if tree.branch is None else _text(tree.branch),
        is_main=tree.is_main,
        detached=tree.is_detached,
        updated_at=int(tree.path.stat().st_mtime) if is_there else None,
        is_dirty=state.is_dirty if state else None,
        unpushed=state.unpushed if state else None,
        made_for=repositories.mark_of(run, tree.path) if is_examined else None,
    )


def _can_be_named(path: Path) -> bool:
    """Whether text can carry the path; others cannot be named over the wire."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(name: str) -> str:
    return os.fsencode(name).decode("utf-8", "replace")


def _said(error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{error.filename or 'a directory'}: {error.strerror or error}"
    return _text(str(error)) if str(error) else "failed"
