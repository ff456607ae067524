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
    FsWriteRequest,
    ListDir,
    ListDirResult,
    Stat,
    StatResult,
)
from omnigent.protocol.host_frames.inventory import (
    DetectCredentials,
    DetectCredentialsResult,
    HarnessStartup,
    HarnessStartupResult,
    ImportLocal,
    ImportLocalById,
    ImportLocalDone,
    InstallHarness,
    InstallHarnessResult,
    McpServers,
    McpServersResult,
    McpTools,
    McpToolsResult,
    Plugins,
    PluginsResult,
    SkillContent,
    SkillContentResult,
    Skills,
    SkillsResult,
    StoreSecret,
    StoreSecretResult,
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
    "DetectCredentials",
    "DetectCredentialsResult",
    "DirEntry",
    "FsRequest",
    "FsResult",
    "FsWriteRequest",
    "HarnessReadiness",
    "HarnessStartup",
    "HarnessStartupResult",
    "HostHello",
    "ImportLocal",
    "ImportLocalById",
    "ImportLocalDone",
    "InstallHarness",
    "InstallHarnessResult",
    "LaunchRunner",
    "LaunchRunnerResult",
    "ListDir",
    "ListDirResult",
    "ListWorktrees",
    "ListWorktreesResult",
    "McpServers",
    "McpServersResult",
    "McpTools",
    "McpToolsResult",
    "ModelOptions",
    "ModelOptionsResult",
    "Ping",
    "Plugins",
    "PluginsResult",
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
    "SkillContent",
    "SkillContentResult",
    "Skills",
    "SkillsResult",
    "Stat",
    "StatResult",
    "StopRunner",
    "StopRunnerResult",
    "StoreSecret",
    "StoreSecretResult",
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
        FsWriteRequest,
        Skills, SkillsResult, SkillContent, SkillContentResult, DetectCredentials,
        DetectCredentialsResult, Plugins, PluginsResult, McpServers, McpServersResult, McpTools,
        McpToolsResult, HarnessStartup, HarnessStartupResult, InstallHarness, InstallHarnessResult,
        StoreSecret, StoreSecretResult, ImportLocal, ImportLocalById, ImportLocalDone,
    ),
    unknown=UnknownKind,
)  # fmt: skip


def parse(text: str | bytes) -> Frame:
    """The frame in a text message. Raises FrameError, for a kind it does not know UnknownKind."""
    return TABLE.parse(text)


def render(frame: Frame) -> str:
    """The text message of a frame. Raises FrameError when it holds what JSON cannot say."""
    return TABLE.encode(frame).decode()
