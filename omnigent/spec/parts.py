"""The blocks of an agent document: os_env, policies, labels, MCP servers, terminals."""

from collections.abc import Mapping
from typing import Any

from omnigent.spec.document import load_mapping
from omnigent.spec.reader import Reader
from omnigent.spec.types import LabelDecl, McpServer, OsEnv, PolicyDecl, Sandbox

RESERVED_TOOL_KEYS = frozenset({"agents", "builtins", "timeout", "retry", "sandbox"})
PROMPT_POLICY = "omnigent.policies.builtins.prompt.prompt_policy"


def os_env(read: Reader) -> OsEnv | None:
    """The `os_env:` block; None means that the agent has no machine tools."""
    if read.data.get("os_env") is None:
        return None
    if isinstance(read.data["os_env"], str):
        return OsEnv(type=read.data["os_env"])
    block = read.inside("os_env")
    sandbox = block.inside("sandbox")
    return OsEnv(
        type=block.text("type") or "caller_process",
        cwd=block.text("cwd"),
        fork=block.flag("fork", default=False),
        start_in_scratch=block.flag("start_in_scratch", default=False),
        sandbox=Sandbox(
            # An unquoted YAML null is how some authors write "no sandbox".
            type=sandbox.text("type") or ("none" if "type" in sandbox.data else None),
            allow_network=sandbox.flag("allow_network", default=True),
            read_paths=sandbox.texts("read_paths") or (),
            options=sandbox.data,
        ),
    )


def policies(read: Reader) -> tuple[PolicyDecl, ...]:
    """The `policies:` mapping of a document or of its guardrails, in the author's order."""
    rows = (_policy(name, row, read.problems) for name, row in read.mappings("policies").items())
    return tuple(row for row in rows if row is not None)


def _policy(name: str, row: dict[str, Any], problems: list[str]) -> PolicyDecl | None:
    read = Reader(row, f"policy {name!r}", problems)
    declared = read.text("type")
    function = read.inside("function") if isinstance(row.get("function"), dict) else None
    handler = read.text("handler") or read.text("callable")
    if function is not None:
        handler = handler or function.text("path")
    elif handler is None:
        handler = read.text("function")
    params = row.get("factory_params")
    if function is not None and "arguments" in function.data:
        if params is not None:
            problems.append(f"policy {name!r}: arguments and factory_params exclude each other")
        params = function.data["arguments"]
    if declared == "prompt":
        handler, params = PROMPT_POLICY, {"prompt": read.text("prompt") or ""}
    elif declared != "function":
        problems.append(f"policy {name!r}: " + ("type: required" if declared is None else "unknown type"))
        return None
    if not handler:
        problems.append(f"policy {name!r}: handler: required")
        return None
    if params is not None and not isinstance(params, dict):
        read.complain("factory_params", "must be a mapping")
    return PolicyDecl(
        name=name,
        handler=handler,
        on=read.texts("on") or (),
        factory_params=params if isinstance(params, dict) else None,
        config=read.mapping("config"),
        condition=_condition(read),
        set_labels=read.texts("set_labels"),
        ask_timeout=read.number("ask_timeout", minimum=0),
    )


def _condition(read: Reader) -> dict[str, tuple[str, ...]]:
    inner = read.inside("condition")
    wanted = {}
    for key, value in inner.data.items():
        allowed = inner.texts(key) if isinstance(value, list) else (inner.text(key),)
        wanted[key] = tuple(item for item in allowed or () if item is not None)
    return wanted


def labels(read: Reader, shape: str) -> dict[str, LabelDecl]:
    """Label declarations: `guardrails.labels`, or `labels` with `label_schema` in a single file."""
    schema = read.mappings("label_schema") if shape == "single-file" else {}
    inner = read.inside("labels")
    declared = {}
    for key in dict.fromkeys((*inner.data, *schema)):
        initial: str | None
        values: tuple[str, ...] | None
        if isinstance(inner.data.get(key), dict):
            row = inner.inside(key)
            initial, values = row.text("initial"), row.texts("values")
            if not row.data:
                read.problems.append(f"label {key!r}: must not be empty")
        else:
            initial = inner.text(key)
            values = Reader(schema.get(key, {}), f"label_schema.{key}", read.problems).texts("values")
        if initial is not None and values is not None and initial not in values:
            read.problems.append(f"label {key!r}: initial {initial!r} is not one of its values")
        declared[key] = LabelDecl(initial=initial, values=values)
    return declared


def terminals(read: Reader, shape: str) -> dict[str, Mapping[str, Any]]:
    """The `terminals:` block; in a single file a bare string is the command."""
    block = read.mapping("terminals")
    if shape == "single-file":
        block = {name: {"command": row} if isinstance(row, str) else row for name, row in block.items()}
    inner = Reader({"terminals": block}, read.path, read.problems)
    return dict(inner.mappings("terminals"))


def mcp_servers(tools: Reader, files: Mapping[str, bytes]) -> tuple[McpServer, ...]:
    """Inline `tools.<name>` of type mcp, then one server per `tools/mcp/*.yaml`."""
    servers: list[McpServer] = []
    for name, row in tools.data.items():
        if name not in RESERVED_TOOL_KEYS and isinstance(row, dict) and row.get("type") == "mcp":
            servers.append(_mcp_server(Reader(row, f"mcp_servers[{len(servers)}]", tools.problems), name))
    for path in sorted(files):
        if path.startswith("tools/mcp/") and path.count("/") == 2 and path.endswith((".yaml", ".yml")):
            row = Reader(load_mapping(files[path], name=path), path, tools.problems)
            for key in ("name", "transport"):
                if not row.text(key):
                    row.complain(key, "required")
            servers.append(_mcp_server(row, row.text("name") or ""))
    return tuple(servers)


def _mcp_server(row: Reader, name: str) -> McpServer:
    url, command = row.text("url"), row.text("command")
    transport = row.text("transport") or ("http" if url else "stdio" if command else "registry")
    needed = {"http": "url", "stdio": "command"}.get(transport)
    refused = {"http": ("command", "args", "env"), "stdio": ("url", "headers")}.get(transport, ())
    if transport not in {"http", "stdio", "registry"}:
        row.complain("transport", "one of http, stdio, registry")
    if needed and not row.text(needed):
        row.complain(needed, f"required for {transport}")
    for key in refused:
        if row.data.get(key):
            row.complain(key, f"not allowed for {transport}")
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
    )
