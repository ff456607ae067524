"""Mapping (and the files beside it) -> AgentSpec, for both shapes that authors write."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from omnigent.spec import machine_blocks, option_blocks, parts, skills, tool_blocks
from omnigent.spec.document import load_mapping
from omnigent.spec.errors import BundleError, SpecError
from omnigent.spec.executor_blocks import with_executor
from omnigent.spec.reader import Reader, kind
from omnigent.spec.tool_blocks import Tools
from omnigent.spec.tree import DOCUMENT, agent_tools, directories, is_clone, repeated_names, without
from omnigent.spec.types import AgentSpec
from omnigent.spec.validator import problems_of

INSTRUCTION_FILES = ("AGENTS.md", "CLAUDE.md", ".cursorrules")
MAX_SUB_AGENT_DEPTH = 8
MAX_SUB_AGENTS = 100

Files = Mapping[str, bytes]
Shape = Literal["directory", "single-file"]


@dataclass(kw_only=True, slots=True)
class _Reading:
    """What all agents of one tree share."""

    lenient: bool
    agents: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parent:
    """What a sub-agent may take from the agent that declares it."""

    spec: AgentSpec
    tools: Tools
    depth: int


def parse_spec(
    data: object, files: Files | None = None, *, document: str | None = None, lenient: bool = False
) -> AgentSpec:
    """Read an agent document; `files` are the other files of its bundle, by path relative to it.

    A document with `spec_version` is a directory bundle's `config.yaml`; one without it that has a name
    and a prompt is the single-file shape; `document` is what its file is called. SpecError carries every
    problem found, not only the first.

    To be uploaded, all of a tree must be valid. To be executed (`lenient`) only the root must be: invalid
    sub-agents, which a newer version may understand, are left out and told in the `warnings` of the spec.
    """
    if not isinstance(data, dict):
        raise BundleError(f"the agent must be a mapping, got {kind(data)}")
    problems: list[str] = []
    shape = shape_of(data, document)
    spec = _parse(data, files or {}, problems, _Reading(lenient=lenient), shape=shape, parent=None)
    repeated = repeated_names(spec)
    if repeated and lenient:
        warnings = (f"left out: {fault}" for fault in repeated.values())
        spec = replace(without(spec, repeated), warnings=(*spec.warnings, *warnings))
    else:
        problems += repeated.values()
    if problems:
        note = "synthesised from single-file YAML" if shape == "single-file" else ""
        raise SpecError(tuple(dict.fromkeys(problems)), note=note)
    return spec


def shape_of(data: Mapping[str, Any], document: str | None = None) -> Shape:
    """Which of the two shapes a document has."""
    if "spec_version" in data:
        return "directory"
    executor = data.get("executor")
    if document == DOCUMENT and isinstance(executor, dict) and ("config" in executor or "type" in executor):
        return "directory"
    has_prompt = data.get("prompt") is not None or data.get("instructions") is not None
    return "single-file" if data.get("name") is not None and has_prompt else "directory"


def _parse(
    data: dict[str, Any],
    files: Files,
    problems: list[str],
    reading: _Reading,
    *,
    shape: Shape,
    parent: _Parent | None,
    inline: bool = False,
) -> AgentSpec:
    read = Reader(data, "", problems)
    if shape == "directory":
        _check_version(data, problems)
    above = parent.spec if parent else None
    declarer = above if inline else None
    spec = AgentSpec(name=read.text("name") or "", shape=shape, raw=data)
    spec = _with_blocks(with_executor(spec, read, declarer), read, files, declarer)
    block = read.inside("tools")
    tools = tool_blocks.read_tools(block, files, parent.tools if parent else None)
    spec = replace(
        spec,
        mcp_servers=tuple(tools.mcp_servers),
        function_tools=tuple(tools.functions),
        skill_tools=tuple(tools.skills),
        handoffs=tuple(tools.handoffs),
        builtin_tools=tool_blocks.builtins(block),
        tool_files=tool_blocks.code_files(files),
        tool_timeout=tool_blocks.timeout(block),
        tool_retry=tool_blocks.tool_retry(block),
        tool_sandbox=tool_blocks.container(block),
        callable_agents=block.texts("agents") or (),
        warnings=tuple(tools.warnings),
    )
    depth = parent.depth + 1 if parent else 0
    spec = _with_sub_agents(spec, files, problems, reading, _Parent(spec=spec, tools=tools, depth=depth))
    problems += problems_of(spec)
    return spec


def _with_blocks(spec: AgentSpec, read: Reader, files: Files, declarer: AgentSpec | None) -> AgentSpec:
    guardrails = read.inside("guardrails")
    governing = guardrails if spec.shape == "directory" else read
    prompts = spec.shape == "single-file"
    policies = {decl.name: decl for decl in parts.policies(read, prompts=prompts)}
    policies |= {decl.name: decl for decl in parts.policies(guardrails, prompts=prompts)}
    asynchronous = "async" if "async" in read.data or spec.shape == "directory" else "async_enabled"
    os_env = machine_blocks.os_env(read, spec.shape, declarer.os_env if declarer else None)
    terminals = machine_blocks.terminals(read, spec.shape, os_env)
    return replace(
        spec,
        description=read.text("description"),
        instructions=_instructions(read, files),
        os_env=os_env,
        policies=tuple(policies.values()),
        labels=parts.labels(governing, spec.shape),
        ask_timeout=governing.number("ask_timeout", minimum=0),
        skills=skills.read_skills(files, read.problems),
        host_skills=option_blocks.host_skills(read),
        terminals=terminals or (declarer.terminals if declarer else {}),
        spawn=read.flag("spawn", default=False),
        timers=read.flag("timers", default=False),
        async_tools=read.flag(asynchronous, default=True),
        cancellable=read.flag("cancellable", default=True),
        sharing=option_blocks.sharing(read),
        params=option_blocks.params(read),
        interaction=option_blocks.interaction(read),
        compaction=option_blocks.compaction(read, spec),
    )


def _check_version(data: Mapping[str, Any], problems: list[str]) -> None:
    if "spec_version" not in data:
        problems.append("spec_version: required field")
    elif data["spec_version"] != 1 or isinstance(data["spec_version"], bool | float):
        problems.append("spec_version: must be 1")


def _instructions(read: Reader, files: Files) -> str:
    """A one-line value naming a file of the bundle means that file; anything else is the text itself."""
    written = read.text("instructions")
    if written is None:
        written = read.text("prompt")
    if written is None:
        content = next((files[name] for name in INSTRUCTION_FILES if name in files), b"")
        return _decoded(content)
    name = written.strip()
    if "\n" not in name and name.removeprefix("./") in files:
        return _decoded(files[name.removeprefix("./")])
    return written


def _decoded(content: bytes) -> str:
    return content.decode("utf-8", errors="replace").replace("\x00", "\ufffd")


def _with_sub_agents(
    spec: AgentSpec, files: Files, problems: list[str], reading: _Reading, parent: _Parent
) -> AgentSpec:
    rows = directories(files)
    inline = {name: row for name, row in parent.tools.agents.items() if not is_clone(row)}
    if (rows or inline) and parent.depth >= MAX_SUB_AGENT_DEPTH:
        problems.append(f"agents: nested deeper than {MAX_SUB_AGENT_DEPTH}")
        return spec
    reading.agents += len(rows) + len(inline)
    if reading.agents > MAX_SUB_AGENTS:
        problems.append(f"agents: more than {MAX_SUB_AGENTS} in the tree")
        return spec
    children: list[AgentSpec] = []
    left_out: set[str] = set()
    warnings = list(spec.warnings)
    for name, row, inner in (
        *((name, None, inner) for name, inner in rows.items()),
        *((name, row, {}) for name, row in inline.items()),
    ):
        child, found = _sub_agent(name, row, inner, reading, parent)
        if found and reading.lenient:
            left_out |= {name, child.name if child else name}
            warnings += [f"left out: {problem}" for problem in found]
            continue
        problems += found
        if child is not None:
            children.append(child)
            warnings += [f"sub_agents[{child.name!r}].{warning}" for warning in child.warnings]
    named = [name for name in spec.callable_agents if name not in left_out]
    declared = {name: row for name, row in parent.tools.agents.items() if name not in left_out}
    tools = agent_tools(named, declared, children, problems)
    return replace(
        spec,
        sub_agents=tuple(children),
        callable_agents=tuple(dict.fromkeys((*named, *(tool.agent for tool in tools if not tool.clone)))),
        agent_tools=tools,
        warnings=tuple(warnings),
    )


def _sub_agent(
    name: str, row: dict[str, Any] | None, files: dict[str, bytes], reading: _Reading, parent: _Parent
) -> tuple[AgentSpec | None, list[str]]:
    """A sub-agent, unless its document cannot be read at all, and its problems with their full path."""
    problems: list[str] = []
    try:
        if row is None:
            others = {path: content for path, content in files.items() if path != DOCUMENT}
            data = {"name": name, **load_mapping(files[DOCUMENT], name=f"agents/{name}/{DOCUMENT}")}
            shape = shape_of(data, DOCUMENT)
            child = _parse(data, others, problems, reading, shape=shape, parent=parent)
        else:
            data = {**row, "name": name}
            child = _parse(data, {}, problems, reading, shape="single-file", parent=parent, inline=True)
    except BundleError as error:
        if not reading.lenient:
            raise
        return None, [f"sub_agents[{name!r}]: {error.fault}"]
    return child, [f"sub_agents[{child.name!r}].{problem}" for problem in problems]
