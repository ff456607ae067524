"""`sys_session_send`, `sys_session_create`, `sys_session_close`: set sub-agents to work, let go of them."""

import asyncio
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.remote import sessions
from omnigent.runner.tools import workspace_files
from omnigent.runner.tools.answers import as_json, asked, optional_text, schema_of
from omnigent.runner.tools.base import Tool, ToolContext, ToolError, text_argument
from omnigent.runner.tools.families import EFFORTS, Family, Task, task_of
from omnigent.runner.tools.files import entry_of
from omnigent.spec import bundle
from omnigent.spec.types import AgentSpec, InvalidAgentError

_TEXT: Final = {"type": "string"}
_MOST_FILES: Final = 1000
_MOST_BYTES: Final = 16 * 1024 * 1024
_ARGS: Final = {
    "description": "What to do: a text, or an object with `input`.",
    "anyOf": [
        _TEXT,
        {
            "type": "object",
            "properties": {
                "input": _TEXT,
                "purpose": _TEXT,
                "model": _TEXT,
                "reasoning_effort": {"type": "string", "enum": list(EFFORTS)},
                "file_ids": {"type": "array", "items": _TEXT},
                "cost_budget": {
                    "type": "object",
                    "properties": {
                        "max_cost_usd": {"type": "number"},
                        "ask_thresholds_usd": {"type": "array", "items": {"type": "number"}},
                    },
                },
            },
            "required": ["input"],
        },
    ],
}


class SendToSession:
    """Answers at once with a handle, as JSON; what comes of it is in the inbox later."""

    mutates = False

    def __init__(self, spec: AgentSpec) -> None:
        self._most = {tool.agent: tool.max_sessions for tool in spec.agent_tools}
        self._agents = tuple(dict.fromkeys((*spec.callable_agents, *self._most)))
        agent = {"type": "string", "description": "The sub-agent."}
        if self._agents:
            agent |= {"enum": list(self._agents)}  # type: ignore[dict-item]  # JSON schema
        self.schema = ToolSchema(
            name="sys_session_send",
            description=(
                "Give a sub-agent something to do; it works on its own. The same agent and title go on with "
                "the same conversation. When it has finished, a message says so: then call sys_read_inbox."
            ),
            parameters=schema_of(
                ("args",),
                agent=agent,
                title={"type": "string", "description": "A short name of the task."},
                session_id={"type": "string", "description": "An existing session, instead of agent."},
                args=_ARGS,
            ),
        )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        task = task_of(arguments.get("args"))
        family = context.rooms.of(Family)
        session_id = optional_text(arguments, "session_id")
        if session_id is not None:
            return await self._to_session(session_id, task, family, context)
        agent = text_argument(arguments, "agent")
        if agent not in self._agents:
            known = ", ".join(self._agents) or "none"
            raise ToolError(f"agent: {agent!r} is not a sub-agent of this agent; it has: {known}")
        name = " ".join((optional_text(arguments, "title") or task.text).split())[:100]
        child_id = await family.member(agent, name, task, most=self._most.get(agent))
        answer = await family.tell(child_id, task, dispatch=True)
        return _handle(answer, child_id, agent=agent, title=name)

    async def _to_session(self, session_id: str, task: Task, family: Family, context: ToolContext) -> str:
        found = await asked(sessions.session(context.api, session_id))
        is_child = found.get("parent_session_id") == context.session_id
        answer = await family.tell(session_id, task, dispatch=is_child)
        agent, _, name = str(found.get("title") or "").partition(":")
        return _handle(answer, session_id, agent=agent, title=name)


class CreateSession:
    """Answers with a handle, as JSON: a session below this one with another agent."""

    mutates = False
    schema = ToolSchema(
        name="sys_session_create",
        description=(
            "Start a session below this one with another agent: a registered one (agent_id), or one whose "
            "specification is in the workspace (config_path, a directory or a YAML file). With a message it "
            "begins to work, and a message says when it has finished."
        ),
        parameters=schema_of(
            (),
            agent_id=_TEXT,
            config_path=_TEXT,
            title=_TEXT,
            message=_TEXT,
            model=_TEXT,
            reasoning_effort={"type": "string", "enum": list(EFFORTS)},
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        agent_id, path = optional_text(arguments, "agent_id"), optional_text(arguments, "config_path")
        if (agent_id is None) == (path is None):
            raise ToolError("either agent_id or config_path is required")
        task = task_of(
            {
                "input": optional_text(arguments, "message") or "-",
                "model": arguments.get("model"),
                "reasoning_effort": arguments.get("reasoning_effort"),
            }
        )
        name = " ".join((optional_text(arguments, "title") or secrets.token_hex(4)).split())[:100]
        family = context.rooms.of(Family)
        body = {**family.settings(task), "title": f"session:{name}"}
        packed = None
        if path is not None:
            packed = await _bundle(context, path)
        if agent_id is not None:
            body["agent_id"] = agent_id
        child_id = await family.make(body, task, packed)
        if optional_text(arguments, "message") is None:
            return _handle({}, child_id, agent="session", title=name)
        answer = await family.tell(child_id, task, dispatch=True)
        return _handle(answer, child_id, agent="session", title=name)


class CloseSession:
    """Answers `{conversation_id, closed}` as JSON."""

    mutates = False
    schema = ToolSchema(
        name="sys_session_close",
        description="Close a sub-agent's session for good: it takes no more messages.",
        parameters=schema_of(("conversation_id",), conversation_id=_TEXT),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        session_id = text_argument(arguments, "conversation_id")
        found = await asked(sessions.session(context.api, session_id))
        if found.get("parent_session_id") != context.session_id:
            raise ToolError(f"{session_id} is not a sub-agent's session of this one")
        await context.rooms.of(Family).interrupt(session_id)
        closed = {"labels": {sessions.CLOSED_LABEL: "true"}}
        await asked(sessions.change(context.api, session_id, closed, key=secrets.token_hex(16)))
        return as_json({"conversation_id": session_id, "closed": True})


def _handle(answer: Mapping[str, Any], session_id: str, *, agent: str, title: str) -> str:
    """What the model keeps of a task. Raises ToolError for one that was refused."""
    if answer.get("denied"):
        raise ToolError(f"Denied by policy: {answer.get('reason') or 'no reason was given'}")
    return as_json(
        {
            "task_id": session_id,
            "conversation_id": session_id,
            "kind": "sub_agent",
            "agent": agent,
            "title": title,
            "status": "launching" if answer.get("queued") else "created",
        }
    )


async def _bundle(context: ToolContext, named: str) -> bytes:
    """The bundle of an agent in the workspace. From within a sandbox only a single document comes out."""
    root = workspace_files.place(context, named)
    if not (await entry_of(context)).is_confined:
        return await asyncio.to_thread(_packed, root, named)
    return bundle.pack({"config.yaml": await workspace_files.read(context, named, _MOST_BYTES)})


def _packed(root: Path, named: str) -> bytes:
    """The bundle of what stands there: a document, or a directory without what links lead to."""
    try:
        if not root.is_dir():
            return bundle.pack({"config.yaml": _content(root, named, _MOST_BYTES)})
        files: dict[str, bytes] = {}
        left = _MOST_BYTES
        for directory, _, names in os.walk(root):
            for path in (Path(directory, name) for name in sorted(names)):
                if path.is_symlink() or not path.is_file():
                    continue
                if len(files) == _MOST_FILES:
                    raise ToolError(f"{named}: an agent has at most {_MOST_FILES} files")
                content = _content(path, named, left)
                files[path.relative_to(root).as_posix()] = content
                left -= len(content)
        return bundle.pack(files)
    except OSError as exc:
        raise ToolError(f"{named}: {exc.strerror or exc}") from exc
    except InvalidAgentError as exc:
        raise ToolError(f"{named}: {exc}") from exc


def _content(path: Path, named: str, most: int) -> bytes:
    if not path.is_file():
        raise ToolError(f"{named}: {'it is no regular file' if path.exists() else 'there is no such file'}")
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise ToolError(f"{named}: an agent has at most {_MOST_BYTES} bytes")
    return content


def granted(spec: AgentSpec) -> Mapping[str, Tool]:
    """The tools of an agent that has sub-agents or may start sessions."""
    tools: list[Tool] = []
    if spec.callable_agents or spec.agent_tools or spec.spawn:
        tools += [SendToSession(spec), CloseSession()]
    if spec.spawn:
        tools.append(CreateSession())
    return {tool.schema.name: tool for tool in tools}
