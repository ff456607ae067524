"""`search_conversations` and `export_agent`: what was said before, and the agent itself as files."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.remote import agents, search
from omnigent.runner.tools import workspace_files
from omnigent.runner.tools.answers import as_json, asked, optional_text, schema_of, whole_number
from omnigent.runner.tools.base import Tool, ToolContext, ToolError, text_argument
from omnigent.spec import bundle
from omnigent.spec.types import AgentSpec, InvalidAgentError

_TEXT: Final = {"type": "string"}
MOST_LISTED: Final = 100
_FOUND: Final = ("id", "title", "agent_name", "updated_at", "search_snippet")
_FORMATS: Final = ("files", "archive")


class SearchConversations:
    """Answers `{conversations, next_cursor, partial}` as JSON; `partial` tells that time ran out."""

    mutates = False
    schema = ToolSchema(
        name="search_conversations",
        description="Find sessions by a text in their title, messages or tool calls, newest first.",
        parameters=schema_of(
            ("query",),
            query={"type": "string", "description": "The text, letter case aside."},
            limit={"type": "integer", "minimum": 1, "maximum": MOST_LISTED},
            cursor={"type": "string", "description": "The next_cursor of the page before."},
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        text = text_argument(arguments, "query").strip()
        if not text:
            raise ToolError("query: a text to look for is required")
        query = {"limit": str(whole_number(arguments, "limit", 20, 1, MOST_LISTED))}
        if (cursor := optional_text(arguments, "cursor")) is not None:
            query["after"] = cursor
        page = await asked(search.conversations(context.api, text, **query))
        found = [{name: row.get(name) for name in _FOUND if name in row} for row in page.get("data", [])]
        more = page.get("last_id") if page.get("has_more") else None
        partial = bool(page.get("search_partial"))
        return as_json({"conversations": found, "next_cursor": more, "partial": partial})


class ExportAgent:
    """Answers `{path, files}` or, for an archive, `{path, bytes}` as JSON."""

    mutates = True
    schema = ToolSchema(
        name="export_agent",
        description="Save this session's agent into the workspace, as its files or as one .tar.gz archive.",
        parameters=schema_of(
            (),
            dest={"type": "string", "description": "A new directory, `agent` by default, or a file name."},
            format={"type": "string", "enum": list(_FORMATS), "default": "files"},
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        form = optional_text(arguments, "format") or "files"
        if form not in _FORMATS:
            raise ToolError(f"format: one of {', '.join(_FORMATS)} is required")
        named = optional_text(arguments, "dest") or ("agent" if form == "files" else "agent.tar.gz")
        target = workspace_files.place(context, named)
        if form == "files" and await asyncio.to_thread(_is_taken, target):
            raise ToolError(f"{named} is there already; name another directory in dest")
        data = await asked(agents.contents(context.api, context.session_id))
        if form == "archive":
            path = await workspace_files.write(context, named, data)
            return as_json({"path": path, "bytes": len(data)})
        try:
            unpacked = await asyncio.to_thread(bundle.unpack, data)
        except InvalidAgentError as exc:
            raise ToolError(f"the agent cannot be unpacked: {exc}") from exc
        for path, content in unpacked.items():
            await workspace_files.write(context, f"{named}/{path}", content)
        return as_json({"path": context.workspace.shown(target), "files": sorted(unpacked)})


def _is_taken(target: Path) -> bool:
    return target.exists() and (not target.is_dir() or any(target.iterdir()))


_TOOLS: Final[tuple[Tool, ...]] = (SearchConversations(), ExportAgent())


def granted(spec: AgentSpec) -> Mapping[str, Tool]:
    """Those of the two that the agent declares."""
    declared = {tool.name for tool in spec.builtin_tools}
    return {tool.schema.name: tool for tool in _TOOLS if tool.schema.name in declared}
