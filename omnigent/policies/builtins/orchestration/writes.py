"""Where an agent's file tools may write: below its worktree, or nowhere."""

import posixpath
import re

from omnigent.policies.calls import WRITE_TOOLS, Answer, Event, Handler, call_of, deny

PATH_ARGUMENTS = ("path", "file_path", "notebook_path")
_DRIVE = re.compile(r"[A-Za-z]:")
_DENY_REASON = {
    "type": ["string", "null"],
    "default": None,
    "description": "What the agent is told instead of the usual reason.",
}

WORKTREE_GUARD = {
    "handler": "omnigent.policies.builtins.orchestration.worktree_guard",
    "aliases": ["omnigent.inner.nessie.policies.worktree_guard"],
    "kind": "factory",
    "description": "Denies file writes to absolute paths, home directories and above the working directory.",
    "params_schema": {
        "type": "object",
        "properties": {
            "allowed_root": {
                "type": "string",
                "minLength": 1,
                "default": ".worktrees",
                "description": "The directory that the reason tells the agent to stay in, no more.",
            },
            "deny_reason": _DENY_REASON,
        },
        "additionalProperties": False,
    },
}
READ_ONLY_OS = {
    "handler": "omnigent.policies.builtins.orchestration.read_only_os",
    "aliases": ["omnigent.inner.nessie.policies.read_only_os"],
    "kind": "factory",
    "name": "Read-only OS",
    "description": "Denies every tool that writes files. What shells and other tools write is not looked at.",
    "params_schema": {
        "type": "object",
        "properties": {"deny_reason": _DENY_REASON},
        "additionalProperties": False,
    },
}


def worktree_guard(allowed_root: str = ".worktrees", deny_reason: str | None = None) -> Handler:
    """Deny a write when any of its paths could lead out of the working directory."""
    if not isinstance(allowed_root, str) or not allowed_root:
        raise ValueError("allowed_root must be a directory name")
    _check_reason(deny_reason)

    def decide(event: Event) -> Answer | None:
        call = call_of(event)
        if call is None or call.name not in WRITE_TOOLS:
            return None
        given = [value for name in PATH_ARGUMENTS if (value := call.arguments.get(name)) is not None]
        if not any(_leads_out(value) for value in given):
            return None
        return deny(deny_reason or f"Write only to relative paths inside {allowed_root}, without '..'.")

    return decide


def read_only_os(deny_reason: str | None = None) -> Handler:
    """Deny every write tool."""
    _check_reason(deny_reason)

    def decide(event: Event) -> Answer | None:
        call = call_of(event)
        if call is None or call.name not in WRITE_TOOLS:
            return None
        return deny(deny_reason or f"This agent may read but not write files: {call.name} is denied.")

    return decide


def _leads_out(value: object) -> bool:
    """Lexically: links are the sandbox's business. A value that is no text cannot be judged, so it does."""
    if not isinstance(value, str):
        return True
    path = value.strip()  # some tools trim what they are given
    if "\\" in path or path.startswith(("/", "~")) or _DRIVE.match(path):
        return True
    return ".." in posixpath.normpath(path).split("/")


def _check_reason(deny_reason: object) -> None:
    if deny_reason is not None and not isinstance(deny_reason, str):
        raise ValueError("deny_reason must be text")
