"""What a server with several users refuses in an agent that one of them brings along."""

from typing import Any

import pytest

from omnigent.spec import parse_spec
from omnigent.spec.uploads import upload_problems
from tests.spec.documents import config, directory, single

HANDLERS = {"known.handler"}
OUTSIDE = "must be relative and inside the workspace"


def refused(data: dict[str, Any], files: dict[str, bytes] | None = None) -> tuple[str, ...]:
    files = files or {}
    return upload_problems(parse_spec(data, files), files, HANDLERS)


def test_an_ordinary_agent_is_welcome() -> None:
    data = directory(
        os_env={"cwd": "src/app"},
        terminals={"t": {"os_env": {"cwd": "."}}},
        policies={"p": {"type": "function", "handler": "known.handler"}},
        tools={"ask": {"type": "function", "runtime": "client", "parameters": {}}},
    )
    files = {
        "skills/s/SKILL.md": b"---\nname: s\ndescription: d\n---\n", "skills/s/tools/run.py": b"",
        "agents/x/config.yaml": config(), "agents/x/skills/s/helper.ts": b"", "tools/mcp/readme.md": b"",
        "lib/x.py": b"",
    }  # fmt: skip

    assert refused(data, files) == ()


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (directory(policies={"p": {"type": "function", "handler": "os.system"}}),
         "policy 'p': the handler 'os.system' is not registered on this server"),
        (directory(tools={"f": {"type": "function", "callable": "os.system"}}),
         "tool 'f': callable runs code of the server and is not allowed in an upload"),
        (directory(tools={"f": {"type": "mcp", "url": "http://u", "runner": "x"}}),
         "tool 'f': runner runs code of the server and is not allowed in an upload"),
        (single(tools={"sub": {"type": "agent", "prompt": "p",
                               "tools": {"f": {"type": "function", "callable": "os.system"}}}}),
         "sub_agents['sub'].tool 'f': callable runs code of the server and is not allowed in an upload"),
        (directory(os_env={"cwd": "/etc"}), f"os_env.cwd: {OUTSIDE}"),
        (directory(terminals={"t": {"os_env": {"cwd": "../x"}}}), f"terminals.t.os_env.cwd: {OUTSIDE}"),
        (single(tools={"sub": {"type": "agent", "prompt": "p", "os_env": {"cwd": "/"}}}),
         f"sub_agents['sub'].os_env.cwd: {OUTSIDE}"),
    ],
    ids=["handler", "callable", "runner", "callable below", "cwd", "terminal cwd", "cwd below"],
)  # fmt: skip
def test_code_and_places_of_the_server_are_refused(data: dict[str, Any], expected: str) -> None:
    assert refused(data) == (expected,)


@pytest.mark.parametrize(
    "path",
    ["tools/python/x.py", "tools/typescript/x.ts", "tools/x.py", "tools/deep/er/x.ts",
     "agents/x/tools/python/y.py", "agents/x/agents/y/tools/z.ts"],
)  # fmt: skip
def test_tool_files_are_refused(path: str) -> None:
    files = {"agents/x/config.yaml": config(), path: b""}

    assert refused(directory(), files) == (f"{path}: tool files are not allowed in an upload",)


@pytest.mark.parametrize(
    "cwd",
    ["/", "//x", "..", "a/../..", "a/..", "~", "~root/x", "C:\\", "c:x", "\\\\host\\x", "a\\..\\b"],
)
def test_working_directories_that_lead_outside(cwd: str) -> None:
    assert refused(directory(os_env={"cwd": cwd})) == (f"os_env.cwd: {OUTSIDE}",)


def test_everything_refused_is_told_at_once() -> None:
    data = directory(
        os_env={"cwd": "/"},
        policies={"p": {"type": "function", "handler": "a.b"}},
        tools={"f": {"type": "function", "callable": "a.b"}},
    )

    assert len(refused(data, {"tools/python/x.py": b""})) == 4
