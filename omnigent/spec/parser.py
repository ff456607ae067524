"""Mapping (and the files beside it) -> AgentSpec, for both shapes that authors write."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from omnigent.spec import harnesses, parts, skills
from omnigent.spec.document import load_mapping
from omnigent.spec.reader import Reader, kind
from omnigent.spec.types import AgentSpec, BundleError, SpecError
from omnigent.spec.validator import problems_of

EXECUTOR_TYPES = ("omnigent", "claude_sdk", "agents_sdk")
INSTRUCTION_FILES = ("AGENTS.md", "CLAUDE.md", ".cursorrules")
MAX_SUB_AGENT_DEPTH = 8

Files = Mapping[str, bytes]
Shape = Literal["directory", "single-file"]


def parse_spec(data: object, files: Files | None = None) -> AgentSpec:
    """Read an agent document; `files` are the other files of its bundle, by path relative to it.

    A document with `spec_version` is a directory bundle's `config.yaml`; one without it that has a name
    and a prompt is the single-file shape. SpecError carries every problem found, not only the first.
    """
    if not isinstance(data, dict):
        raise BundleError(f"the agent must be a mapping, got {kind(data)}")
    problems: list[str] = []
    spec = _parse(data, files or {}, problems, depth=0)
    problems += problems_of(spec)
    if problems:
        raise SpecError(tuple(dict.fromkeys(problems)))
    return spec


def shape_of(data: Mapping[str, Any]) -> Shape:
    """Which of the two shapes a document has."""
    has_prompt = data.get("prompt") is not None or data.get("instructions") is not None
    single = "spec_version" not in data and data.get("name") is not None and has_prompt
    return "single-file" if single else "directory"


def _parse(data: dict[str, Any], files: Files, problems: list[str], *, depth: int) -> AgentSpec:
    read = Reader(data, "", problems)
    shape = shape_of(data)
    if shape == "directory":
        _check_version(data, problems)
    spec = _executor(AgentSpec(name=read.text("name") or "", shape=shape, raw=data), read)
    guardrails = read.inside("guardrails")
    policies = {decl.name: decl for decl in parts.policies(read)}
    policies |= {decl.name: decl for decl in parts.policies(guardrails)}
    tools = read.inside("tools")
    return replace(
        spec,
        description=read.text("description"),
        instructions=_instructions(read, files),
        os_env=parts.os_env(read),
        mcp_servers=parts.mcp_servers(tools, files),
        policies=tuple(policies.values()),
        labels=parts.labels(guardrails if shape == "directory" else read, shape),
        ask_timeout=(guardrails if shape == "directory" else read).number("ask_timeout", minimum=0),
        skills=skills.read_skills(files, problems),
        terminals=parts.terminals(read, shape),
        sub_agents=_sub_agents(files, problems, depth),
        callable_agents=tools.texts("agents") or (),
        spawn=read.flag("spawn", default=False),
        timers=read.flag("timers", default=False),
        async_tools=read.flag("async", default=True),
    )


def _check_version(data: Mapping[str, Any], problems: list[str]) -> None:
    if "spec_version" not in data:
        problems.append("spec_version: required field")
    elif data["spec_version"] != 1 or isinstance(data["spec_version"], bool):
        problems.append("spec_version: must be 1")


def _executor(spec: AgentSpec, read: Reader) -> AgentSpec:
    if spec.shape == "single-file":
        return _single_file_executor(spec, read)
    executor = read.inside("executor")
    config = executor.inside("config")
    executor_type = executor.text("type") or "omnigent"
    if executor_type not in EXECUTOR_TYPES:
        executor.complain("type", f"unknown; one of {', '.join(EXECUTOR_TYPES)}")
    if executor_type == "claude_sdk" and executor.mapping("connection"):
        executor.complain("connection", "not allowed with type claude_sdk")
    return _with_executor_keys(
        replace(
            spec,
            executor_type=executor_type,
            harness=config.text("harness"),
            config={key: value for key, value in executor.strings("config").items() if key != "harness"},
        ),
        executor,
    )


def _single_file_executor(spec: AgentSpec, read: Reader) -> AgentSpec:
    if isinstance(read.data.get("executor"), str):
        model: str = read.data["executor"]
        return replace(spec, model=model, harness=harnesses.inferred_from_model(model))
    executor = read.inside("executor")
    for key in ("type", "config"):
        if key in executor.data:
            executor.complain(key, "belongs to config.yaml (spec_version 1), not to the single-file form")
    harness = executor.text("harness") or harnesses.inferred_from_model(executor.text("model") or "")
    return _with_executor_keys(replace(spec, harness=harness), executor)


def _with_executor_keys(spec: AgentSpec, executor: Reader) -> AgentSpec:
    return replace(
        spec,
        model=executor.text("model"),
        reasoning_effort=executor.text("reasoning_effort"),
        context_window=executor.integer("context_window", minimum=1),
        timeout=executor.number("timeout", minimum=0) or spec.timeout,
        max_iterations=executor.integer("max_iterations", minimum=1) or spec.max_iterations,
        connection=executor.mapping("connection"),
        auth=executor.mapping("auth"),
    )


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


def _sub_agents(files: Files, problems: list[str], depth: int) -> tuple[AgentSpec, ...]:
    directories = sorted(
        {path.split("/")[1] for path in files if path.startswith("agents/") and path.count("/") > 1}
    )
    if directories and depth >= MAX_SUB_AGENT_DEPTH:
        problems.append(f"agents: nested deeper than {MAX_SUB_AGENT_DEPTH}")
        return ()
    return tuple(
        _sub_agent(directory, files, problems, depth)
        for directory in directories
        if f"agents/{directory}/config.yaml" in files
    )


def _sub_agent(directory: str, files: Files, problems: list[str], depth: int) -> AgentSpec:
    prefix = f"agents/{directory}/"
    inner = {path.removeprefix(prefix): content for path, content in files.items() if path.startswith(prefix)}
    data = load_mapping(inner["config.yaml"], name=prefix + "config.yaml")
    found: list[str] = []
    spec = _parse({"name": directory, **data}, inner, found, depth=depth + 1)
    problems += [f"sub_agents[{spec.name!r}].{problem}" for problem in found]
    return spec
