"""What git says of a repository: its main work tree, all others, and what would be lost with one of them."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from omnigent.host.git import GitFailed, Operation

_MARK = "omnigent-request"
MAX_MARK = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """One record of `git worktree list`; no `branch` with a detached HEAD or in a bare repository."""

    path: Path
    branch: str | None
    is_main: bool
    is_detached: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What would go with a tree: changed and new files, and commits that no other branch has."""

    is_dirty: bool | None
    unpushed: int | None


def trees_of(run: Operation, inside: Path) -> list[Tree]:
    """The main work tree (or the bare repository), then the others; `inside` is in any of them."""
    try:
        text = run.run(inside, "worktree", "list", "--porcelain", "-z")
        records = [part.split("\x00") for part in text.split("\x00\x00")]
    except GitFailed as error:
        if "unknown switch" not in str(error):
            raise
        # git before 2.36; it cannot tell a newline in a path from the end of a line either.
        text = run.run(inside, "worktree", "list", "--porcelain")
        records = [part.split("\n") for part in text.split("\n\n")]
    found = list(_trees(records))
    if not found:
        raise GitFailed("git lists no work tree here")
    main = found[0]
    return [Tree(path=_main(run, inside, main.path), branch=main.branch, is_main=True,
                 is_detached=main.is_detached), *found[1:]]  # fmt: skip


def top_of(run: Operation, inside: Path, main: Path) -> Path:
    """The top directory of the work tree around a path; a bare repository stands for itself."""
    if run.run(inside, "rev-parse", "--is-bare-repository").strip() == "true":
        return main if inside.is_relative_to(main) else inside
    return Path(run.run(inside, "rev-parse", "--show-toplevel").removesuffix("\n"))


def knows(run: Operation, repository: Path, revision: str) -> bool:
    """Whether a name means a commit here."""
    return run.try_run(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}") is not None


def state_of(run: Operation, tree: Tree) -> State:
    """What would be lost with a tree; None for what cannot be found out."""
    changes = run.try_run(tree.path, "status", "--porcelain", "--untracked-files=normal")
    # Other branches, here and on remotes, keep what they can reach.
    others = ("--exclude", tree.branch, "--branches") if tree.branch else ("--branches", "--tags")
    own = run.try_run(tree.path, "rev-list", "--count", "HEAD", "--not", *others, "--remotes")
    return State(
        is_dirty=None if changes is None else bool(changes),
        unpushed=int(own) if own is not None and own.strip().isdigit() else None,
    )


def mark(run: Operation, tree: Path, text: str) -> None:
    """Note in git's own directory of a tree for whom it was made; no work tree shows it."""
    _mark_path(run, tree).write_text(text[:MAX_MARK], encoding="utf-8")


def mark_of(run: Operation, tree: Path) -> str | None:
    """What `mark` noted, None without it."""
    with suppress(GitFailed, OSError, UnicodeError):
        return _mark_path(run, tree).read_text(encoding="utf-8")[:MAX_MARK]
    return None


def _mark_path(run: Operation, tree: Path) -> Path:
    return Path(run.run(tree, "rev-parse", "--absolute-git-dir").removesuffix("\n")) / _MARK


def _main(run: Operation, inside: Path, listed: Path) -> Path:
    """git names a submodule's main work tree by its repository, which lies inside that of another one."""
    place = run.try_run(inside, "config", "--local", "--get", "core.worktree")
    if place is None:
        return listed
    common = run.run(inside, "rev-parse", "--git-common-dir").removesuffix("\n")
    return Path(os.path.realpath(inside / common / place.removesuffix("\n")))


def _trees(records: list[list[str]]) -> Iterator[Tree]:
    for record in records:
        fields = dict(_field(line) for line in record if line)
        if "worktree" not in fields:
            continue
        yield Tree(
            path=Path(fields["worktree"]),
            branch=fields["branch"].removeprefix("refs/heads/") if "branch" in fields else None,
            is_main=False,
            is_detached="detached" in fields,
        )


def _field(line: str) -> tuple[str, str]:
    key, _, value = line.partition(" ")
    return key, value
