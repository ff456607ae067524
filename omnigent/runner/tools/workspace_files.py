"""Whole files between the workspace and somewhere else: contained, links not followed out of it.

Those of an agent in a sandbox go through the worker inside it, so that they see and change no more than its
other file tools.
"""

import asyncio
import base64
import os
import secrets
import stat
from pathlib import Path
from typing import Final

from omnigent.runner.tools.base import ToolContext, ToolError
from omnigent.runner.tools.files import entry_of, worked_inside
from omnigent.runner.workspace import OutsideWorkspaceError

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
    try:
        return await asyncio.to_thread(_read, path, name, most)
    except OSError as exc:
        raise ToolError(f"{name}: {exc.strerror or exc}") from exc


async def write(context: ToolContext, name: str, data: bytes) -> str:
    """Put a whole file in its place; its path as people write it. Raises ToolError."""
    path = place(context, name)
    entry = await entry_of(context)
    if entry.is_confined:
        request = {"do": "put", "path": name, "data": base64.b64encode(data).decode()}
        return await worked_inside(request, entry, context)
    try:
        await asyncio.to_thread(_write, path, data)
    except OSError as exc:
        raise ToolError(f"{name}: {exc.strerror or exc}") from exc
    return context.workspace.shown(path)


def _read(path: Path, name: str, most: int) -> bytes:
    # What is no regular file may block its reader, so it is opened without waiting and looked at first.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise ToolError(f"{name} is not a regular file")
        data = file.read(most + 1)
    if len(data) > most:
        raise ToolError(f"{name} is larger than {most} bytes")
    return data


def _write(path: Path, data: bytes) -> None:
    if path.is_dir():
        raise IsADirectoryError(None, "it is a directory")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{path.name[:40]}.{secrets.token_hex(6)}"
    try:
        with temporary.open("xb") as file:
            file.write(data)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
