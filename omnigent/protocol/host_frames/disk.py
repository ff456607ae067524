"""Frames about the host's disk: paths, directories, and workspaces whose runner is away."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from omnigent.protocol.host_frames.base import Ask, Result


@dataclass(frozen=True, kw_only=True, slots=True)
class Stat(Ask):
    """What is at this path?"""

    kind: ClassVar[str] = "host.stat"

    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StatResult(Result):
    """`ok` or `failed`; `type` is directory, file or other; `canonical_path` has its links resolved."""

    kind: ClassVar[str] = "host.stat_result"

    exists: bool = False
    type: str | None = None
    canonical_path: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class DirEntry:
    """One entry of a directory; its path is the cursor for paging."""

    name: str
    path: str
    type: str
    bytes: int | None = None
    modified_at: int | float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListDir(Ask):
    """A page of a directory, sorted by name."""

    kind: ClassVar[str] = "host.list_dir"

    path: str
    limit: int = 20
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ListDirResult(Result):
    """`ok` or `failed`; a missing directory is `ok` with an error."""

    kind: ClassVar[str] = "host.list_dir_result"

    entries: tuple[DirEntry, ...] = ()
    has_more: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateDir(Ask):
    """Make a directory and its parents."""

    kind: ClassVar[str] = "host.create_dir"

    path: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CreateDirResult(Result):
    """`ok` or `failed`; one that exists is `ok` with an error."""

    kind: ClassVar[str] = "host.create_dir_result"

    path: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FsRequest(Ask):
    """Look at a workspace without its runner: list_or_read, changes, diff or search with `params`."""

    kind: ClassVar[str] = "host.fs_request"

    op: str
    workspace: str
    session_id: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class FsResult(Result):
    """`ok` with the payload that the runner would answer, or `error` with an HTTP status and a code."""

    kind: ClassVar[str] = "host.fs_result"

    payload: Any = None  # the runner's own answer, handed through
    error_status: int | None = None
    error_code: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FsWriteRequest(Ask):
    """Change what a vendor's service holds about a workspace; the answer is a FsResult."""

    kind: ClassVar[str] = "host.fs_write_request"
