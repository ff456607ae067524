"""The terminals that an agent declares: its tools for them, and the routes of the runner."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.tools.base import ToolContext, ToolError
from omnigent.runner.tools.registry import tools_of
from omnigent.spec.types import AgentSpec, OsEnv, Sandbox, Terminal, WritePath
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import running
from tests.runner.tool_rig import tool_context

pytestmark = pytest.mark.terminal

NO_SANDBOX = OsEnv(sandbox=Sandbox(type="none"))
TERMINALS = {
    "shell": Terminal(command="bash --norc", env={"PS1": "$ ", "MADE": "here"}, env_unset=("TAKEN",)),
    "free": Terminal(command="bash --norc", allow_cwd_override=True, allow_sandbox_override=True),
    "short": Terminal(command="echo", args=("a b", "c"), keep_alive_after_exit=True),
    "bare": Terminal(command="/usr/bin/env", inherit_env=False, env={"ONE": "1"}, keep_alive_after_exit=True),
    "boxed": Terminal(
        command="bash --norc", os_env=OsEnv(sandbox=Sandbox(write_paths=(WritePath(path="out"),)))
    ),
    "logged": Terminal(command="echo logged", log_file="it's 100% #{pane}.log"),
    "escaping": Terminal(command="true", log_file="../x"),
}


@pytest.fixture
async def context(tmp_path: Path) -> AsyncIterator[ToolContext]:
    (tmp_path / "inner").mkdir()
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TAKEN": "away", "GIVEN": "on"}
    spec = AgentSpec(name="helper", os_env=NO_SANDBOX, terminals=TERMINALS)
    made = tool_context(tmp_path, environment=environment, spec=spec)
    yield made
    await made.rooms.close()
    made.reaper.close()


async def call(context: ToolContext, tool: str, terminal: str = "", session: str = "one", **more: Any) -> Any:
    """A tool's answer; the session is `one` unless another is named."""
    named = {"terminal": terminal, "session": session} if terminal else {}
    output = await tools_of(context.spec)[f"sys_terminal_{tool}"].run({**named, **more}, context)
    return json.loads(output)


async def reads(context: ToolContext, terminal: str, accepted: Callable[[Mapping[str, Any]], bool]) -> Any:
    """What is read once it is accepted."""
    async with asyncio.timeout(20):
        answer = await call(context, "read", terminal)
        while not accepted(answer):  # a screen tells nobody that it has changed
            await asyncio.sleep(0.02)
            answer = await call(context, "read", terminal)
    return answer


def test_only_an_agent_with_terminals_has_the_tools() -> None:
    assert not [name for name in tools_of(AgentSpec(name="helper")) if name.startswith("sys_terminal")]
    tools = tools_of(AgentSpec(name="helper", terminals=TERMINALS))
    assert tools["sys_terminal_launch"].schema.parameters["properties"]["terminal"]["enum"] == list(TERMINALS)


async def test_a_terminal_is_opened_used_read_listed_and_closed(context: ToolContext, tmp_path: Path) -> None:
    opened = await call(context, "launch", "shell")
    assert opened == {
        "id": "terminal_shell_one",
        "terminal": "shell",
        "session": "one",
        "running": True,
        "exit_status": None,
    }

    await call(context, "send", "shell", text="echo $MADE $GIVEN [$TAKEN]; pwd")
    answer = await reads(context, "shell", lambda answer: "here on []" in answer["screen"])
    assert str(tmp_path.resolve()) in answer["screen"].replace("\n", "")
    await call(context, "send", "shell", text="sleep 600")
    await call(context, "send", "shell", keys="C-c")
    await call(context, "send", "shell", text="echo 'not' pressed", keys="")
    await reads(context, "shell", lambda answer: "echo 'not' pressed" in answer["screen"])
    assert [row["id"] for row in (await call(context, "list"))["terminals"]] == ["terminal_shell_one"]

    assert (await call(context, "close", "shell"))["closed"] is True
    assert (await call(context, "list"))["terminals"] == []
    with pytest.raises(ToolError, match="is not open"):
        await call(context, "send", "shell", text="x")


async def test_a_program_that_ended_can_be_read_when_the_author_keeps_it(context: ToolContext) -> None:
    await call(context, "launch", "short")

    answer = await reads(context, "short", lambda answer: not answer["running"])

    assert (answer["screen"], answer["exit_status"]) == ("a b c", 0)
    with pytest.raises(ToolError, match="has ended"):
        await call(context, "send", "short", text="x")


async def test_nothing_is_inherited_when_the_author_says_so(context: ToolContext) -> None:
    await call(context, "launch", "bare")

    answer = await reads(context, "bare", lambda answer: not answer["running"])

    assert {line.partition("=")[0] for line in answer["screen"].splitlines() if "=" in line} == {
        "PATH",
        "ONE",
        "TERM",
    }


async def test_a_log_is_written_inside_the_workspace_only(context: ToolContext, tmp_path: Path) -> None:
    await call(context, "launch", "logged")

    log = tmp_path / "it's 100% #{pane}.log"
    await until(lambda: log.exists() and "logged" in log.read_text(), 20)
    with pytest.raises(ToolError, match="outside the workspace"):
        await call(context, "launch", "escaping")


async def test_another_directory_needs_leave(context: ToolContext) -> None:
    with pytest.raises(ToolError, match="does not allow another directory"):
        await call(context, "launch", "shell", cwd="inner")
    with pytest.raises(ToolError, match="outside the workspace"):
        await call(context, "launch", "free", cwd="../..")

    await call(context, "launch", "free", cwd="inner")
    await call(context, "send", "free", text="pwd")

    await reads(context, "free", lambda answer: "/inner" in answer["screen"].replace("\n", ""))


@pytest.mark.parametrize(
    ("tool", "arguments", "message"),
    [
        ("launch", {"terminal": "nothing"}, "declares no terminal 'nothing'; it declares: shell"),
        ("launch", {"terminal": "shell", "session": "a b"}, "letters, digits"),
        ("launch", {"terminal": "shell", "sandbox": "linux_bwrap"}, "does not allow another one than none"),
        ("launch", {"terminal": "free", "sandbox": "jail"}, "one of none, linux_bwrap"),
        ("read", {"terminal": "shell"}, "is not open"),
    ],
)
async def test_what_cannot_be_done_is_told(
    context: ToolContext, tool: str, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ToolError, match=message):
        await call(context, tool, **arguments)


@pytest.mark.parametrize(
    "arguments",
    [{"keys": "Entre"}, {"keys": 3}, {"text": 3}, {"text": "x" * 300_000}],
    ids=["key", "a", "b", "c"],
)
async def test_what_cannot_be_sent_is_told(context: ToolContext, arguments: dict[str, Any]) -> None:
    await call(context, "launch", "shell")

    with pytest.raises(ToolError):
        await call(context, "send", "shell", **arguments)


@pytest.mark.sandbox
@pytest.mark.parametrize(("terminal", "wish"), [("boxed", {}), ("free", {"sandbox": "linux_bwrap"})])
async def test_a_terminal_is_confined(
    context: ToolContext, tmp_path: Path, terminal: str, wish: dict[str, str]
) -> None:
    (tmp_path / ".env").write_text("swordfish")
    await call(context, "launch", terminal, **wish)

    tried = "ls -d /root; cat .env; echo x > x; echo $TAKEN [$GIVEN]; tty; jobs; echo e'nd'"
    await call(context, "send", terminal, text=tried)

    answer = await reads(context, terminal, lambda answer: "\nend" in answer["screen"])
    assert "No such file or directory" in answer["screen"]
    assert "Read-only file system" in answer["screen"]
    assert "swordfish" not in answer["screen"]
    assert "[]" in answer["screen"]
    assert "job control" not in answer["screen"]
    assert not (tmp_path / "x").exists()


AGENT = """\
name: helper
prompt: You help.
executor: {harness: scripted}
os_env: {type: caller_process, sandbox: {type: none}}
terminals: {shell: {command: bash --norc, env: {PS1: "$ "}}}
"""
PATH = "/v1/sessions/conv_1/resources/terminals"


async def test_the_routes_open_show_and_close(tmp_path: Path) -> None:
    server = FakeServer()
    server.agent = AGENT
    body = {"terminal": "shell", "session_key": "one"}
    async with running(tmp_path, server=server):
        assert await server.request("GET", PATH) == (200, {"object": "list", "data": [], "has_more": False})
        status, opened = await server.request("POST", PATH, body)
        again = await server.request("POST", PATH, body)
        listed = await server.request("GET", PATH)
        found = await server.request("GET", f"{PATH}/terminal_shell_one")
        deleted = await server.request("DELETE", f"{PATH}/terminal_shell_one")
        gone = await server.request("GET", f"{PATH}/terminal_shell_one")
        twice = await server.request("DELETE", f"{PATH}/terminal_shell_one")

    assert status == 200
    assert (opened["id"], opened["type"], opened["name"]) == ("terminal_shell_one", "terminal", "shell")
    assert opened["metadata"]["running"] is True
    assert again == found == (200, opened)
    assert listed[1]["data"] == [opened]
    assert deleted == (
        200,
        {"id": "terminal_shell_one", "object": "session.resource.deleted", "deleted": True},
    )
    missing = {"error": {"code": "not_found", "message": "Terminal 'terminal_shell_one' not found"}}
    assert gone == twice == (404, missing)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "terminal is required"),
        ({"terminal": 3}, "terminal must be a text"),
        ({"terminal": "zsh"}, "it declares: shell"),
        ({"terminal": "shell", "cwd": "/"}, "does not allow"),
    ],
)
async def test_the_routes_refuse_what_cannot_be(tmp_path: Path, body: dict[str, Any], words: str) -> None:
    server = FakeServer()
    server.agent = AGENT
    async with running(tmp_path, server=server):
        status, answer = await server.request("POST", PATH, body)

    assert status in {400, 409}
    assert words in answer["error"]["message"]
