"""Environments of a session and the files in them, in the runner's words."""

from typing import Literal

from pydantic import ConfigDict

from omnigent.api.schema.shapes import PageShape, Shape
from sessions_app.api.shapes.resources import FileResource
from sessions_app.api.shapes.terminals import TerminalResource


class Open(Shape):
    """Something of a runner's, who may say more."""

    model_config = ConfigDict(extra="allow")


class ReachableRoot(Open):
    """A directory that the agent's tools may use."""

    path: str
    access: str
    origin: str


class Reach(Open):
    """Where the agent's tools may go; anywhere when they are not confined."""

    unconfined: bool
    roots: list[ReachableRoot]


class EnvironmentFacts(Open):
    """What is known of an environment; lists may say less."""

    environment_type: str | None = None
    role: str | None = None
    root: str | None = None
    home: str | None = None
    reachable: Reach | None = None


class EnvironmentResource(Open):
    """An environment: the workspace, or that of a terminal."""

    id: str
    object: Literal["session.resource"]
    type: Literal["environment"]
    session_id: str | None = None
    name: str | None = None
    metadata: EnvironmentFacts


class EnvironmentPage(Shape):
    """All environments of a session."""

    model_config = ConfigDict(extra="allow")

    object: Literal["list"]
    data: list[EnvironmentResource]
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool


class AnyResourcePage(PageShape):
    """A page of resources: what the runner has open, then the stored files."""

    data: list[FileResource | EnvironmentResource | TerminalResource]


class FileEntry(Open):
    """A file or a directory; `id` and `path` are relative to the environment's root."""

    id: str
    object: str
    name: str
    path: str
    type: str
    bytes: int | None = None
    modified_at: float | None = None


class DirectoryPage(Open):
    """A page of a directory; `base` is the directory's absolute path."""

    object: Literal["list"]
    data: list[FileEntry]
    base: str | None = None
    first_id: str | None = None
    last_id: str | None = None
    has_more: bool


class FileText(Open):
    """A file's content: text, or base64 where it is none; only its beginning when `truncated`."""

    object: Literal["session.environment.filesystem.file_content"]
    path: str
    content_type: str | None = None
    bytes: int
    truncated: bool
    encoding: Literal["utf-8", "base64"]
    content: str


class FoundPage(Open):
    """Files whose name fits, or lines (`path`, `line`, `text`) with `mode=content`."""

    object: Literal["list"]
    data: list[Open]
    base: str | None = None
    has_more: bool = False
    truncated: bool | None = None


class ChangesPage(Open):
    """What differs from the repository's last commit, or from the session's start."""

    object: Literal["list"]
    data: list[Open]


class FileDiff(Open):
    """A changed file, before and after."""

    object: Literal["session.environment.filesystem.file_diff"]
    path: str
    before: str | None
    after: str | None


class WriteResult(Open):
    """A file that was written."""

    object: Literal["session.environment.filesystem.write_result"]
    operation: str
    path: str
    created: bool
    bytes_written: int


class EditResult(Open):
    """A file that was edited."""

    object: Literal["session.environment.filesystem.edit_result"]
    operation: str
    path: str
    replacements: int


class DeleteResult(Open):
    """What was deleted."""

    object: Literal["session.environment.filesystem.delete_result"]
    operation: str
    path: str
    deleted: bool
    type: str


class ShellResult(Open):
    """What a command has said; `exit_code` is null when it ran out of time."""

    object: Literal["session.environment.shell_result"]
    stdout: str
    stderr: str
    exit_code: int | None
    timed_out: bool
    cwd: str | None = None
