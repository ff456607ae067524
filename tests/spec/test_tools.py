"""The tools that a document declares, each kind read into its own type."""

from omnigent.spec import parse_spec
from omnigent.spec.types import (
    BuiltinTool,
    FunctionTool,
    Handoff,
    McpServer,
    Retry,
    SkillTool,
    ToolSandbox,
)
from tests.spec.documents import config, directory

SCHEMA = {"type": "object", "properties": {"x": {"type": "integer"}}}


def test_mcp_servers() -> None:
    remote = {
        "type": "mcp", "url": "https://u", "headers": {"A": "b"}, "tools": ["x"], "timeout": 3,
        "retry": {"max_retries": 2}, "auth": {"type": "databricks", "profile": "p"}, "description": "d",
    }  # fmt: skip
    local = {"type": "mcp", "command": "run", "args": ["-v"], "env": {"N": 1}}
    listed = {"type": "mcp", "registry": "some/server"}
    files = {"tools/mcp/any.yaml": b"name: filed\ntransport: http\nurl: https://f\n"}

    spec = parse_spec(directory(tools={"remote": remote, "local": local, "listed": listed}), files)

    assert spec.mcp_servers == (
        McpServer(
            name="remote", transport="http", url="https://u", headers={"A": "b"}, tools=("x",), timeout=3,
            retry=Retry(max_retries=2), auth={"type": "databricks", "profile": "p"}, description="d",
        ),
        McpServer(name="local", transport="stdio", command="run", args=("-v",), env={"N": "1"}),
        McpServer(name="listed", transport="registry", registry="some/server"),
        McpServer(name="filed", transport="http", url="https://f"),
    )  # fmt: skip


def test_an_address_that_cannot_be_taken_apart_is_not_shown() -> None:
    spec = parse_spec(directory(tools={"x": {"type": "mcp", "url": "http://user:secret@[bad/x"}}))

    assert spec.public()["mcp_servers"][0]["url"] == "[REDACTED]"


def test_functions() -> None:
    tools = {
        "add": {"type": "function", "callable": "m.add", "description": "Adds.", "input_schema": SCHEMA},
        "bare": {"type": "function", "callable": "m.bare"},
        "ask": {"type": "function", "runtime": "client", "parameters": SCHEMA},
        "catalogued": {"type": "function", "catalog_path": "a.b.c", "warehouse_id": "w"},
    }
    spec = parse_spec(directory(tools=tools))

    assert spec.function_tools == (
        FunctionTool(name="add", callable="m.add", description="Adds.", parameters=SCHEMA),
        FunctionTool(name="bare", callable="m.bare"),
        FunctionTool(name="ask", runtime="client", parameters=SCHEMA),
    )
    assert spec.warnings == ("tool 'catalogued': Unity Catalog functions are not supported and left out",)


def test_skills_and_handoffs() -> None:
    tools = {
        "how": {"type": "skill", "skill": "howto"},
        "x": {"type": "handoff"},
        "x_too": {"type": "handoff", "agent": "x"},
    }
    spec = parse_spec(directory(tools=tools), {"agents/x/config.yaml": config()})

    assert spec.skill_tools == (SkillTool(name="how", skill="howto"),)
    assert spec.handoffs == (Handoff(name="x", agent="x"), Handoff(name="x_too", agent="x"))


def test_what_is_said_of_all_tools() -> None:
    tools = {
        "timeout": 5,
        "retry": {"max_retries": 0, "jitter": False, "retryable_status_codes": [503]},
        "sandbox": {"docker_image": "img", "container_runtime": "podman"},
        "builtins": ["web_search", {"name": "memory", "bank_id": "b"}],
    }
    files = {"tools/python/b.py": b"", "tools/typescript/a.ts": b"", "tools/python/deep/er.py": b""}
    spec = parse_spec(directory(tools=tools), files)

    assert (spec.tool_timeout, spec.tool_sandbox) == (5, ToolSandbox(image="img", runtime="podman"))
    assert (spec.tool_retry.max_retries, spec.tool_retry.jitter) == (0, False)
    assert spec.tool_retry.retryable_status_codes == (503,)
    assert spec.builtin_tools == (
        BuiltinTool(name="web_search"),
        BuiltinTool(name="memory", config={"bank_id": "b"}),
    )
    assert spec.tool_files == ("tools/python/b.py", "tools/typescript/a.ts")
