"""Frames about runner processes: launch, stop, status, and the report of one that died."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from omnigent.protocol.frames import Frame
from omnigent.protocol.host_frames.base import Ask, Result


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchRunner(Ask):
    """Start a runner process. The binding token is a secret; `workspace` is absolute or starts with ~."""

    kind: ClassVar[str] = "host.launch_runner"
    omit_null: ClassVar[tuple[str, ...]] = ("session_id", "harness", "inference_config")

    binding_token: str = field(repr=False)
    workspace: str
    session_id: str | None = None
    harness: str | None = None
    inference_config: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchRunnerResult(Result):
    """`launched` or `failed`, then with `error_code` harness_not_configured, workspace_missing or none."""

    kind: ClassVar[str] = "host.launch_runner_result"

    runner_id: str | None = None
    error_code: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StopRunner(Ask):
    """SIGTERM, five seconds, then SIGKILL."""

    kind: ClassVar[str] = "host.stop_runner"

    runner_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class StopRunnerResult(Result):
    """`stopped` or `failed`."""

    kind: ClassVar[str] = "host.stop_runner_result"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunnerStatus(Ask):
    """Is this runner's process alive?"""

    kind: ClassVar[str] = "host.runner_status"

    runner_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RunnerStatusResult(Result):
    """`alive`, `dead`, `unknown` or `sign_in_pending`."""

    kind: ClassVar[str] = "host.runner_status_result"


@dataclass(frozen=True, kw_only=True, slots=True)
class RunnerExited(Frame):
    """Host to server, unasked: a runner died. `error` is a summary, then a tail of its log."""

    kind: ClassVar[str] = "host.runner_exited"

    runner_id: str
    error: str | None = None
    had_connected: bool | None = None
