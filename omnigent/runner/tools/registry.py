"""The built-in tools by name, as an agent's specification switches them on."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from omnigent.runner.skill_shelf import NO_SKILLS, Shelf
from omnigent.runner.tools import (
    agents,
    asynchronous,
    callable_agents,
    comments,
    conversations,
    inbox,
    sessions,
    skills,
    stored_files,
    subagents,
    terminals,
    timers,
    web,
)
from omnigent.runner.tools.base import Tool
from omnigent.runner.tools.files import EditFile, ReadFile, WriteFile
from omnigent.runner.tools.policies import AddPolicy, PolicyRegistry
from omnigent.runner.tools.shell import Shell
from omnigent.spec.types import AgentSpec

OS_TOOLS: Final[Mapping[str, Tool]] = MappingProxyType(
    {tool.schema.name: tool for tool in (ReadFile(), WriteFile(), EditFile(), Shell())}
)
POLICY_TOOLS: Final[Mapping[str, Tool]] = MappingProxyType(
    {tool.schema.name: tool for tool in (AddPolicy(), PolicyRegistry())}
)


def tools_of(spec: AgentSpec, shelf: Shelf = NO_SKILLS) -> Mapping[str, Tool]:
    """The tools this agent may call, with the skills of its session; every agent may add policies to it."""
    return {
        **callable_agents.granted(spec),
        **skills.granted(spec, shelf),
        **(OS_TOOLS if spec.os_env is not None else {}),
        **POLICY_TOOLS,
        **subagents.granted(spec),
        **sessions.granted(spec),
        **agents.granted(spec),
        **inbox.granted(spec),
        **asynchronous.granted(spec),
        **timers.granted(spec),
        **terminals.granted(spec),
        **comments.granted(spec),
        **web.granted(spec),
        **stored_files.granted(spec),
        **conversations.granted(spec),
    }
