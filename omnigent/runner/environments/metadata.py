"""Environments as resources of a session: its own, and one for each terminal."""

import asyncio
from pathlib import Path
from typing import Any, Final

from omnigent.runner.sandbox.mounts import grants_of, homes
from omnigent.runner.sandbox.rules import NONE, backend_of
from omnigent.runner.terminals.pane import Pane
from omnigent.runner.tools.base import ToolContext
from omnigent.workspace.names import text_of

DEFAULT: Final = "default"


def primary(context: ToolContext) -> dict[str, Any] | None:
    """The agent's environment; None for an agent without access to files."""
    if context.spec.os_env is None:
        return None
    return _resource(context.session_id, DEFAULT, context.spec.os_env.type, "primary")


def of_terminal(pane: Pane, context: ToolContext) -> dict[str, Any]:
    """The environment that a terminal brings."""
    kind = context.spec.os_env.type if context.spec.os_env is not None else "caller_process"
    return _resource(context.session_id, f"env_{pane.label.resource_id}", kind, "terminal")


async def described(resource: dict[str, Any], context: ToolContext) -> dict[str, Any]:
    """With where it is and what of the machine its files routes reach: everything is below its root."""
    root = context.workspace.root
    home = context.environment.get("HOME")
    more = {
        "root": text_of(str(root)),
        "home": home,
        "reachable": {"unconfined": _is_unconfined(context), "roots": await _roots(context, root)},
    }
    return resource | {"metadata": resource["metadata"] | more}


def _resource(session_id: str, name: str, kind: str, role: str) -> dict[str, Any]:
    return {
        "id": name,
        "object": "session.resource",
        "type": "environment",
        "session_id": session_id,
        "name": name,
        "metadata": {"environment_type": kind, "role": role},
    }


def _is_unconfined(context: ToolContext) -> bool:
    return context.spec.os_env is None or backend_of(context.spec.os_env.sandbox) == NONE


async def _roots(context: ToolContext, root: Path) -> list[dict[str, str]]:
    os_env = context.spec.os_env
    if os_env is None or _is_unconfined(context):
        return [_row(root, root, is_writable=True)]
    home = homes(context.environment.get("HOME"))
    grants = await asyncio.to_thread(grants_of, os_env.sandbox, root, home)
    return [
        _row(grant.path, root, is_writable=grant.mode != "read")
        for grant in grants.bound
        if grant.path.is_relative_to(root)
    ]


def _row(path: Path, root: Path, *, is_writable: bool) -> dict[str, str]:
    access = "write" if is_writable else "read"
    return {"path": text_of(str(path)), "access": access, "origin": "cwd" if path == root else "sandbox"}
