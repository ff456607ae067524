"""`$VAR` and `${VAR}` in an operator's agent -> the values of the machine that runs it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from omnigent.spec.errors import SpecError
from omnigent.spec.tooling import McpServer
from omnigent.spec.types import AgentSpec

AUTH_KEYS = ("api_key", "base_url")

_VARIABLE = re.compile(r"\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))", re.ASCII)


def expanded(spec: AgentSpec, environment: Mapping[str, str]) -> AgentSpec:
    """The agent as it runs, with values in the places that may hold a secret and nowhere else.

    Call it only for an agent that the operator wrote: anybody else's would read the operator's environment.
    Sub-agents keep their placeholders, so that one which is never called needs nothing; each is expanded
    when it runs. `raw` keeps what was written. Raises SpecError with every variable that is not set, named
    with its key and never with a value.
    """
    found = _Expansion(environment)
    auth = dict(spec.auth)
    for key in AUTH_KEYS:
        if key in auth:
            auth[key] = found.value(auth[key], f"executor.auth.{key}")
    result = replace(
        spec,
        connection=found.value(spec.connection, "executor.connection"),
        auth=auth,
        mcp_servers=tuple(_server(server, found) for server in spec.mcp_servers),
        builtin_tools=tuple(
            replace(tool, config=found.value(tool.config, f"tools.builtins[{tool.name!r}]"))
            for tool in spec.builtin_tools
        ),
    )
    if found.problems:
        raise SpecError(tuple(dict.fromkeys(found.problems)))
    return result


def _server(server: McpServer, found: "_Expansion") -> McpServer:
    path = f"mcp_servers[{server.name!r}]"
    return replace(
        server,
        url=found.value(server.url, f"{path}.url"),
        headers=found.value(server.headers, f"{path}.headers"),
        env=found.value(server.env, f"{path}.env"),
    )


class _Expansion:
    """Expands text wherever it stands in a value. What a variable holds is not expanded again."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.environment = environment
        self.problems: list[str] = []

    def value(self, value: Any, path: str) -> Any:
        if isinstance(value, str):
            return _VARIABLE.sub(lambda match: self._variable(match[1] or match[2], path), value)
        if isinstance(value, Mapping):
            return {key: self.value(item, f"{path}.{key}") for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item, f"{path}[{index}]") for index, item in enumerate(value)]
        return value

    def _variable(self, name: str, path: str) -> str:
        if name not in self.environment:
            self.problems.append(f"{path}: the variable {name} is not set")
            return ""
        return self.environment[name]
