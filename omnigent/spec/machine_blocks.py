"""The `os_env:` and `terminals:` blocks of an agent document."""

import re
from collections.abc import Mapping
from typing import Any, Literal, cast

from omnigent.spec.machine import (
    HIDDEN_SCAN_ENTRIES,
    SCROLLBACK_LINES,
    OsEnv,
    Sandbox,
    Terminal,
    WritePath,
)
from omnigent.spec.reader import Reader, kind

INHERIT = "inherit"
OVERFLOWS = ("warn", "error", "unlimited")
# Only these can look at what leaves the sandbox.
FILTERING = frozenset({"linux_bwrap", "darwin_seatbelt", "auto"})

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def os_env(read: Reader, shape: str, inherited: OsEnv | None) -> OsEnv | None:
    """The block; None means that the agent has no machine tools.

    `inherited` is what the word `inherit` stands for.
    """
    written = read.data.get("os_env")
    if written is None:
        return None
    if written == INHERIT:
        if inherited is None:
            read.complain("os_env", "nothing to inherit")
        return inherited
    if isinstance(written, str) and shape == "single-file":
        return OsEnv(type=written)
    block = read.inside("os_env")
    env = OsEnv(
        type=block.text("type") or "caller_process",
        cwd=block.text("cwd"),
        fork=block.flag("fork", default=False),
        start_in_scratch=block.flag("start_in_scratch", default=False),
        sandbox=_sandbox(block.inside("sandbox")),
    )
    if env.fork and env.start_in_scratch:
        read.complain("os_env", "fork and start_in_scratch exclude each other")
    if env.start_in_scratch and env.sandbox.type == "none":
        block.complain("start_in_scratch", "needs a sandbox")
    return env


def _sandbox(read: Reader) -> Sandbox:
    # An unquoted YAML null is how some authors write "no sandbox".
    sandbox_type = read.text("type") or ("none" if "type" in read.data else None)
    egress_rules = read.texts("egress_rules") or ()
    if egress_rules and sandbox_type is not None and sandbox_type not in FILTERING:
        read.complain("egress_rules", f"not possible with {sandbox_type}")
    if read.data.get("credential_proxy") is not None and not egress_rules:
        read.complain("credential_proxy", "needs egress_rules")
    overflow = read.choice("cwd_hidden_scan_overflow", OVERFLOWS) or "warn"
    return Sandbox(
        type=sandbox_type,
        allow_network=read.flag("allow_network", default=True),
        read_paths=read.texts("read_paths") or (),
        write_paths=_write_paths(read),
        write_files=read.texts("write_files") or (),
        mask_paths=read.texts("mask_paths") or (),
        env_passthrough=_variable_names(read, "env_passthrough"),
        cwd_allow_hidden=_hidden(read),
        cwd_hidden_scan_max_entries=read.integer("cwd_hidden_scan_max_entries", minimum=1)
        or HIDDEN_SCAN_ENTRIES,
        cwd_hidden_scan_overflow=cast("Literal['warn', 'error', 'unlimited']", overflow),
        cwd_hidden_scan_recursive=read.flag("cwd_hidden_scan_recursive", default=False),
        egress_rules=egress_rules,
        egress_allow_private_destinations=read.flag("egress_allow_private_destinations", default=False),
        options=read.data,
    )


def _write_paths(read: Reader) -> tuple[WritePath, ...]:
    written = read.data.get("write_paths")
    if written is None:
        return ()
    found: list[WritePath] = []
    rows = written if isinstance(written, list) else [written]
    for index, row in enumerate(rows):
        if isinstance(row, str):
            found.append(WritePath(path=row))
        elif isinstance(row, dict):
            inner = Reader(row, read.at(f"write_paths[{index}]"), read.problems)
            path = inner.text("path")
            if not path:
                inner.complain("path", "required")
            else:
                found.append(WritePath(path=path, copy_on_write=inner.flag("copy_on_write", default=False)))
        else:
            read.complain(f"write_paths[{index}]", f"must be a path or a mapping, got {kind(row)}")
    return tuple(found)


def _hidden(read: Reader) -> tuple[str, ...]:
    written = read.data.get("cwd_allow_hidden")
    if isinstance(written, bool):
        return ("*",) if written else ()
    return read.texts("cwd_allow_hidden") or ()


def _variable_names(read: Reader, key: str) -> tuple[str, ...] | None:
    names = read.texts(key)
    for name in names or ():
        if not _VARIABLE.match(name):
            read.complain(key, f"{name[:100]!r} is not the name of a variable")
    return names


def terminals(read: Reader, shape: str, own: OsEnv | None) -> dict[str, Terminal]:
    """The block; in a single file a bare string is the command. `own` is the agent's environment."""
    block = read.mapping("terminals")
    if shape == "single-file":
        block = {name: {"command": row} if isinstance(row, str) else row for name, row in block.items()}
    inner = Reader({"terminals": block}, read.path, read.problems)
    return {
        name: _terminal(Reader(row, read.at(f"terminals.{name}"), read.problems), shape, own)
        for name, row in inner.mappings("terminals").items()
    }


def _terminal(read: Reader, shape: str, own: OsEnv | None) -> Terminal:
    inherits = read.data.get("os_env") == INHERIT
    return Terminal(
        command=read.text("command"),
        args=read.texts("args") or (),
        env=_environment(read),
        env_unset=_variable_names(read, "env_unset") or (),
        inherit_env=read.flag("inherit_env", default=True),
        os_env=own if inherits else os_env(read, shape, own),
        allow_cwd_override=read.flag("allow_cwd_override", default=False),
        allow_sandbox_override=read.flag("allow_sandbox_override", default=False),
        log_file=read.text("log_file"),
        scrollback=_or(read.integer("scrollback", minimum=0), SCROLLBACK_LINES),
        session_prefix=_or(read.text("session_prefix"), "omni_"),
        tmux_allow_passthrough=read.flag("tmux_allow_passthrough", default=False),
        tmux_start_on_attach=read.flag("tmux_start_on_attach", default=False),
        keep_alive_after_exit=read.flag("keep_alive_after_exit", default=False),
    )


def _environment(read: Reader) -> Mapping[str, str]:
    values = read.strings("env")
    for name in values:
        if not _VARIABLE.match(name):
            read.complain("env", f"{name[:100]!r} is not the name of a variable")
    return values


def _or(value: Any, default: Any) -> Any:
    return default if value is None else value
