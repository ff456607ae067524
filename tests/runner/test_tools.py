"""The built-in tools in a directory of their own."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.tools.base import ToolContext, ToolError
from omnigent.runner.tools.capture import Capture
from omnigent.runner.tools.registry import OS_TOOLS
from omnigent.runner.workspace import OutsideWorkspaceError, Workspace
from tests.runner.fake_server import until
from tests.runner.tool_rig import tool_context


@pytest.fixture
def context(tmp_path: Path) -> Iterator[ToolContext]:
    made = tool_context(tmp_path, environment={"PATH": "/usr/bin:/bin", "GREETING": "hi"})
    yield made
    made.reaper.close()


async def run(tool: str, context: ToolContext, **arguments: Any) -> str:
    return await OS_TOOLS[f"sys_os_{tool}"].run(arguments, context)


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


# -- shell -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        pytest.param("echo hi", "hi\n", id="output"),
        pytest.param("true", "", id="no output"),
        pytest.param("echo out; echo err >&2", "out\nerr\n", id="both outputs in order"),
        pytest.param("echo oops; exit 3", "oops\n[exit code 3]\n", id="exit code"),
        pytest.param("printf x; exit 3", "x\n[exit code 3]\n", id="exit code on its own line"),
        pytest.param("kill -9 $$", "[killed by signal 9]\n", id="signal"),
        pytest.param("cat", "", id="no input to wait for"),
        pytest.param("echo $GREETING", "hi\n", id="environment"),
        pytest.param(r"printf 'a\000b\377c'", "a\ufffdb\ufffdc", id="bytes that are no text"),
    ],
)
async def test_a_command_answers_with_its_output(context: ToolContext, command: str, expected: str) -> None:
    assert await run("shell", context, command=command) == expected


async def test_a_command_runs_in_the_workspace(context: ToolContext, tmp_path: Path) -> None:
    assert await run("shell", context, command="pwd -P") == f"{tmp_path.resolve()}\n"


async def test_a_timeout_kills_the_whole_group_and_keeps_the_output(
    context: ToolContext, tmp_path: Path
) -> None:
    command = "echo before; (trap '' TERM; sleep 600) & echo $! > pid; trap '' TERM; sleep 600; sleep 600"

    result = await run("shell", context, command=command, timeout=0.5)

    assert result == "before\n[timed out after 0.5 s; the process group was killed]\n"
    pid = int((tmp_path / "pid").read_text())
    await until(lambda: not is_alive(pid))


async def test_a_cancelled_call_leaves_no_process(context: ToolContext, tmp_path: Path) -> None:
    running = asyncio.create_task(run("shell", context, command="sleep 600 & echo $! > pid; wait"))
    await until(lambda: (tmp_path / "pid").exists() and bool((tmp_path / "pid").read_text()))
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running

    await until(lambda: not is_alive(int((tmp_path / "pid").read_text())))


async def test_a_flood_is_cut_in_the_middle(context: ToolContext) -> None:
    result = await run("shell", context, command="echo first; yes | head -c 30000000; echo last")

    assert result.startswith("first\ny\n")
    assert result.endswith("y\nlast\n")
    assert "bytes omitted" in result
    assert len(result) < 110_000


async def test_a_command_in_the_background_does_not_hold_the_answer(
    context: ToolContext, tmp_path: Path
) -> None:
    async with asyncio.timeout(5):
        assert await run("shell", context, command="sleep 600 & echo $! > pid; echo started") == "started\n"

    pid = int((tmp_path / "pid").read_text())
    assert is_alive(pid)
    context.reaper.close()
    await until(lambda: not is_alive(pid))


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"command": 3},
        {"command": "true", "timeout": "soon"},
        {"command": "true", "timeout": -1},
        {"command": "a\x00b"},
    ],
)
async def test_bad_arguments_are_told(context: ToolContext, arguments: dict[str, Any]) -> None:
    with pytest.raises(ToolError):
        await run("shell", context, **arguments)


async def test_a_missing_workspace_is_told(context: ToolContext, tmp_path: Path) -> None:
    gone = replace(context, workspace=Workspace(tmp_path / "gone"))

    with pytest.raises(ToolError, match="cannot be started"):
        await run("shell", gone, command="true")


def test_a_capture_keeps_both_ends_within_its_cap() -> None:
    capture = Capture(cap=10)
    for number in range(100):
        capture.feed(b"%d," % number)

    assert capture.text().startswith("0,1,2")
    assert capture.text().endswith("8,99,")
    assert "280 bytes omitted" in capture.text()


# -- files -------------------------------------------------------------------------------------------


async def test_write_then_read_then_edit(context: ToolContext, tmp_path: Path) -> None:
    assert await run("write", context, path="a/b.txt", content="one\ntwo\n") == "Created a/b.txt, 8 bytes.\n"
    assert await run("read", context, path="a/b.txt") == "one\ntwo\n"
    await run("edit", context, path="a/b.txt", oldText="two", newText="three")

    assert (tmp_path / "a/b.txt").read_text() == "one\nthree\n"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.txt"]


async def test_writing_keeps_the_mode(context: ToolContext, tmp_path: Path) -> None:
    script = tmp_path / "run.sh"
    script.write_text("old")
    script.chmod(0o755)

    assert await run("write", context, path="run.sh", content="new") == "Wrote run.sh, 3 bytes.\n"

    assert script.stat().st_mode & 0o777 == 0o755


async def test_reading_goes_by_lines(context: ToolContext, tmp_path: Path) -> None:
    (tmp_path / "long").write_text("".join(f"line {n}\n" for n in range(1, 5001)))

    assert await run("read", context, path="long", offset=3, limit=2) == (
        "line 3\nline 4\n\n[cut here; go on with offset 5]\n"
    )
    assert (await run("read", context, path="long")).endswith("[cut here; go on with offset 2001]\n")


async def test_reading_a_binary_file_or_a_directory_says_so(context: ToolContext, tmp_path: Path) -> None:
    (tmp_path / "image").write_bytes(b"\x89PNG\x00\x01")
    (tmp_path / "folder").mkdir()

    assert await run("read", context, path="image") == "[image is a binary file of 6 bytes]\n"
    assert await run("read", context, path=".") == "folder/\nimage\n"


@pytest.mark.parametrize("text", ["missing", "twice", ""])
async def test_an_edit_needs_exactly_one_place(context: ToolContext, tmp_path: Path, text: str) -> None:
    (tmp_path / "f").write_text("twice twice")

    with pytest.raises(ToolError, match="exactly once"):
        await run("edit", context, path="f", oldText=text, newText="x")

    assert (tmp_path / "f").read_text() == "twice twice"


async def test_several_edits_apply_in_order_or_not_at_all(context: ToolContext, tmp_path: Path) -> None:
    (tmp_path / "f").write_text("a b")
    edits = [{"oldText": "a", "newText": "c"}, {"oldText": "c b", "newText": "d"}]
    await run("edit", context, path="f", edits=edits)
    with pytest.raises(ToolError):
        await run(
            "edit",
            context,
            path="f",
            edits=[{"oldText": "d", "newText": "e"}, {"oldText": "z", "newText": ""}],
        )

    assert (tmp_path / "f").read_text() == "d"


# -- containment -------------------------------------------------------------------------------------


@pytest.fixture
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("outside")
    (directory / "secret").write_text("secret")
    return directory


@pytest.mark.parametrize("tool", ["read", "write", "edit"])
@pytest.mark.parametrize(
    "path", ["../x", "/etc/passwd", "a/../../x", "link/secret", "file", "~/x", "deep/link/new", "\x00"]
)
async def test_paths_that_leave_the_workspace_are_refused(
    context: ToolContext, tmp_path: Path, outside: Path, tool: str, path: str
) -> None:
    (tmp_path / "link").symlink_to(outside)
    (tmp_path / "file").symlink_to(outside / "secret")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "link").symlink_to("../link")

    with pytest.raises(ToolError):
        await run(tool, context, path=path, content="x", oldText="secret", newText="x")

    assert (outside / "secret").read_text() == "secret"
    assert os.listdir(outside) == ["secret"]


def test_links_inside_the_workspace_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    assert Workspace.at(tmp_path).resolve("link/new") == tmp_path.resolve() / "real" / "new"
    assert Workspace.at(tmp_path).resolve(str(tmp_path / "real")) == tmp_path.resolve() / "real"


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")

    with pytest.raises(OutsideWorkspaceError):
        Workspace.at(tmp_path).resolve("a/x")


async def test_a_fifo_is_not_read(context: ToolContext, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(ToolError, match="not a regular file"):
        await run("read", context, path="pipe")
