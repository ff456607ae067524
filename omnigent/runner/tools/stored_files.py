"""`upload_file`, `download_file`, `list_files`: files that the server keeps with the session."""

import secrets
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.remote import files
from omnigent.runner.tools import workspace_files
from omnigent.runner.tools.answers import as_json, asked, next_cursor, optional_text, page_query, schema_of
from omnigent.runner.tools.base import Tool, ToolContext, ToolError, text_argument
from omnigent.spec.types import AgentSpec

_TEXT: Final = {"type": "string"}
MOST_LISTED: Final = 100
MAX_BYTES: Final = 100 * 1024 * 1024
TRANSFER_SECONDS: Final = 300.0


class UploadFile:
    """Answers `{file_id, filename, bytes, created_at}` as JSON."""

    mutates = False
    schema = ToolSchema(
        name="upload_file",
        description=(
            "Keep a file of the workspace with this session, where people can download it. "
            f"At most {MAX_BYTES // 2**20} MiB, less if the server says so."
        ),
        parameters=schema_of(
            ("path",),
            path={"type": "string", "description": "Path relative to the workspace."},
            filename={"type": "string", "description": "The name to keep it under; its own by default."},
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        path = text_argument(arguments, "path")
        name = optional_text(arguments, "filename") or PurePosixPath(path).name
        data = await workspace_files.read(context, path, MAX_BYTES)
        uploading = files.upload(
            context.api,
            context.session_id,
            name,
            data,
            key=secrets.token_hex(16),
            seconds=TRANSFER_SECONDS,
        )
        return as_json(_shown(await asked(uploading, TRANSFER_SECONDS)))


class DownloadFile:
    """Answers `{path, bytes, content_type}` as JSON."""

    mutates = True
    schema = ToolSchema(
        name="download_file",
        description="Save a file that is kept with this session into the workspace, replacing what is there.",
        parameters=schema_of(
            ("file_id",),
            file_id=_TEXT,
            path={"type": "string", "description": "Where to; under its own name by default."},
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        file_id, wanted = text_argument(arguments, "file_id"), optional_text(arguments, "path")
        workspace_files.place(context, wanted or ".")
        known = await asked(files.facts(context.api, context.session_id, file_id))
        size = known.get("bytes")
        if isinstance(size, int) and size > MAX_BYTES:
            raise ToolError(f"{file_id} has {size} bytes; at most {MAX_BYTES} can be downloaded")
        # The name is whatever its uploader called it.
        name = wanted or PurePosixPath(str(known.get("filename") or file_id)).name or "download"
        content = await asked(files.content(context.api, context.session_id, file_id), TRANSFER_SECONDS)
        path = await workspace_files.write(context, name, content.data)
        return as_json({"path": path, "bytes": len(content.data), "content_type": content.media_type})


class ListFiles:
    """Answers `{files, next_cursor}` as JSON."""

    mutates = False
    schema = ToolSchema(
        name="list_files",
        description="List the files that are kept with this session, newest first.",
        parameters=schema_of(
            (), limit={"type": "integer", "minimum": 1, "maximum": MOST_LISTED}, cursor=_TEXT
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        query = page_query(arguments, MOST_LISTED)
        page = await asked(files.listed(context.api, context.session_id, **query))
        return as_json(
            {"files": [_shown(row) for row in page.get("data", [])], "next_cursor": next_cursor(page)}
        )


def _shown(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("filename", "bytes", "created_at")
    return {"file_id": row.get("id"), **{name: row[name] for name in names if name in row}}


_TOOLS: Final[tuple[Tool, ...]] = (UploadFile(), DownloadFile(), ListFiles())


def granted(spec: AgentSpec) -> Mapping[str, Tool]:
    """The tools of stored files that the agent declares."""
    declared = {tool.name for tool in spec.builtin_tools}
    return {tool.schema.name: tool for tool in _TOOLS if tool.schema.name in declared}
