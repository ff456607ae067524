"""`sys_session_list`, `_get_history`, `_get_info`, `_rename`, `_share`: what an agent sees of sessions."""

import secrets
from collections.abc import Mapping
from typing import Any, Final

from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.remote import sessions
from omnigent.runner.tools.answers import as_json, asked, optional_text, schema_of, whole_number
from omnigent.runner.tools.base import Tool, ToolContext, ToolError, text_argument
from omnigent.spec.types import AgentSpec

_TEXT: Final = {"type": "string"}
_LEVELS: Final = {"read": 1, "edit": 2, "manage": 3}
_EVERYONE: Final = "__public__"
_LISTED: Final = ("id", "title", "agent_id", "agent_name", "status", "created_at", "updated_at", "archived")
_KNOWN: Final = (
    *("id", "title", "agent_id", "agent_name", "sub_agent_name", "parent_session_id", "root_conversation_id"),
    *("status", "last_task_error", "model_override", "reasoning_effort", "workspace", "labels", "kind"),
    *("created_at", "updated_at", "archived"),
)
MOST_LISTED: Final = 100
MOST_ITEMS: Final = 50
MOST_CHARS: Final = 100_000


class ListSessions:
    """Answers `{sessions, next_cursor}` as JSON: the sessions that this runner may see."""

    mutates = False
    schema = ToolSchema(
        name="sys_session_list",
        description="List sessions, newest first, sub-agents' too.",
        parameters=schema_of(
            (),
            agent_name=_TEXT,
            limit={"type": "integer", "minimum": 1, "maximum": MOST_LISTED},
            cursor={"type": "string", "description": "The next_cursor of the page before."},
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        query = {"limit": str(whole_number(arguments, "limit", 20, 1, MOST_LISTED)), "kind": "any"}
        for name, parameter in (("agent_name", "agent_name"), ("cursor", "after")):
            if (value := optional_text(arguments, name)) is not None:
                query[parameter] = value
        page = await asked(sessions.listed(context.api, **query))
        found = [_picked(row, _LISTED) for row in page.get("data", [])]
        more = page.get("last_id") if page.get("has_more") else None
        return as_json({"sessions": found, "next_cursor": more})


class SessionHistory:
    """Answers `{conversation_id, items}` as JSON: the last items, each with at most so much of its text."""

    mutates = False
    schema = ToolSchema(
        name="sys_session_get_history",
        description="Read the last items of a session's conversation.",
        parameters=schema_of(
            ("conversation_id",),
            conversation_id=_TEXT,
            tail_items={"type": "integer", "minimum": 1, "maximum": MOST_ITEMS, "default": 10},
            content_max_chars={"type": "integer", "minimum": 1, "maximum": MOST_CHARS, "default": 2000},
            content_offset_chars={"type": "integer", "minimum": 0, "default": 0},
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        session_id = text_argument(arguments, "conversation_id")
        tail = whole_number(arguments, "tail_items", 10, 1, MOST_ITEMS)
        most = whole_number(arguments, "content_max_chars", 2000, 1, MOST_CHARS)
        offset = whole_number(arguments, "content_offset_chars", 0, 0, 2**31)
        items = await asked(sessions.latest_items(context.api, session_id, tail))
        shown = [_shown(item, offset, most) for item in items]
        return as_json({"conversation_id": session_id, "items": shown})


class SessionInfo:
    """Answers with the session's settings and status, as JSON; its own without a session_id."""

    mutates = False
    schema = ToolSchema(
        name="sys_session_get_info",
        description="How a session stands: agent, status, settings. Without session_id this one.",
        parameters=schema_of((), session_id=_TEXT),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        session_id = optional_text(arguments, "session_id") or context.session_id
        return as_json(_picked(await asked(sessions.session(context.api, session_id)), _KNOWN))


class RenameSession:
    """Answers with the server's outcome, as JSON; a title that a person chose stands."""

    mutates = False
    schema = ToolSchema(
        name="sys_session_rename",
        description="Give this session a title of one line, unless a person has.",
        parameters=schema_of(("title",), title=_TEXT),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        title = " ".join(text_argument(arguments, "title").split())
        key = secrets.token_hex(16)
        return as_json(await asked(sessions.propose_title(context.api, context.session_id, title, key=key)))


class ShareSession:
    """Answers with the grant, as JSON."""

    mutates = False
    schema = ToolSchema(
        name="sys_session_share",
        description="Let another person see or use this session.",
        parameters=schema_of(
            ("user_id",),
            user_id=_TEXT,
            level={"type": "string", "enum": list(_LEVELS), "default": "read"},
            session_id=_TEXT,
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        user_id = text_argument(arguments, "user_id")
        if user_id == _EVERYONE and context.spec.sharing != "public":
            raise ToolError("user_id: this agent may not share sessions with everybody")
        level = optional_text(arguments, "level") or "read"
        if level not in _LEVELS:
            raise ToolError(f"level: one of {', '.join(_LEVELS)} is required")
        session_id = optional_text(arguments, "session_id") or context.session_id
        if session_id != context.session_id:
            await _require_same_tree(session_id, context)
        grant = {"user_id": user_id, "level": _LEVELS[level]}
        return as_json(await asked(sessions.share(context.api, session_id, grant, key=secrets.token_hex(16))))


async def _require_same_tree(session_id: str, context: ToolContext) -> None:
    """A runner may have other people's trees at hand; an agent shares what is its own. Raises ToolError."""
    own, other = [await asked(sessions.session(context.api, one)) for one in (context.session_id, session_id)]
    if own.get("root_conversation_id") != other.get("root_conversation_id"):
        raise ToolError(f"session_id: {session_id} does not belong to this session")


def _picked(row: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: row[name] for name in names if name in row}


def _shown(item: Mapping[str, Any], offset: int, most: int) -> dict[str, Any]:
    text = _text(item)
    cut = text[offset : offset + most]
    shown = _picked(item, ("id", "type", "role", "name", "call_id", "event_type", "resource_id", "code"))
    return {**shown, "content": cut, **({"chars": len(text)} if len(cut) < len(text) else {})}


def _text(item: Mapping[str, Any]) -> str:
    content = item.get("content")
    if isinstance(content, list):
        return "".join(str(block.get("text", "")) for block in content if isinstance(block, Mapping))
    for name in ("output", "arguments", "message", "summary", "resource"):
        if item.get(name) is not None:
            return str(item[name])
    return ""


def granted(spec: AgentSpec) -> Mapping[str, Tool]:
    """Every agent may look at sessions; one whose specification allows it may share them."""
    tools: tuple[Tool, ...] = (ListSessions(), SessionHistory(), SessionInfo(), RenameSession())
    if spec.sharing != "none":
        tools += (ShareSession(),)
    return {tool.schema.name: tool for tool in tools}
