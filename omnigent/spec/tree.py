"""The agents below an agent: where a bundle keeps them, how they are called, and that their names differ."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from omnigent.spec.reader import Reader
from omnigent.spec.tooling import AgentTool
from omnigent.spec.types import AgentSpec

DOCUMENT = "config.yaml"

Rows = Mapping[str, Mapping[str, Any]]


def directories(files: Mapping[str, bytes]) -> dict[str, dict[str, bytes]]:
    """The files of each sub-agent that has a document, by its directory."""
    found: dict[str, dict[str, bytes]] = {}
    for path in sorted(files):
        top, _, rest = path.partition("/")
        directory, slash, inner = rest.partition("/")
        if top == "agents" and slash:
            found.setdefault(directory, {})[inner] = files[path]
    return {directory: inner for directory, inner in found.items() if DOCUMENT in inner}


def is_clone(row: Mapping[str, Any]) -> bool:
    """Whether a tool declares a copy of its own agent instead of another agent."""
    return row.get("spec") == "self"


def agent_tools(
    named: Sequence[str], rows: Rows, children: Collection[AgentSpec], problems: list[str]
) -> tuple[AgentTool, ...]:
    """How each callable sub-agent is called: those listed by name, then those declared in `rows`."""
    descriptions = {child.name: child.description for child in children}
    tools = {
        name: AgentTool(name=name, agent=name, description=descriptions[name])
        for name in named
        if name in descriptions
    }
    for name, row in rows.items():
        read = Reader(row, f"tool {name!r}", problems)
        tools[name] = AgentTool(
            name=name,
            agent=name,
            description=read.text("description"),
            clone=is_clone(row),
            pass_history=read.flag("pass_history", default=False),
            pass_histories=read.texts("pass_histories") or (),
            max_sessions=read.integer("max_sessions", minimum=1),
        )
    return tuple(tools.values())


def repeated_names(spec: AgentSpec) -> dict[str, str]:
    """The names that agents below the root share, each with what to say: agents are found by name alone."""
    names = [child.name for child in spec.below()]
    for agent in (spec, *spec.below()):
        names += [tool.name for tool in agent.agent_tools if tool.clone]
    return {
        name: f"sub_agents: {name!r} is declared {count} times in the tree"
        for name, count in Counter(names).items()
        if count > 1
    }


def without(spec: AgentSpec, names: Collection[str]) -> AgentSpec:
    """The tree without the agents of these names."""
    return replace(
        spec,
        sub_agents=tuple(without(child, names) for child in spec.sub_agents if child.name not in names),
        callable_agents=tuple(name for name in spec.callable_agents if name not in names),
        agent_tools=tuple(tool for tool in spec.agent_tools if tool.name not in names),
    )
