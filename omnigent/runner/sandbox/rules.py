"""Which confinement an agent asks for, and what of it this runner cannot give."""

import sys
from typing import Final

from omnigent.runner.sandbox.errors import SandboxError
from omnigent.spec.machine import OsEnv, Sandbox
from omnigent.spec.types import AgentSpec

NONE: Final = "none"
BWRAP: Final = "linux_bwrap"
DEFAULTS: Final = {"linux": BWRAP, "darwin": "darwin_seatbelt", "win32": "windows_jobobject"}
# What is written here would be believed to hold, so an agent that writes it is not run without it.
_NOT_ENFORCED: Final = ("egress_rules", "credential_proxy", "git_ssh")


def backend_of(sandbox: Sandbox) -> str:
    """`none` or the backend, which for most agents is the platform's default."""
    if sandbox.type in {None, "auto"}:
        return DEFAULTS.get(sys.platform, sys.platform)
    assert sandbox.type is not None
    return sandbox.type


def require_possible(os_env: OsEnv) -> None:
    """Raises SandboxError for what no runner of this kind can do, whatever is installed."""
    if os_env.type != "caller_process":
        raise SandboxError(f"os_env.type: {os_env.type[:40]!r} is not known to this runner")
    for option, is_wanted in (("fork", os_env.fork), ("start_in_scratch", os_env.start_in_scratch)):
        if is_wanted:
            raise SandboxError(f"os_env.{option}: this runner cannot do that")
    for option in _NOT_ENFORCED:
        if os_env.sandbox.options.get(option):
            raise SandboxError(f"os_env.sandbox.{option}: this runner cannot enforce it")
    backend = backend_of(os_env.sandbox)
    if backend not in {NONE, BWRAP}:
        raise SandboxError(
            f"os_env.sandbox.type: {backend[:40]!r} is not possible on this runner; "
            f"{BWRAP} needs Linux and bubblewrap, and `none` runs without a sandbox"
        )


def environments(spec: AgentSpec) -> list[OsEnv]:
    """The agent's own and those of its terminals."""
    own = [spec.os_env] if spec.os_env is not None else []
    return own + [terminal.os_env for terminal in spec.terminals.values() if terminal.os_env is not None]
