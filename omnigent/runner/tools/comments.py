"""`list_comments` and `update_comment`: what people wrote on the files of a session."""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.remote import comments
from omnigent.runner.tools.answers import as_json, asked, optional_text, schema_of
from omnigent.runner.tools.base import Tool, ToolContext, ToolError, text_argument
from omnigent.spec.types import AgentSpec

STATUSES: Final = ("draft", "addressed")
_STATUS: Final = {"type": "string", "enum": list(STATUSES)}
_SHOWN: Final = (
    *("id", "path", "start_index", "end_index", "anchor_content", "body", "status"),
    *("created_by", "created_at"),
)


class ListComments:
    """Answers `{comments}` as JSON, oldest first."""

    mutates = False
    schema = ToolSchema(
        name="list_comments",
        description=(
            "List the comments that people wrote on files of this session. Indexes count characters of the "
            "file; anchor_content is what stood there."
        ),
        parameters=schema_of(
            (), path={"type": "string", "description": "Only comments on this file."}, status=_STATUS
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        path, status = optional_text(arguments, "path"), _status(optional_text(arguments, "status"))
        query = {} if path is None else {"path": path}
        rows = await asked(comments.listed(context.api, context.session_id, **query))
        found = [row for row in rows if status in {None, row.get("status")}]
        return as_json({"comments": [{name: row.get(name) for name in _SHOWN} for row in found]})


class UpdateComment:
    """Answers with the comment, as JSON."""

    mutates = False
    schema = ToolSchema(
        name="update_comment",
        description="Mark a comment as addressed once what it asks for is done, or as a draft again.",
        parameters=schema_of(("comment_id", "status"), comment_id={"type": "string"}, status=_STATUS),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        comment_id = text_argument(arguments, "comment_id")
        status = _status(text_argument(arguments, "status"))
        assert status is not None
        key = secrets.token_hex(16)
        settled = await asked(comments.settle(context.api, context.session_id, comment_id, status, key=key))
        return as_json({name: settled.get(name) for name in _SHOWN})


def _status(value: str | None) -> str | None:
    if value is not None and value not in STATUSES:
        raise ToolError(f"status: one of {', '.join(STATUSES)} is required")
    return value


def granted(spec: AgentSpec) -> Mapping[str, Tool]:
    """Every agent may read and settle comments."""
    return {tool.schema.name: tool for tool in (ListComments(), UpdateComment())}
