"""Git work trees beside a repository: add, list and remove, by way of the git program."""

import os
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from omnigent.host.filesystem import FileSystem, PathRefused
from omnigent.protocol.host_frames import (
    CreateWorktree,
    CreateWorktreeResult,
    ListWorktrees,
    ListWorktreesResult,
    RemoveWorktree,
    RemoveWorktreeResult,
    Worktree,
)

GIT_SECONDS = 120.0
MAX_AT_ONCE = 4
MAX_SUFFIX = 50
MAX_BRANCH = 200
MAX_ERROR = 1000

_FORBIDDEN = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//")


class GitFailed(Exception):
    """A git command that failed, or a request that git would misread; the text says why."""


class Worktrees:
    """Blocking git operations; call them on `threads`, so that a slow remote holds up nothing else."""

    def __init__(self, disk: FileSystem, environ: Mapping[str, str]) -> None:
        self._disk = disk
        # Nobody is there to answer a password prompt.
        self._environ = {**environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
        self._running: set[subprocess.Popen[bytes]] = set()
        self._is_closed = False
        self.threads = ThreadPoolExecutor(MAX_AT_ONCE, thread_name_prefix="git")

    def close(self) -> None:
        """Kill what runs, with the transports it started, and accept nothing more."""
        self._is_closed = True
        for process in tuple(self._running):
            _kill_group(process)
        self.threads.shutdown(wait=False, cancel_futures=True)

    def create(self, ask: CreateWorktree) -> CreateWorktreeResult:
        """Add a work tree; a subdirectory named by `repo_path` is kept as the workspace inside it."""
        try:
            picked = self._disk.resolve(ask.repo_path)
            check_branch(ask.branch_name)
            top, main = self._top(picked), self._main(picked)
            target = _free_directory(main, ask.branch_name)
            self._disk.resolve(str(target))
            self._git(main, *self._add_arguments(main, ask, target))
        except (PathRefused, GitFailed) as error:
            return CreateWorktreeResult(request_id=ask.request_id, status="failed", error=str(error))
        inside = target / picked.relative_to(top)
        return CreateWorktreeResult(
            request_id=ask.request_id,
            status="ok",
            worktree_path=str(target),
            branch=ask.branch_name,
            workspace=str(inside if inside.is_dir() else target),
        )

    def list(self, ask: ListWorktrees) -> ListWorktreesResult:
        """All work trees of a repository, the main one first."""
        try:
            path = self._disk.resolve(ask.repo_path)
            found = tuple(_parse(self._git(path, "worktree", "list", "--porcelain", "-z")))
        except (PathRefused, GitFailed) as error:
            return ListWorktreesResult(request_id=ask.request_id, status="failed", error=str(error))
        return ListWorktreesResult(request_id=ask.request_id, status="ok", worktrees=found)

    def remove(self, ask: RemoveWorktree) -> RemoveWorktreeResult:
        """Remove a work tree, changed files included, then its branch when asked; never the main one."""
        try:
            path = self._disk.resolve(ask.worktree_path)
            main = self._main(path)
            if path == main:
                raise GitFailed("the main work tree cannot be removed")
            if ask.delete_branch and ask.branch is not None:
                check_branch(ask.branch)
            self._git(main, "worktree", "remove", "--force", "--", str(path))
            if ask.delete_branch and ask.branch is not None:
                self._git(main, "branch", "-D", "--", ask.branch)
        except (PathRefused, GitFailed) as error:
            return RemoveWorktreeResult(request_id=ask.request_id, status="failed", error=str(error))
        return RemoveWorktreeResult(request_id=ask.request_id, status="ok")

    def _add_arguments(self, main: Path, ask: CreateWorktree, target: Path) -> tuple[str, ...]:
        exists = self._knows(main, f"refs/heads/{ask.branch_name}")
        if ask.existing_branch:
            if not exists:
                raise GitFailed(f"there is no branch {ask.branch_name!r}")
            return ("worktree", "add", "--", str(target), ask.branch_name)
        if exists:
            raise GitFailed(f"the branch {ask.branch_name!r} exists already")
        base = ask.base_branch or "HEAD"
        check_branch(base)
        if not self._knows(main, base):
            # It may be a branch that this clone has not seen yet.
            self._git(main, "fetch", "--quiet")
            if not self._knows(main, base):
                raise GitFailed(f"there is no branch or commit {base!r}")
        return ("worktree", "add", "-b", ask.branch_name, "--", str(target), base)

    def _top(self, path: Path) -> Path:
        return Path(self._git(path, "rev-parse", "--show-toplevel").rstrip("\n"))

    def _main(self, path: Path) -> Path:
        return Path(next(_parse(self._git(path, "worktree", "list", "--porcelain", "-z"))).path)

    def _knows(self, repository: Path, revision: str) -> bool:
        try:
            self._git(repository, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
        except GitFailed:
            return False
        return True

    def _git(self, directory: Path, *arguments: str) -> str:
        if self._is_closed:
            raise GitFailed("the host is shutting down")
        try:
            process = subprocess.Popen(
                ("git", *arguments),
                cwd=directory,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except OSError as error:
            raise GitFailed(f"git cannot be run here: {error.strerror}") from None
        self._running.add(process)
        try:
            output, errors = process.communicate(timeout=GIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise GitFailed(f"git {arguments[0]} took longer than {GIT_SECONDS:g} s") from None
        finally:
            self._running.discard(process)
            if process.returncode is None:
                _kill_group(process)
                process.communicate()
        if process.returncode != 0:
            raise GitFailed(
                errors.decode("utf-8", "replace").strip()[:MAX_ERROR] or f"git {arguments[0]} failed"
            )
        return os.fsdecode(output)


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def check_branch(name: str) -> None:
    """Refuse names that git would refuse or take for an option. Raises GitFailed."""
    parts = name.split("/")
    is_bad = (
        not 0 < len(name) <= MAX_BRANCH
        or name == "@"
        or name.startswith("-")
        or name.endswith((".", "/"))
        or _FORBIDDEN.search(name)
        or any(not part or part.startswith(".") or part.endswith(".lock") for part in parts)
    )
    if is_bad:
        raise GitFailed(f"{name[:100]!r} is not a usable branch name")


def _free_directory(main: Path, branch: str) -> Path:
    parent = main.with_name(f"{main.name}-worktrees")
    flat = branch.replace("/", "-")
    for suffix in ("", *(f"-{number}" for number in range(2, MAX_SUFFIX + 1))):
        target = parent / f"{flat}{suffix}"
        if not target.exists():
            return target
    raise GitFailed(f"{parent / flat} and {MAX_SUFFIX - 1} more names for it are taken")


def _parse(listing: str) -> Iterator[Worktree]:
    """The records of `git worktree list --porcelain -z`; git lists the main work tree first."""
    for number, record in enumerate(part for part in listing.split("\x00\x00") if part.strip("\x00")):
        fields = dict(_field(line) for line in record.split("\x00") if line)
        path = Path(fields["worktree"])
        yield Worktree(
            path=str(path),
            branch=fields["branch"].removeprefix("refs/heads/") if "branch" in fields else None,
            is_main=number == 0,
            detached="detached" in fields,
            updated_at=int(path.stat().st_mtime) if path.is_dir() else None,
        )


def _field(line: str) -> tuple[str, str]:
    key, _, value = line.partition(" ")
    return key, value
