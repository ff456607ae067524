"""Frames of the host tunnel: launch and stop runners, look at the disk, report readiness and crashes."""

from omnigent.protocol.frames import Frame, Ping, Pong, UnknownKind
from omnigent.protocol.host_frames.base import (
    Ask,
    Result,
)
from omnigent.protocol.host_frames.daemon import (
    ConnectionError_,
    HarnessReadiness,
    HostHello,
    ModelOptions,
    ModelOptionsResult,
    Readiness,
    RefreshHarnesses,
    RefreshHarnessesResult,
)
from omnigent.protocol.host_frames.disk import (
    CreateDir,
    CreateDirResult,
    DirEntry,
    FsRequest,
    FsResult,
    ListDir,
    ListDirResult,
    Stat,
    StatResult,
)
from omnigent.protocol.host_frames.runners import (
    LaunchRunner,
    LaunchRunnerResult,
    RunnerExited,
    RunnerStatus,
    RunnerStatusResult,
    StopRunner,
    StopRunnerResult,
)
from omnigent.protocol.host_frames.worktrees import (
    CreateWorktree,
    CreateWorktreeResult,
    ListWorktrees,
    ListWorktreesResult,
    RemoveWorktree,
    RemoveWorktreeResult,
    Worktree,
)
from omnigent.protocol.table import Table

__all__ = [
    "TABLE",
    "Ask",
    "ConnectionError_",
    "CreateDir",
    "CreateDirResult",
    "CreateWorktree",
    "CreateWorktreeResult",
    "DirEntry",
    "FsRequest",
    "FsResult",
    "HarnessReadiness",
    "HostHello",
    "LaunchRunner",
    "LaunchRunnerResult",
    "ListDir",
    "ListDirResult",
    "ListWorktrees",
    "ListWorktreesResult",
    "ModelOptions",
    "ModelOptionsResult",
    "Ping",
    "Pong",
    "Readiness",
    "RefreshHarnesses",
    "RefreshHarnessesResult",
    "RemoveWorktree",
    "RemoveWorktreeResult",
    "Result",
    "RunnerExited",
    "RunnerStatus",
    "RunnerStatusResult",
    "Stat",
    "StatResult",
    "StopRunner",
    "StopRunnerResult",
    "UnknownKind",
    "Worktree",
    "parse",
    "render",
]

TABLE: Table[Frame] = Table(
    "kind",
    (
        HostHello, LaunchRunner, LaunchRunnerResult, StopRunner, StopRunnerResult, RunnerStatus,
        RunnerStatusResult, Stat, StatResult, ListDir, ListDirResult, CreateDir, CreateDirResult,
        CreateWorktree, CreateWorktreeResult, RemoveWorktree, RemoveWorktreeResult, ListWorktrees,
        ListWorktreesResult, RefreshHarnesses, RefreshHarnessesResult, HarnessReadiness, RunnerExited,
        ConnectionError_, FsRequest, FsResult, ModelOptions, ModelOptionsResult, Ping, Pong,
    ),
    unknown=UnknownKind,
)  # fmt: skip


def parse(text: str | bytes) -> Frame:
    """The frame in a text message. Raises FrameError, for a kind it does not know UnknownKind."""
    return TABLE.parse(text)


def render(frame: Frame) -> str:
    """The text message of a frame. Raises FrameError when it holds what JSON cannot say."""
    return TABLE.encode(frame).decode()
