"""What a runner is told at its start, by environment or command line."""

import argparse
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from omnigent.ids import runner_id_for
from omnigent.runner.uplink import DEFAULT_LIMIT

DEFAULT_SERVER: Final = "http://127.0.0.1:6767"
DEFAULT_IDLE_SECONDS: Final = 3600.0
DEFAULT_ENGINE_IDLE_SECONDS: Final = 600.0
_CONNECTED: Final = "OMNIGENT_CONNECTED_FD"
# Commands of an agent get the environment without these.
_SECRETS: Final = frozenset(
    {
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "OMNIGENT_RUNNER_TOKEN",
        "OMNIGENT_TOKEN",
        "OPENAI_API_KEY",
        "SECRET_KEY",
    }
)


class ConfigError(ValueError):
    """A setting that cannot be used; the message names it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RunnerConfig:
    """Settings of one runner process. `token` is the binding token, `owner_token` the personal access token
    of whoever starts a runner by hand; both are secrets. `connected_fd` is a host's pipe that wants to be
    written to when the tunnel is open.
    """

    server_url: str
    runner_id: str
    token: str = field(repr=False)
    owner_token: str = field(default="", repr=False)
    workspace: Path
    parent_pid: int | None = None
    connected_fd: int | None = None
    idle_timeout: float = DEFAULT_IDLE_SECONDS
    drain_seconds: float = 3.0
    engine_idle_seconds: float = DEFAULT_ENGINE_IDLE_SECONDS
    retain_bytes: int = DEFAULT_LIMIT
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def tunnel_url(self) -> str:
        """Where the runner dials in."""
        scheme, _, rest = self.server_url.partition("://")
        return f"{'wss' if scheme == 'https' else 'ws'}://{rest}/v1/runners/{self.runner_id}/tunnel"

    @property
    def state_dir(self) -> Path:
        """Where engines keep what resumes their conversations when this process is gone."""
        named = self.environment.get("OMNIGENT_STATE_DIR")
        return (Path(named) if named else Path.home() / ".omnigent" / "engines").expanduser()

    @property
    def child_environment(self) -> Mapping[str, str]:
        """The environment of commands: the runner's own without its secrets."""
        return {name: value for name, value in self.environment.items() if name not in _SECRETS}


def read_config(arguments: Sequence[str], environment: Mapping[str, str]) -> RunnerConfig:
    """Arguments win over the environment. Raises ConfigError."""
    parser = argparse.ArgumentParser(prog="python -m omnigent.runner", description=__doc__)
    parser.add_argument("--server", default=environment.get("OMNIGENT_SERVER_URL", DEFAULT_SERVER))
    parser.add_argument("--runner-id", default=environment.get("OMNIGENT_RUNNER_ID", ""))
    parser.add_argument("--workspace", default=environment.get("OMNIGENT_WORKSPACE", os.curdir))
    parser.add_argument("--idle-timeout", default=environment.get("OMNIGENT_IDLE_TIMEOUT", ""))
    parser.add_argument("--parent-pid", default=environment.get("OMNIGENT_PARENT_PID", ""))
    options = parser.parse_args(arguments)
    server = str(options.server).rstrip("/")
    if not server.startswith(("http://", "https://")):
        raise ConfigError(f"OMNIGENT_SERVER_URL: {server!r} is not an http or https URL")
    workspace = Path(options.workspace).expanduser().resolve()
    if not workspace.is_dir():
        raise ConfigError(f"OMNIGENT_WORKSPACE: {workspace} is not a directory")
    owner_token = environment.get("OMNIGENT_TOKEN", "")
    token = environment.get("OMNIGENT_RUNNER_TOKEN", "")
    if not (token or options.runner_id):
        # Nobody launched it: it binds itself, so that its calls are known for its own even where the machine
        # is the identity, and fenced once its sessions are another runner's.
        token = secrets.token_urlsafe(32)
    runner_id = options.runner_id or runner_id_for(token)
    return RunnerConfig(
        server_url=server,
        runner_id=runner_id,
        token=token,
        owner_token=owner_token,
        workspace=workspace,
        parent_pid=int(_number("OMNIGENT_PARENT_PID", options.parent_pid, 0)) or None,
        idle_timeout=_number("OMNIGENT_IDLE_TIMEOUT", options.idle_timeout, DEFAULT_IDLE_SECONDS),
        engine_idle_seconds=_number(
            "OMNIGENT_ENGINE_IDLE_SECONDS",
            environment.get("OMNIGENT_ENGINE_IDLE_SECONDS", ""),
            DEFAULT_ENGINE_IDLE_SECONDS,
        ),
        retain_bytes=int(
            _number("OMNIGENT_RETAIN_BYTES", environment.get("OMNIGENT_RETAIN_BYTES", ""), DEFAULT_LIMIT)
        ),
        connected_fd=_descriptor(environment.get(_CONNECTED, "")),
        # What an agent starts is not who the host waits for.
        environment={name: value for name, value in environment.items() if name != _CONNECTED},
    )


def _descriptor(text: str) -> int | None:
    """The pipe of OMNIGENT_CONNECTED_FD; None without one, or when it is no open pipe."""
    if not text.isdecimal():
        return None
    try:
        return int(text) if stat.S_ISFIFO(os.fstat(int(text)).st_mode) else None
    except (OSError, OverflowError):
        return None


def _number(name: str, text: str, default: float) -> float:
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        raise ConfigError(f"{name}: {text!r} is not a number") from None
    if not 0 <= value < float("inf"):
        raise ConfigError(f"{name}: {text!r} is not a number of at least 0")
    return value
