"""What an agent may do to the machine it runs on: its operating system environment and its terminals."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

HIDDEN_SCAN_ENTRIES = 50_000
SCROLLBACK_LINES = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class WritePath:
    """A path that tools may write to; with `copy_on_write` the changes vanish with the sandbox."""

    path: str
    copy_on_write: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Sandbox:
    """How tools are confined; `options` keeps every key as written.

    `type` None is the platform's default. `env_passthrough` None hands every variable on, a tuple only
    those named. `cwd_allow_hidden` names hidden entries of the working directory that tools may see; `*`
    stands for all of them.
    """

    type: str | None = None
    allow_network: bool = True
    read_paths: tuple[str, ...] = ()
    write_paths: tuple[WritePath, ...] = ()
    write_files: tuple[str, ...] = ()
    mask_paths: tuple[str, ...] = ()
    env_passthrough: tuple[str, ...] | None = None
    cwd_allow_hidden: tuple[str, ...] = ()
    cwd_hidden_scan_max_entries: int = HIDDEN_SCAN_ENTRIES
    cwd_hidden_scan_overflow: Literal["warn", "error", "unlimited"] = "warn"
    cwd_hidden_scan_recursive: bool = False
    egress_rules: tuple[str, ...] = ()
    egress_allow_private_destinations: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class OsEnv:
    """The agent may read, write and run commands; `cwd` is relative to the session's workspace."""

    type: str = "caller_process"
    cwd: str | None = None
    fork: bool = False
    start_in_scratch: bool = False
    sandbox: Sandbox = field(default_factory=Sandbox)


@dataclass(frozen=True, kw_only=True, slots=True)
class Terminal:
    """A kind of terminal that the agent may open; no `command` is the user's shell.

    `os_env` is the agent's own when the author wrote `inherit`, and None when the terminal names none.
    """

    command: str | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    env_unset: tuple[str, ...] = ()
    inherit_env: bool = True
    os_env: OsEnv | None = None
    allow_cwd_override: bool = False
    allow_sandbox_override: bool = False
    log_file: str | None = None
    scrollback: int = SCROLLBACK_LINES
    session_prefix: str = "omni_"
    tmux_allow_passthrough: bool = False
    tmux_start_on_attach: bool = False
    keep_alive_after_exit: bool = False
