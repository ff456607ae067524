"""`sys_agent_list`, `sys_agent_get`, `sys_agent_download`, `sys_list_models`: what agents there are."""

from collections.abc import Mapping
from typing import Any, Final

from omnigent.runner.harnesses.base import ModelError, ToolSchema
from omnigent.runner.harnesses.rows import HARNESSES
from omnigent.runner.remote import agents
from omnigent.runner.tools import workspace_files
from omnigent.runner.tools.answers import as_json, asked, next_cursor, optional_text, page_query, schema_of
from omnigent.runner.tools.base import Tool, ToolContext, text_argument
from omnigent.spec.types import AgentSpec

_TEXT: Final = {"type": "string"}
MOST_LISTED: Final = 100


class ListAgents:
    """Answers `{agents, next_cursor}` as JSON."""

    mutates = False
    schema = ToolSchema(
        name="sys_agent_list",
        description="List the agents that a session can be started with.",
        parameters=schema_of(
            (), limit={"type": "integer", "minimum": 1, "maximum": MOST_LISTED}, cursor=_TEXT
        ),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        query = page_query(arguments, MOST_LISTED)
        page = await asked(agents.listed(context.api, **query))
        return as_json({"agents": page.get("data", []), "next_cursor": next_cursor(page)})


class GetAgent:
    """Answers with the agent of a session, as JSON."""

    mutates = False
    schema = ToolSchema(
        name="sys_agent_get",
        description="What agent a session runs: its description, skills, policies and servers.",
        parameters=schema_of(("session_id",), session_id=_TEXT),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        return as_json(await asked(agents.of_session(context.api, text_argument(arguments, "session_id"))))


class DownloadAgent:
    """Answers `{path, bytes}` as JSON; the file is a gzip-compressed tar archive."""

    mutates = True
    schema = ToolSchema(
        name="sys_agent_download",
        description="Save the bundle of a session's agent as a file of the workspace (.tar.gz).",
        parameters=schema_of(("session_id",), session_id=_TEXT, dest_filename=_TEXT),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        session_id = text_argument(arguments, "session_id")
        name = optional_text(arguments, "dest_filename") or f"{session_id}.tar.gz"
        workspace_files.place(context, name)
        data = await asked(agents.contents(context.api, session_id))
        path = await workspace_files.write(context, name, data)
        return as_json({"path": path, "bytes": len(data)})


class ListModels:
    """Answers `{models}` as JSON: for each harness of this runner that is ready, the model it takes."""

    mutates = False
    schema = ToolSchema(
        name="sys_list_models",
        description="List the harnesses that work here, and the model that each of them takes by itself.",
        parameters=schema_of(),
    )

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        runtime = context.rooms.home.runtime
        rows: list[dict[str, str]] = []
        for harness, row in HARNESSES.items():
            if not row.is_ready(runtime.config.environment):
                continue
            try:
                rows.append({"harness": harness, "model": runtime.models.default_model(harness)})
            except ModelError:
                continue
        return as_json({"models": rows})


def granted(spec: AgentSpec) -> Mapping[str, Tool]:
    """Every agent may look at agents; models concern those that can choose one for a sub-agent."""
    tools: list[Tool] = [ListAgents(), GetAgent(), DownloadAgent()]
    if spec.callable_agents or spec.agent_tools or spec.spawn:
        tools.append(ListModels())
    return {tool.schema.name: tool for tool in tools}
