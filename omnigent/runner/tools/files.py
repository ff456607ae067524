"""`sys_os_read`, `sys_os_write` and `sys_os_edit`: files that the agent's tools may see."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from omnigent.runner.cleantext import clean
from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.sandbox.entry import Entry
from omnigent.runner.sandbox.errors import SandboxError
from omnigent.runner.sandbox.room import Confinement, interpreter
from omnigent.runner.tools import file_work
from omnigent.runner.tools.base import ToolContext, ToolError, number_argument, text_argument
from omnigent.runner.tools.file_work import DEFAULT_LINES, Fault
from omnigent.runner.tools.worker import answer_of
from omnigent.runner.workspace import OutsideWorkspaceError, Workspace

SECONDS: Final = 60.0
_WORKER: Final = Path(file_work.__file__)
_PATH: Final = {"type": "string", "description": "Path relative to the workspace."}


class _FileTool:
    """Works here on a thread, or in a process inside the sandbox: there the kernel keeps to its limits,
    whatever links a program puts in the way meanwhile.
    """

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        request = {**self.request(arguments), "path": text_argument(arguments, "path")}
        if "\x00" in request["path"]:
            raise ToolError("path: must not contain NUL")
        entry = await entry_of(context)
        if not entry.is_confined:
            return clean(await asyncio.to_thread(_worked_here, request, context.workspace))
        return clean(await worked_inside(request, entry, context))

    def request(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What is done, in the words of the file worker. Raises ToolError."""
        raise NotImplementedError


async def entry_of(context: ToolContext) -> Entry:
    """Where the file worker of a session starts: inside its sandbox, if it has one. Raises ToolError."""
    command = (sys.executable, "-I", "-S", str(_WORKER))
    try:
        return await context.rooms.of(Confinement).entry(command, context, extra=[*interpreter(), _WORKER])
    except SandboxError as exc:
        raise ToolError(str(exc)) from exc


def _worked_here(request: Mapping[str, Any], workspace: Workspace) -> str:
    try:
        path = workspace.resolve(request["path"])
        return file_work.work_on(path, workspace.shown(path), request)
    except (OutsideWorkspaceError, Fault) as exc:
        raise ToolError(str(exc)) from exc


async def worked_inside(request: Mapping[str, Any], entry: Entry, context: ToolContext) -> str:
    """What the worker answers to a request, within a sandbox. Raises ToolError."""
    answer = await answer_of(request, entry, context.reaper, seconds=SECONDS, name="file tool")
    if "error" in answer:
        raise ToolError(str(answer["error"]))
    return str(answer.get("output", ""))


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

    def request(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "do": "read",
            "first": int(number_argument(arguments, "offset", 1)) or 1,
            "limit": int(number_argument(arguments, "limit", DEFAULT_LINES)) or 1,
        }


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

    def request(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        return {"do": "write", "content": text_argument(arguments, "content")}


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

    def request(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        edits = arguments.get("edits") or [arguments]
        if not isinstance(edits, list) or not all(isinstance(edit, Mapping) for edit in edits):
            raise ToolError("edits: a list of objects is required")
        pairs = [[text_argument(edit, "oldText"), text_argument(edit, "newText")] for edit in edits]
        return {"do": "edit", "edits": pairs}
