"""`sys_os_read`, `sys_os_write` and `sys_os_edit`: files inside the workspace."""

import asyncio
import os
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from omnigent.runner.cleantext import clean
from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.tools.base import ToolContext, ToolError, number_argument, text_argument
from omnigent.runner.workspace import OutsideWorkspaceError, Workspace

READ_CAP: Final = 256 * 1024
EDIT_CAP: Final = 16 * 1024 * 1024
DEFAULT_LINES: Final = 2000
_PATH: Final = {"type": "string", "description": "Path relative to the workspace."}


class _FileTool:
    """Runs its work on a thread and turns refusals of the file system into tool errors."""

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        return await asyncio.to_thread(self._guarded, arguments, context.workspace)

    def _guarded(self, arguments: Mapping[str, Any], workspace: Workspace) -> str:
        try:
            path = workspace.resolve(text_argument(arguments, "path"))
            return self.work(arguments, path, workspace.shown(path))
        except OutsideWorkspaceError as exc:
            raise ToolError(str(exc)) from exc
        except OSError as exc:
            raise ToolError(f"{exc.strerror or exc}: {arguments['path']}") from exc

    def work(self, arguments: Mapping[str, Any], path: Path, shown: str) -> str:
        raise NotImplementedError


class ReadFile(_FileTool):
    """Returns lines of a text file."""

    mutates = False
    schema = ToolSchema(
        name="sys_os_read",
        description="Read a text file of the workspace, or list a directory.",
        parameters={
            "type": "object",
            "properties": {
                "path": _PATH,
                "offset": {"type": "integer", "description": "First line, counted from 1."},
                "limit": {"type": "integer", "description": f"Number of lines, {DEFAULT_LINES} by default."},
            },
            "required": ["path"],
        },
    )

    def work(self, arguments: Mapping[str, Any], path: Path, shown: str) -> str:
        first = int(number_argument(arguments, "offset", 1)) or 1
        limit = int(number_argument(arguments, "limit", DEFAULT_LINES)) or 1
        if path.is_dir():
            names = sorted(entry.name + "/" * entry.is_dir() for entry in path.iterdir())
            return clean("\n".join(names[:DEFAULT_LINES]) + "\n")
        if not stat.S_ISREG(path.stat().st_mode):
            raise ToolError(f"{shown} is not a regular file")
        with path.open("rb") as file:
            if b"\x00" in file.read(8192):
                return f"[{shown} is a binary file of {path.stat().st_size} bytes]\n"
            file.seek(0)
            return clean(_lines(file, first, limit))


def _lines(file: BinaryIO, first: int, limit: int) -> str:
    """Lines `first` to `first + limit - 1` of a binary file, cut at the cap, with a note about the rest."""
    taken: list[bytes] = []
    size = 0
    number = 0
    while raw := file.readline(READ_CAP):
        number += 1
        if number < first:
            continue
        if number >= first + limit or size + len(raw) > READ_CAP:
            text = b"".join(taken).decode("utf-8", "replace")
            return f"{text}\n[cut here; go on with offset {number}]\n"
        taken.append(raw)
        size += len(raw)
    return b"".join(taken).decode("utf-8", "replace")


class WriteFile(_FileTool):
    """Replaces a file as a whole."""

    mutates = True
    schema = ToolSchema(
        name="sys_os_write",
        description="Write a file of the workspace, creating it and its directories when missing.",
        parameters={
            "type": "object",
            "properties": {"path": _PATH, "content": {"type": "string"}},
            "required": ["path", "content"],
        },
    )

    def work(self, arguments: Mapping[str, Any], path: Path, shown: str) -> str:
        data = text_argument(arguments, "content").encode("utf-8", "replace")
        created = not path.exists()
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(path, data)
        return f"{'Created' if created else 'Wrote'} {shown}, {len(data)} bytes.\n"


class EditFile(_FileTool):
    """Replaces passages that occur exactly once."""

    mutates = True
    schema = ToolSchema(
        name="sys_os_edit",
        description="Replace text in a file. Each old text must occur exactly once.",
        parameters={
            "type": "object",
            "properties": {
                "path": _PATH,
                "oldText": {"type": "string"},
                "newText": {"type": "string"},
                "edits": {
                    "type": "array",
                    "description": "Several replacements, applied in order; all or none.",
                    "items": {
                        "type": "object",
                        "properties": {"oldText": {"type": "string"}, "newText": {"type": "string"}},
                        "required": ["oldText", "newText"],
                    },
                },
            },
            "required": ["path"],
        },
    )

    def work(self, arguments: Mapping[str, Any], path: Path, shown: str) -> str:
        edits = arguments.get("edits") or [arguments]
        if not isinstance(edits, list) or not all(isinstance(edit, Mapping) for edit in edits):
            raise ToolError("edits: a list of objects is required")
        if path.stat().st_size > EDIT_CAP:
            raise ToolError(f"{shown} is too large to edit")
        try:
            text = path.read_bytes().decode()
        except UnicodeDecodeError:
            raise ToolError(f"{shown} is not UTF-8 text") from None
        for edit in edits:
            old, new = text_argument(edit, "oldText"), text_argument(edit, "newText")
            count = text.count(old) if old else 0
            if count != 1:
                raise ToolError(f"oldText occurs {count} times in {shown}; it must occur exactly once")
            text = text.replace(old, new)
        _replace(path, text.encode("utf-8", "replace"))
        return f"Edited {shown}, {len(edits)} replacement{'s' * (len(edits) != 1)}.\n"


def _replace(path: Path, data: bytes) -> None:
    """Swap the content in one step, keeping the mode, so that nobody sees half a file."""
    mode = stat.S_IMODE(path.stat().st_mode) if path.exists() else None
    temporary = path.parent / f".{path.name[:40]}.{secrets.token_hex(6)}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
        if mode is not None:
            temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
