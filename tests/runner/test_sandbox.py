"""What tools see of the files of the machine in a sandbox: the real bubblewrap."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.tools import workspace_files
from omnigent.runner.tools.base import ToolContext, ToolError
from tests.runner.sandbox_rig import Boxes, project

pytestmark = pytest.mark.sandbox


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return project(tmp_path / "project")


@pytest.fixture
async def boxed(workspace: Path) -> AsyncIterator[Boxes]:
    boxes = Boxes(workspace)
    yield boxes
    await boxes.close()


async def test_a_command_runs_in_the_workspace_and_reports_its_end(boxed: Boxes, workspace: Path) -> None:
    run = boxed()

    assert await run("shell", command="pwd; cat plain.txt; exit 3") == f"{workspace}\nplain\n[exit code 3]\n"


async def test_home_and_secrets_of_the_system_are_not_there(boxed: Boxes, tmp_path: Path) -> None:
    run = boxed(write=(".",))
    (tmp_path / "beside").write_text("swordfish")
    paths = [Path.home(), "/etc/shadow", "/root", "/var", "/sys", "/run/docker.sock", tmp_path / "beside"]

    for path in paths:
        said = await run("shell", command=f"ls -d {path}")
        assert "No such file or directory" in said, path
    assert await run("shell", command="echo ~; ls -A ~") == "/tmp/home\n"


@pytest.mark.parametrize(
    "path", ["x", "deep/x", "/usr/x", "/etc/x", "/x", "/proc/sys/kernel/hostname", "plain.txt", ".git/x"]
)
async def test_nothing_is_written_outside_the_write_paths(boxed: Boxes, workspace: Path, path: str) -> None:
    run = boxed(write=("out",))

    said = await run("shell", command=f"echo x > {path}")

    assert "exit code" in said
    assert not (workspace / "x").exists()
    assert (workspace / "plain.txt").read_text() == "plain\n"
    assert await run("shell", command="echo ok > out/x; cat out/x") == "ok\n"
    assert (workspace / "out" / "x").read_text() == "ok\n"


async def test_a_root_of_the_sandbox_cannot_mount_anything_again(boxed: Boxes, workspace: Path) -> None:
    run = boxed()

    for command in (
        "mount -o remount,rw .",
        "mount --bind /usr /tmp",
        "umount .git",
        "unshare -Ur mount -o remount,rw .",
        "chroot /",
    ):
        assert "exit code" in await run("shell", command=command), command
    assert "exit code" in await run("shell", command="echo x > plain.txt")


async def test_hidden_entries_are_masked(boxed: Boxes) -> None:
    run = boxed(write=(".",))

    assert await run("shell", command="ls -A .git; cat .venv/marker") == "venv"
    assert "swordfish" not in await run("shell", command="cat .env .git/config; grep -r swordfish .git .env")
    assert "exit code" in await run("shell", command="echo x > .git/x")
    assert await run("shell", command="cat deep/.env") == "swordfish"


async def test_hidden_entries_can_be_allowed_and_scanned_for_in_the_depth(boxed: Boxes) -> None:
    run = boxed(cwd_allow_hidden=(".git",), cwd_hidden_scan_recursive=True)

    assert await run("shell", command="cat .git/config") == "token = swordfish"
    assert "swordfish" not in await run("shell", command="cat deep/.env .env")
    assert await boxed(cwd_allow_hidden=("*",))("shell", command="cat .env") == "swordfish"


async def test_a_scan_that_is_cut_is_an_error_when_the_agent_says_so(boxed: Boxes) -> None:
    limits = {"cwd_hidden_scan_max_entries": 3, "cwd_hidden_scan_recursive": True}

    with pytest.raises(ToolError, match="more than 3 entries"):
        await boxed(**limits, cwd_hidden_scan_overflow="error")("shell", command="true")
    assert await boxed(**limits)("shell", command="echo ran") == "ran\n"
    unlimited = boxed(**limits, cwd_hidden_scan_overflow="unlimited")
    assert "swordfish" not in await unlimited("shell", command="cat deep/.env .env")


async def test_masked_paths_stay_masked_when_a_program_moves_what_is_around_them(
    boxed: Boxes, workspace: Path
) -> None:
    run = boxed(write=(".",), mask_paths=("deep/.env", "plain.txt"))

    first = await run(
        "shell", command="cat deep/.env plain.txt; mv deep moved; mv plain.txt other; ln plain.txt l"
    )
    second = await run("shell", command="cat moved/.env deep/.env other plain.txt l")

    assert "swordfish" not in first + second
    assert "plain\n" not in first + second
    assert (workspace / "deep" / ".env").exists()


async def test_read_paths_are_shown_and_not_written(boxed: Boxes, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (shared / ".ssh").mkdir(parents=True)
    (shared / ".ssh" / "key").write_text("swordfish")
    (shared / "data").write_text("data\n")
    run = boxed(read_paths=(str(shared), "../missing"))

    assert await run("shell", command=f"cat {shared}/data; ls -A {shared}/.ssh") == "data\n"
    assert "Read-only file system" in await run("shell", command=f"echo x > {shared}/data")


async def test_write_files_are_written_alone(boxed: Boxes, workspace: Path) -> None:
    run = boxed(write_files=("plain.txt", "new.log"))

    assert await run("shell", command="echo a > plain.txt; echo b >> new.log") == ""
    assert await run("write", path="plain.txt", content="c") == "Wrote plain.txt, 1 bytes.\n"
    assert "exit code" in await run("shell", command="echo x > deep/x")
    assert (workspace / "plain.txt").read_text() == "c"
    assert (workspace / "new.log").read_text() == "b\n"


async def test_tmp_is_the_sessions_own_and_goes_with_it(boxed: Boxes, tmp_path: Path) -> None:
    run = boxed()

    assert await run("write", path="/tmp/note", content="kept") == "Created /tmp/note, 4 bytes.\n"
    assert await run("shell", command="cat /tmp/note") == "kept"
    assert not Path("/tmp/note").exists()
    assert "No such file" in await boxed()("shell", command="cat /tmp/note")


@pytest.mark.parametrize(
    "options",
    [
        {"read_paths": ("link",)},
        {"write": ("link",)},
        {"write_files": ("link/x",)},
        {"mask_paths": ("link",)},
    ],
    ids=str,
)
async def test_a_listed_path_is_no_link_out_of_the_workspace(
    boxed: Boxes, workspace: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    (tmp_path / "outside").mkdir()
    (workspace / "link").symlink_to(tmp_path / "outside")

    with pytest.raises(ToolError, match="link out of the working directory"):
        await boxed(**options)("shell", command="ls link/")


async def test_a_link_in_the_workspace_leads_nowhere_outside(
    boxed: Boxes, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("swordfish")
    (workspace / "link").symlink_to(tmp_path / "secret")
    run = boxed(write=(".",))

    assert "No such file" in await run("shell", command="cat link")
    with pytest.raises(ToolError, match="No such file"):
        await run("read", path="link")
    await run("shell", command=f"ln -s {Path.home() / '.ssh'} planted")
    with pytest.raises(ToolError, match="No such file"):
        await run("read", path="planted")


@pytest.mark.parametrize(
    "options", [{"read_paths": ("~",)}, {"read_paths": ("/",)}, {"write": ("~",)}], ids=str
)
async def test_home_cannot_be_listed(boxed: Boxes, options: dict[str, Any]) -> None:
    with pytest.raises(ToolError, match="home directory"):
        await boxed(**options)("shell", command="true")


# -- the file tools ----------------------------------------------------------------------------------


async def test_the_file_tools_have_the_same_view(boxed: Boxes, workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "beside").write_text("swordfish")
    run = boxed(write=("out",))

    assert await run("read", path="plain.txt") == "plain\n"
    assert ".git/\n" in await run("read", path=".")
    assert await run("write", path="out/a/b", content="ü\n") == "Created out/a/b, 3 bytes.\n"
    assert await run("edit", path="out/a/b", oldText="ü", newText="u") == "Edited out/a/b, 1 replacement.\n"
    assert (workspace / "out" / "a" / "b").read_text() == "u\n"
    for path in ("/etc/shadow", str(tmp_path / "beside"), "../beside", "~/.ssh/id", ".git/config"):
        with pytest.raises(ToolError, match="No such file"):
            await run("read", path=path)
    with pytest.raises(ToolError, match="Permission denied"):
        await run("read", path=".env")


@pytest.mark.parametrize("path", ["x", "plain.txt", "/usr/x", "deep/new/x"])
async def test_the_file_tools_write_to_write_paths_only(boxed: Boxes, workspace: Path, path: str) -> None:
    run = boxed(write=("out",))

    with pytest.raises(ToolError, match="write_paths only"):
        await run("write", path=path, content="x")
    with pytest.raises(ToolError, match="write_paths only"):
        await run("edit", path="plain.txt", oldText="plain", newText="x")

    assert (workspace / "plain.txt").read_text() == "plain\n"


async def test_whole_files_pass_the_same_limits(boxed: Boxes, workspace: Path) -> None:
    context = boxed.context(write=("out",))
    (workspace / "out" / "link").symlink_to("/etc/passwd")

    assert await workspace_files.read(context, "plain.txt", 100) == b"plain\n"
    assert await workspace_files.write(context, "out/new.bin", b"\x00\xff") == "out/new.bin"
    assert (workspace / "out" / "new.bin").read_bytes() == b"\x00\xff"
    for path in ("plain.txt", "elsewhere/new"):
        with pytest.raises(ToolError, match=r"write_paths only|Read-only"):
            await workspace_files.write(context, path, b"x")
    assert b"swordfish" not in await hidden(context)
    with pytest.raises(ToolError, match="larger than 3 bytes"):
        await workspace_files.read(context, "plain.txt", 3)
    with pytest.raises(ToolError, match="outside"):
        await workspace_files.read(context, "out/link", 100)


async def hidden(context: ToolContext) -> bytes:
    """What a masked file looks like from here."""
    try:
        return await workspace_files.read(context, ".env", 100)
    except ToolError:
        return b""
