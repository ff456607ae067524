"""Function tools that an agent brings: described once, called in a process of their own each time."""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from jsonschema import Draft202012Validator

from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.rooms import Home
from omnigent.runner.tools.base import Tool, ToolContext, ToolError
from omnigent.runner.tools.function_code import CodeDirectory
from omnigent.runner.tools.function_process import answer_of
from omnigent.spec.types import AgentSpec

log = logging.getLogger(__name__)

DESCRIBE_SECONDS: Final = 30.0
_MOST_COMPLAINTS: Final = 5


def has_functions(spec: AgentSpec) -> bool:
    """Whether the runner calls functions for this agent."""
    return bool(spec.tool_files) or any(tool.runtime == "server" for tool in spec.function_tools)


@dataclass(frozen=True, kw_only=True, slots=True)
class Functions:
    """The functions of one agent by name, and why others cannot be called."""

    tools: Mapping[str, Tool] = field(default_factory=dict)
    faults: Mapping[str, str] = field(default_factory=dict)


class FunctionRoom:
    """Keeps an agent's code on disk while its session lives."""

    def __init__(self, home: Home) -> None:
        self._code: CodeDirectory | None = None
        self._key: tuple[str, str] | None = None
        self._functions = Functions()
        self._loading = asyncio.Lock()

    async def functions(self, context: ToolContext) -> Functions:
        """Those of the agent as it is now."""
        key = (context.agent.digest, context.spec.name)
        async with self._loading:
            if self._key != key:
                await self._drop()
                self._code = await asyncio.to_thread(CodeDirectory.of, context.agent, context.spec)
                self._functions = await _described(self._code, context)
                self._key = key
            return self._functions

    async def close(self) -> None:
        async with self._loading:
            await self._drop()

    async def _drop(self) -> None:
        code, self._code, self._key = self._code, None, None
        if code is not None:
            await asyncio.to_thread(code.remove)


class FunctionTool:
    """One function."""

    mutates = True

    def __init__(self, schema: ToolSchema, target: Mapping[str, Any], code: CodeDirectory) -> None:
        self.schema = schema
        self._target = target
        self._code = code
        self._validator = Draft202012Validator(dict(schema.parameters))

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        await asyncio.to_thread(self._check, arguments)
        request = {"do": "call", "target": dict(self._target), "arguments": dict(arguments)}
        answer = await answer_of(
            {**request, "path": self._code.path}, context, seconds=context.spec.tool_timeout
        )
        if "error" in answer:
            raise ToolError(str(answer["error"]))
        return str(answer.get("output", ""))

    def _check(self, arguments: Mapping[str, Any]) -> None:
        """Raises ToolError with what is wrong with the arguments."""
        errors = sorted(self._validator.iter_errors(dict(arguments)), key=lambda error: error.json_path)
        if errors:
            said = (f"{error.json_path.replace('$', 'arguments', 1)}: {error.message}" for error in errors)
            raise ToolError("; ".join(list(said)[:_MOST_COMPLAINTS]))


async def _described(code: CodeDirectory, context: ToolContext) -> Functions:
    spec = context.spec
    if spec.tool_sandbox is not None:
        fault = "its agent asks for a container, which this runner cannot start"
        return Functions(faults={"functions": fault})
    declared = {tool.name: tool for tool in spec.function_tools if tool.runtime == "server"}
    targets: list[dict[str, Any]] = [
        {"name": tool.name, "callable": tool.callable}
        for tool in declared.values()
        if tool.parameters is None
    ]
    targets += [{"name": path, "file": code.file(path)} for path in spec.tool_files if path.endswith(".py")]
    found: Mapping[str, Any] = {"functions": [], "faults": {}}
    if targets:
        request = {"do": "describe", "targets": targets, "path": code.path}
        try:
            found = await answer_of(request, context, seconds=DESCRIBE_SECONDS)
        except ToolError as exc:
            found = {"functions": [], "faults": {"functions": str(exc)}}
    rows = [*found["functions"]]
    rows += [
        {"name": tool.name, "callable": tool.callable, "parameters": tool.parameters, "description": ""}
        for tool in declared.values()
        if tool.parameters is not None
    ]
    tools: dict[str, Tool] = {}
    faults: dict[str, str] = dict(found["faults"])
    for row in rows:
        own = declared.get(row["name"]) if "callable" in row else None
        description = (own.description if own else None) or row["description"]
        schema = ToolSchema(name=row["name"], description=description, parameters=row["parameters"])
        if schema.name in tools:
            faults[schema.name] = "two functions have this name"
            continue
        target = {key: row[key] for key in ("callable", "file", "function") if key in row}
        tools[schema.name] = FunctionTool(schema, target, code)
    return Functions(tools=tools, faults=faults)
