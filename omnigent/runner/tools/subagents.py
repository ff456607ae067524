"""`sys_session_send`, `sys_session_create`, `sys_session_close`: set sub-agents to work, let go of them."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any, Final

from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.remote import sessions
from omnigent.runner.tools.answers import as_json, asked, optional_text, schema_of
from omnigent.runner.tools.base import Tool, ToolContext, ToolError, text_argument
from omnigent.runner.tools.families import EFFORTS, Family, Task, task_of
from omnigent.runner.workspace import OutsideWorkspaceError
from omnigent.spec import bundle
from omnigent.spec.types import AgentSpec

_TEXT: Final = {"type": "string"}
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
        packed = None if path is None else await asyncio.to_thread(_packed, context, path)
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


def _packed(context: ToolContext, path: str) -> bytes:
    if context.spec.os_env is None:
        raise ToolError("config_path: this agent has no access to files")
    try:
        found = context.workspace.resolve(path)
    except OutsideWorkspaceError as exc:
        raise ToolError(str(exc)) from exc
    try:
        if found.is_dir():
            inside = (one for one in sorted(found.rglob("*")) if one.is_file() and not one.is_symlink())
            return bundle.pack({one.relative_to(found).as_posix(): one.read_bytes() for one in inside})
        return bundle.pack({"config.yaml": found.read_bytes()})
    except OSError as exc:
        raise ToolError(f"{path}: {exc.strerror or exc}") from exc


def granted(spec: AgentSpec) -> Mapping[str, Tool]:
    """The tools of an agent that has sub-agents or may start sessions."""
    tools: list[Tool] = []
    if spec.callable_agents or spec.agent_tools or spec.spawn:
        tools += [SendToSession(spec), CloseSession()]
    if spec.spawn:
        tools.append(CreateSession())
    return {tool.schema.name: tool for tool in tools}
