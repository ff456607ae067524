"""What a server with several users refuses in an agent that one of them uploads."""

from collections.abc import Collection, Container, Iterator
from typing import Any

from omnigent.spec.types import AgentSpec

CALLABLE_KEYS = ("callable", "runner")
CODE_SUFFIXES = (".py", ".ts")


def upload_problems(
    spec: AgentSpec, files: Collection[str], registered_handlers: Container[str]
) -> tuple[str, ...]:
    """Everything refused, as `path: why`; nothing when the agent may be uploaded.

    `files` are the paths of its bundle. Its policies and tools must be code that the operator chose, and it
    works inside the workspace of its session.
    """
    problems = [
        f"{path}: tool files are not allowed in an upload"
        for path in sorted(files)
        if path.endswith(CODE_SUFFIXES) and _is_among_tools(path)
    ]
    problems += _own_problems(spec, registered_handlers)
    for child in spec.below():
        problems += [
            f"sub_agents[{child.name!r}].{problem}" for problem in _own_problems(child, registered_handlers)
        ]
    return tuple(dict.fromkeys(problems))


def _own_problems(spec: AgentSpec, registered_handlers: Container[str]) -> Iterator[str]:
    for policy in spec.policies:
        if policy.handler not in registered_handlers:
            yield f"policy {policy.name!r}: the handler {policy.handler!r} is not registered on this server"
    tools = spec.raw.get("tools")
    for name, row in tools.items() if isinstance(tools, dict) else ():
        yield from _callables(name, row)
    if spec.os_env is not None and leads_outside(spec.os_env.cwd):
        yield "os_env.cwd: must be relative and inside the workspace"
    for name, terminal in spec.terminals.items():
        if terminal.os_env is not None and leads_outside(terminal.os_env.cwd):
            yield f"terminals.{name}.os_env.cwd: must be relative and inside the workspace"


def _callables(name: str, row: Any) -> Iterator[str]:
    for key in CALLABLE_KEYS:
        if isinstance(row, dict) and row.get(key) is not None:
            yield f"tool {name!r}: {key} runs code of the server and is not allowed in an upload"


def leads_outside(cwd: str | None) -> bool:
    """Whether a working directory may lie outside the workspace, on any kind of host."""
    if cwd is None:
        return False
    parts = cwd.replace("\\", "/").split("/")
    return cwd.startswith(("/", "\\", "~")) or cwd[1:2] == ":" or ".." in parts


def _is_among_tools(path: str) -> bool:
    parts = path.split("/")
    while parts[0] == "agents" and len(parts) > 2:
        parts = parts[2:]
    return parts[0] == "tools"
