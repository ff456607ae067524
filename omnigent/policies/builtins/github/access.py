"""What may be done to which repositories and branches, and the answer for one thing somebody wants to do."""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from omnigent.policies.calls import Answer, ask, deny


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """The parameters of the policy, checked. Repositories are `owner/repo` in lower case."""

    read_all: bool
    read_repos: frozenset[str]
    write_repos: frozenset[str]
    write_branches: tuple[str, ...]
    allow_destructive: bool
    deny_tag_push: bool
    deny_force_push: bool
    deny_reason: str

    def stop(self, reason: str) -> Answer:
        """A denial, in the operator's words when there are some."""
        return deny(self.deny_reason or reason)

    def may_write_branch(self, branch: str) -> bool:
        """Whether one branch, named exactly, may be written."""
        known = self.write_branches
        return ".." not in branch and any(branch == item or fnmatchcase(branch, item) for item in known)


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One thing somebody wants to do on GitHub.

    `what` names it for people. `is_sure` is false when some repository of it could not be read, and
    `is_branch_sure` when some branch could not. `may_be_tag` says that a name is a tag's or a branch's.
    `doubt` says in words what could not be read at all; such an operation is never simply allowed.
    """

    what: str
    kind: Literal["read", "write"]
    repos: frozenset[str] = frozenset()
    branches: tuple[str, ...] = ()
    is_sure: bool = True
    is_on_branch: bool = False
    is_branch_sure: bool = True
    is_forced: bool = False
    is_destructive: bool = False
    is_tag: bool = False
    may_be_tag: bool = False
    doubt: str = ""


def branch_of(ref: str) -> str:
    """A branch's short name: `refs/heads/main` is `main`."""
    return ref.removeprefix("refs/").removeprefix("heads/")


def is_tag_ref(ref: str) -> bool:
    """Whether a ref is spelt as a tag."""
    return ref.removeprefix("refs/").startswith("tags/")


def judge_tool(access: Access, operation: Operation) -> Answer | None:
    """The answer for a tool call: what cannot be read is denied, since the caller can name it."""
    return (
        _doubt(access.stop, operation)
        or _gate(access, operation, access.stop)
        or _forced(access, operation)
        or _destroyed(access, operation)
        or _tagged(access, operation)
    )


def judge_command(access: Access, operation: Operation) -> Answer | None:
    """The answer for a command line: what cannot be read is for a person to decide."""
    found = (
        _forced(access, operation)
        or _destroyed(access, operation)
        or _tagged(access, operation)
        or _gate(access, operation, ask)
    )
    doubtful = _doubt(ask, operation) or _perhaps_tagged(access, operation)
    if found is not None and found["result"] == "DENY":
        return found
    return doubtful or found


def _doubt(unclear: Callable[[str], Answer], operation: Operation) -> Answer | None:
    return unclear(f"{operation.what}: {operation.doubt}") if operation.doubt else None


def _forced(access: Access, operation: Operation) -> Answer | None:
    if operation.is_forced and access.deny_force_push:
        return access.stop(f"{operation.what}: force pushes are not allowed")
    return None


def _destroyed(access: Access, operation: Operation) -> Answer | None:
    if operation.is_destructive and not access.allow_destructive:
        return access.stop(f"{operation.what}: deleting is not allowed")
    return None


def _tagged(access: Access, operation: Operation) -> Answer | None:
    if operation.is_tag and access.deny_tag_push:
        return access.stop(f"{operation.what}: pushing tags is not allowed")
    return None


def _perhaps_tagged(access: Access, operation: Operation) -> Answer | None:
    if operation.may_be_tag and access.deny_tag_push:
        return ask(f"{operation.what}: it is not clear whether a tag is pushed")
    return None


def _gate(access: Access, operation: Operation, unclear: Callable[[str], Answer]) -> Answer | None:
    if operation.kind == "read":
        return _may_read(access, operation, unclear)
    return _may_write(access, operation, unclear) or _may_write_branches(access, operation, unclear)


def _may_read(access: Access, operation: Operation, unclear: Callable[[str], Answer]) -> Answer | None:
    if access.read_all:
        return None
    if foreign := sorted(operation.repos - access.read_repos):
        return access.stop(f"{operation.what}: reading {', '.join(foreign)} is not allowed")
    if not operation.repos or not operation.is_sure:
        return unclear(f"{operation.what}: it is not clear which repository is read")
    return None


def _may_write(access: Access, operation: Operation, unclear: Callable[[str], Answer]) -> Answer | None:
    if foreign := sorted(operation.repos - access.write_repos):
        return access.stop(f"{operation.what}: writing to {', '.join(foreign)} is not allowed")
    if not operation.repos or not operation.is_sure:
        return unclear(f"{operation.what}: it is not clear which repository is written")
    return None


def _may_write_branches(
    access: Access, operation: Operation, unclear: Callable[[str], Answer]
) -> Answer | None:
    if not access.write_branches:
        return None
    foreign = [branch for branch in operation.branches if not access.may_write_branch(branch)]
    if foreign:
        return access.stop(f"{operation.what}: writing to the branch {', '.join(foreign)} is not allowed")
    if operation.is_on_branch and not (operation.branches and operation.is_branch_sure):
        return unclear(f"{operation.what}: it is not clear which branch is written")
    return None
