"""Whole files between the workspace and somewhere else: contained, links not followed out of it.

Those of an agent in a sandbox go through the worker inside it, so that they see and change no more than its
other file tools.
"""

import asyncio
import base64
import os
from pathlib import Path
from typing import Final

from omnigent.runner.tools.base import ToolContext, ToolError
from omnigent.runner.tools.files import entry_of, worked_inside
from omnigent.runner.workspace import OutsideWorkspaceError
from omnigent.workspace.errors import Refused
from omnigent.workspace.reading import beginning_of
from omnigent.workspace.root import Root
from omnigent.workspace.work import open_unless_directory
from omnigent.workspace.writing import written

CONFINED_BYTES: Final = 4 * 1024 * 1024
"""The most that is read of a file in a sandbox: it passes through its worker's answer."""


def place(context: ToolContext, name: str) -> Path:
    """The real path that a name means. Raises ToolError outside the workspace or without access to files."""
    if context.spec.os_env is None:
        raise ToolError("this agent has no access to files")
    try:
        return context.workspace.resolve(name)
    except OutsideWorkspaceError as exc:
        raise ToolError(str(exc)) from exc


async def read(context: ToolContext, name: str, most: int) -> bytes:
    """A regular file of at most so many bytes. Raises ToolError."""
    path = place(context, name)
    entry = await entry_of(context)
    if entry.is_confined:
        request = {"do": "fetch", "path": name, "most": min(most, CONFINED_BYTES)}
        return base64.b64decode(await worked_inside(request, entry, context))
    return await asyncio.to_thread(_read, context, path, name, most)


async def write(context: ToolContext, name: str, data: bytes) -> str:
    """Put a whole file in its place; its path as people write it. Raises ToolError."""
    path = place(context, name)
    entry = await entry_of(context)
    if entry.is_confined:
        request = {"do": "put", "path": name, "data": base64.b64encode(data).decode()}
        return await worked_inside(request, entry, context)
    await asyncio.to_thread(_write, context, path, data)
    return context.workspace.shown(path)


def _read(context: ToolContext, path: Path, name: str, most: int) -> bytes:
    try:
        with Root.opened(context.workspace.root) as root:
            opened = open_unless_directory(root, path.relative_to(root.path).parts)
    except Refused as exc:
        words = "No such file or directory" if exc.status == 404 else exc.message
        raise ToolError(f"{name}: {words}") from exc
    if opened is None:
        raise ToolError(f"{name} is a directory")
    try:
        data = beginning_of(opened, most + 1)
    finally:
        os.close(opened)
    if len(data) > most:
        raise ToolError(f"{name} is larger than {most} bytes")
    return data


def _write(context: ToolContext, path: Path, data: bytes) -> None:
    try:
        with Root.opened(context.workspace.root) as root:
            written(root, path.relative_to(root.path).parts, data, create_parents=True)
    except Refused as exc:
        raise ToolError(exc.message) from exc
