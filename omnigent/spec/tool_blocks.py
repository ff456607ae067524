"""The `tools:` block of an agent document and the tool files beside it, without the agents among them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast

from omnigent.spec.document import load_mapping
from omnigent.spec.reader import Reader, kind
from omnigent.spec.tooling import (
    TOOL_RETRY,
    BuiltinTool,
    FunctionTool,
    Handoff,
    McpServer,
    Retry,
    SkillTool,
    ToolSandbox,
)

FIXED_KEYS = frozenset({"agents", "builtins", "timeout", "retry", "sandbox"})
MAX_RETRIES = 20
DEFAULT_TIMEOUT = 60.0
RUNTIMES = ("server", "client")
CONTAINERS = ("docker", "podman")
CODE = (("tools/python/", ".py"), ("tools/typescript/", ".ts"))

Inheritable = McpServer | FunctionTool | SkillTool


@dataclass(kw_only=True, slots=True)
class Tools:
    """What one agent's tools were read into; `agents` are the rows that declare sub-agents."""

    mcp_servers: list[McpServer] = field(default_factory=list)
    functions: list[FunctionTool] = field(default_factory=list)
    skills: list[SkillTool] = field(default_factory=list)
    handoffs: list[Handoff] = field(default_factory=list)
    agents: dict[str, dict[str, Any]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def named(self, name: str) -> Inheritable | None:
        """The tool that a sub-agent inherits by this name."""
        candidates: tuple[Inheritable, ...] = (*self.mcp_servers, *self.functions, *self.skills)
        return next((tool for tool in candidates if tool.name == name), None)

    def add(self, tool: Inheritable | Handoff) -> None:
        """Sort a tool into its list."""
        if isinstance(tool, McpServer):
            self.mcp_servers.append(tool)
        elif isinstance(tool, FunctionTool):
            self.functions.append(tool)
        elif isinstance(tool, SkillTool):
            self.skills.append(tool)
        else:
            self.handoffs.append(tool)


def read_tools(block: Reader, files: Mapping[str, bytes], inherited: Tools | None) -> Tools:
    """Inline tools in the author's order, then one MCP server per `tools/mcp/*.yaml`."""
    tools = Tools()
    for name, row in block.data.items():
        if name not in FIXED_KEYS:
            _inline(name, row, block, tools, inherited)
    for path in sorted(files):
        if path.startswith("tools/mcp/") and path.count("/") == 2 and path.endswith((".yaml", ".yml")):
            tools.add(_mcp_file(path, files[path], block.problems))
    return tools


def code_files(files: Mapping[str, bytes]) -> tuple[str, ...]:
    """Tools that are written in a programming language."""
    return tuple(
        path
        for path in sorted(files)
        for folder, suffix in CODE
        if path.startswith(folder) and path.count("/") == 2 and path.endswith(suffix)
    )


def builtins(block: Reader) -> tuple[BuiltinTool, ...]:
    """The `builtins` list: names, or mappings with a name and what configures the tool."""
    written = block.data.get("builtins")
    if written is None:
        return ()
    if not isinstance(written, list):
        block.complain("builtins", f"must be a list, got {kind(written)}")
        return ()
    found: dict[str, BuiltinTool] = {}
    for index, row in enumerate(written):
        read = Reader(row if isinstance(row, dict) else {}, block.at(f"builtins[{index}]"), block.problems)
        name = row if isinstance(row, str) else read.text("name")
        if not name:
            block.complain(f"builtins[{index}]", "must be a name or a mapping with a name")
        elif name in found:
            block.complain(f"builtins[{index}]", f"duplicate {name[:100]!r}")
        else:
            config = {key: value for key, value in read.data.items() if key != "name"}
            found[name] = BuiltinTool(name=name, config=config)
    return tuple(found.values())


def retry(read: Reader, key: str, default: Retry) -> Retry:
    """A retry block; what it leaves out is as in `default`."""
    block = read.inside(key)
    tries = block.integer("max_retries", minimum=0)
    if tries is not None and tries > MAX_RETRIES:
        block.complain("max_retries", f"must be <= {MAX_RETRIES}")
    base = block.number("backoff_base_s", minimum=0)
    highest = block.number("backoff_max_s", minimum=0)
    timeout = block.number("timeout_per_request_s", minimum=0)
    return Retry(
        max_retries=default.max_retries if tries is None else tries,
        backoff_base_s=default.backoff_base_s if base is None else base,
        backoff_max_s=default.backoff_max_s if highest is None else highest,
        jitter=block.flag("jitter", default=default.jitter),
        timeout_per_request_s=default.timeout_per_request_s if timeout is None else timeout,
        retryable_status_codes=_status_codes(block, default),
    )


def tool_retry(block: Reader) -> Retry:
    """The `retry` of all tools."""
    return retry(block, "retry", TOOL_RETRY)


def timeout(block: Reader) -> float:
    """Seconds that a call of a tool may take."""
    return block.number("timeout", minimum=0) or DEFAULT_TIMEOUT


def container(block: Reader) -> ToolSandbox | None:
    """The `sandbox` of local tools."""
    if block.data.get("sandbox") is None:
        return None
    read = block.inside("sandbox")
    image = read.text("container_image") or read.text("docker_image")
    runtime = read.choice("container_runtime", CONTAINERS) or "docker"
    return ToolSandbox(image=image, runtime=cast("Literal['docker', 'podman']", runtime)) if image else None


def _status_codes(block: Reader, default: Retry) -> tuple[int, ...]:
    written = block.data.get("retryable_status_codes")
    if written is None:
        return default.retryable_status_codes
    codes = written if isinstance(written, list) else [written]
    if any(isinstance(code, bool) or not isinstance(code, int) or not 100 <= code <= 599 for code in codes):
        block.complain("retryable_status_codes", "must be a list of HTTP status codes")
        return default.retryable_status_codes
    return tuple(codes)


def _inline(name: str, row: object, block: Reader, tools: Tools, inherited: Tools | None) -> None:
    if row == "inherit" or (isinstance(row, dict) and row.get("type") == "inherit"):
        tool = inherited.named(name) if inherited else None
        if tool is None:
            block.problems.append(f"tool {name!r}: the parent has no such tool to inherit")
        else:
            tools.add(tool)
        return
    if row == "self":
        row = {"type": "agent", "spec": "self"}
    if not isinstance(row, dict):
        block.complain(name, f"must be a mapping, got {kind(row)}")
        return
    if row.get("type") == "mcp":
        index = len(tools.mcp_servers)
        tools.add(_mcp_server(Reader(row, f"mcp_servers[{index}]", block.problems), name))
    elif row.get("type") == "agent":
        tools.agents[name] = row
    else:
        _other(name, Reader(row, f"tool {name!r}", block.problems), tools)


def _other(name: str, read: Reader, tools: Tools) -> None:
    declared = read.text("type")
    description = read.text("description")
    if declared == "function" and "catalog_path" in read.data:
        tools.warnings.append(f"tool {name!r}: Unity Catalog functions are not supported and left out")
    elif declared == "function":
        tools.add(_function(name, read))
    elif declared == "skill":
        skill = read.text("skill") or read.text("name") or name
        tools.add(SkillTool(name=name, skill=skill, description=description))
    elif declared == "handoff":
        agent = read.text("agent") or read.text("target") or name
        tools.add(Handoff(name=name, agent=agent, description=description))
    elif declared == "cancellable_function":
        read.complain("type", "cancellable_function was retired, use function")
    else:
        fault = "required" if declared is None else f"unknown {declared[:100]!r}"
        read.complain("type", f"{fault}, one of mcp, function, agent, skill, handoff")


def _function(name: str, read: Reader) -> FunctionTool:
    runtime = read.choice("runtime", RUNTIMES) or "server"
    path = read.text("callable")
    key = "parameters" if read.data.get("parameters") is not None else "input_schema"
    parameters = read.mapping(key) if read.data.get(key) is not None else None
    if runtime == "client":
        if parameters is None:
            read.complain("parameters", "required for a client tool")
        if path is not None:
            read.complain("callable", "not allowed for a client tool")
    elif not path:
        read.complain("callable", "required for a function tool")
    if parameters is not None and parameters.get("type", "object") != "object":
        read.complain(key, "must describe an object")
    return FunctionTool(
        name=name,
        callable=path,
        parameters=parameters,
        runtime=cast("Literal['server', 'client']", runtime),
        description=read.text("description"),
    )


def _mcp_file(path: str, content: bytes, problems: list[str]) -> McpServer:
    read = Reader(load_mapping(content, name=path), path, problems)
    for key in ("name", "transport"):
        if not read.text(key):
            read.complain(key, "required")
    if read.data.get("transport") == "registry":
        read.complain("transport", "registry is for inline servers only")
    if read.data.get("sandbox") is not None:
        read.complain("sandbox", "not allowed")
    return _mcp_server(read, read.text("name") or "")


def _mcp_server(row: Reader, name: str) -> McpServer:
    url, command = row.text("url"), row.text("command")
    implied = "stdio" if command else "http" if url else "registry"
    transport = row.text("transport") or implied
    needed = {"http": "url", "stdio": "command"}.get(transport)
    refused = {"http": ("command", "args", "env"), "stdio": ("url", "headers")}.get(transport, ())
    if transport not in {"http", "stdio", "registry"}:
        row.complain("transport", "one of http, stdio, registry")
    if needed and not row.text(needed):
        row.complain(needed, f"required for {transport}")
    for key in refused:
        if row.data.get(key):
            row.complain(key, f"not allowed for {transport}")
    if transport == "http" and url and not url.startswith(("http://", "https://", "$")):
        row.complain("url", "must start with http:// or https://")
    return McpServer(
        name=name,
        transport=transport,
        url=url,
        command=command,
        args=row.texts("args") or (),
        headers=row.strings("headers"),
        env=row.strings("env"),
        tools=row.texts("tools"),
        timeout=row.number("timeout", minimum=0),
        description=row.text("description"),
        registry=row.text("registry"),
        retry=retry(row, "retry", Retry()) if row.data.get("retry") is not None else None,
        auth=row.mapping("auth"),
    )
