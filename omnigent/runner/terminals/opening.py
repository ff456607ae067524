"""Opens the terminals that an agent declares: what they run, where, with which variables and limits."""

import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from omnigent.runner.sandbox.errors import SandboxError
from omnigent.runner.sandbox.room import Confinement
from omnigent.runner.sandbox.rules import BWRAP, NONE, backend_of
from omnigent.runner.terminals.errors import TerminalError
from omnigent.runner.terminals.pane import Pane
from omnigent.runner.terminals.room import DEFAULT_KEY, Options, Terminals
from omnigent.runner.tools.base import ToolContext
from omnigent.runner.workspace import OutsideWorkspaceError
from omnigent.spec.machine import OsEnv, Terminal

SANDBOXES: Final = (NONE, BWRAP)
_SHELLS: Final = ("/bin/bash", "/bin/sh")


class UndeclaredTerminal(TerminalError):
    """The agent has no terminal of that name."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """Which terminal, and where it differs from what the agent's author wrote."""

    name: str
    key: str = DEFAULT_KEY
    cwd: str | None = None
    sandbox: str | None = None


async def open_terminal(wish: Wish, context: ToolContext) -> Pane:
    """A new terminal of the session. Raises TerminalError, for a name that is not declared a kind of it."""
    terminal = context.spec.terminals.get(wish.name)
    if terminal is None:
        declared = ", ".join(context.spec.terminals) or "none"
        raise UndeclaredTerminal(
            f"the agent declares no terminal {wish.name[:64]!r}; it declares: {declared}"
        )
    os_env = _os_env(terminal, wish, context)
    try:
        directory = _directory(terminal, wish, context)
        log_file = context.workspace.resolve(terminal.log_file) if terminal.log_file else None
        entry = await context.rooms.of(Confinement).entry(
            _command(terminal, context.environment), context, os_env=os_env, directory=directory
        )
    except (SandboxError, OutsideWorkspaceError) as exc:
        raise TerminalError(str(exc)) from exc
    line, descriptors = entry.fixed()
    return await context.rooms.of(Terminals).launch(
        wish.name,
        line,
        entry.directory,
        _variables(terminal, entry.environment),
        key=wish.key,
        options=Options(
            scrollback=terminal.scrollback,
            prefix=terminal.session_prefix,
            passthrough=terminal.tmux_allow_passthrough,
            keep=terminal.keep_alive_after_exit,
            log_file=log_file,
            descriptors=descriptors,
        ),
    )


def _os_env(terminal: Terminal, wish: Wish, context: ToolContext) -> OsEnv | None:
    """The terminal's own environment, else the agent's, with the sandbox that is wished for."""
    os_env = terminal.os_env or context.spec.os_env
    if wish.sandbox is None:
        return os_env
    if wish.sandbox not in SANDBOXES:
        raise TerminalError(f"sandbox: one of {', '.join(SANDBOXES)} is required")
    present = NONE if os_env is None else backend_of(os_env.sandbox)
    if wish.sandbox != present and not terminal.allow_sandbox_override:
        raise TerminalError(f"sandbox: the terminal {wish.name!r} does not allow another one than {present}")
    base = os_env or OsEnv()
    return replace(base, sandbox=replace(base.sandbox, type=wish.sandbox))


def _directory(terminal: Terminal, wish: Wish, context: ToolContext) -> Path:
    own = terminal.os_env
    workspace = context.workspace
    if own is not None and own != context.spec.os_env and own.cwd:
        workspace = workspace.inside(own.cwd)
    if wish.cwd is None:
        return workspace.root
    if not terminal.allow_cwd_override:
        raise TerminalError(f"cwd: the terminal {wish.name!r} does not allow another directory")
    directory = context.workspace.resolve(wish.cwd)
    if not directory.is_dir():
        raise TerminalError(f"cwd: {wish.cwd[:200]!r} is no directory")
    return directory


def _command(terminal: Terminal, environment: Mapping[str, str]) -> list[str]:
    if terminal.command is None:
        known = (environment.get("SHELL"), *_SHELLS)
        return [next(shell for shell in known if shell and Path(shell).exists()), *terminal.args]
    if terminal.args:
        return [terminal.command, *terminal.args]
    try:
        return shlex.split(terminal.command) or [""]
    except ValueError as exc:
        raise TerminalError(f"the terminal's command cannot be read: {exc}") from exc


def _variables(terminal: Terminal, environment: Mapping[str, str]) -> dict[str, str]:
    found = dict(environment) if terminal.inherit_env else {"PATH": environment.get("PATH", os.defpath)}
    for name in terminal.env_unset:
        found.pop(name, None)
    return {**found, **terminal.env}
