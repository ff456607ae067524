"""Rules of an agent that need more than one of its keys: names and references."""

import re
from collections import Counter
from collections.abc import Iterator

from omnigent.spec.types import AgentSpec

RESERVED_TOOLS = frozenset(
    [
        "browser_click",
        "browser_navigate",
        "browser_screenshot",
        "browser_snapshot",
        "browser_type",
        "download_file",
        "export_agent",
        "list_comments",
        "list_files",
        "nimble_extract",
        "nimble_research",
        "search_conversations",
        "sys_advise_models",
        "sys_list_models",
        "update_comment",
        "upload_file",
        "web_fetch",
        "web_read",
        "web_search",
    ]
)
_NAME = re.compile(r"[a-zA-Z0-9_-]{1,256}\Z")


def problems_of(spec: AgentSpec) -> list[str]:
    """The rules that a parsed agent breaks, its sub-agents aside, as `path: why`."""
    return [*_name_problems(spec), *_mcp_problems(spec), *_tool_problems(spec), *_agent_problems(spec)]


def _name_problems(spec: AgentSpec) -> Iterator[str]:
    if not spec.name:
        yield "name: required"
    elif not _NAME.match(spec.name):
        yield "name: only letters, digits, '_' and '-', at most 256"
    elif spec.name == "ui":
        yield "name: 'ui' is reserved"


def _mcp_problems(spec: AgentSpec) -> Iterator[str]:
    counts = Counter(server.name for server in spec.mcp_servers)
    for index, server in enumerate(spec.mcp_servers):
        if counts[server.name] > 1:
            yield f"mcp_servers[{index}].name: duplicate {server.name!r}"
        if server.name in RESERVED_TOOLS:
            yield f"mcp_servers[{index}].name: collides with the built-in tool {server.name!r}"


def _tool_problems(spec: AgentSpec) -> Iterator[str]:
    """Every name that the model sees, but for MCP servers, which give their tools names of their own."""
    kinds = (spec.function_tools, spec.agent_tools, spec.skill_tools, spec.handoffs)
    names = [tool.name for tools in kinds for tool in tools]
    for name in dict.fromkeys(names):
        if name in RESERVED_TOOLS:
            yield f"tool {name!r}: collides with the built-in tool"
        if names.count(name) > 1:
            yield f"tool {name!r}: declared more than once"


def _agent_problems(spec: AgentSpec) -> Iterator[str]:
    known = {child.name for child in spec.sub_agents}
    unknown = sorted(set(spec.callable_agents) - known)
    if unknown:
        yield f"tools.agents: no sub-agent named {', '.join(unknown)}"
    for handoff in spec.handoffs:
        if handoff.agent not in known:
            yield f"tool {handoff.name!r}: no sub-agent named {handoff.agent!r}"
