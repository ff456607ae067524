"""What tools see and reach of the machine in a sandbox: the real bubblewrap."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from omnigent.runner.sandbox.calls import filter_program
from omnigent.runner.tools.base import ToolError
from omnigent.runner.tools.registry import OS_TOOLS
from omnigent.spec.types import AgentSpec, OsEnv, Sandbox, WritePath
from tests.runner.fake_server import until
from tests.runner.tool_rig import tool_context

pytestmark = pytest.mark.sandbox

Run = Callable[..., Awaitable[str]]
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": str(Path.home()),
    "LANG": "C.UTF-8",
    "MY_SECRET": "swordfish",
    "CHOSEN": "yes",
}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A project with a secret in it."""
    root = tmp_path / "project"
    (root / ".git").mkdir(parents=True)
    (root / ".git" / "config").write_text("token = swordfish")
    (root / ".env").write_text("swordfish")
    (root / ".venv").mkdir()
    (root / ".venv" / "marker").write_text("venv")
    (root / "deep").mkdir()
    (root / "deep" / ".env").write_text("swordfish")
    (root / "out").mkdir()
    (root / "plain.txt").write_text("plain\n")
    return root


@pytest.fixture
async def boxed(workspace: Path) -> AsyncIterator[Callable[..., Run]]:
    """A session whose agent asks for a sandbox; gives what runs its tools."""
    made = []

    def box(**options: Any) -> Run:
        written = tuple(WritePath(path=path) for path in options.pop("write", ()))
        sandbox = Sandbox(type="linux_bwrap", write_paths=written, **options)
        context = tool_context(
            workspace,
            environment=ENVIRONMENT,
            spec=AgentSpec(name="helper", os_env=OsEnv(sandbox=sandbox)),
        )
        made.append(context)

        async def run(tool: str, **arguments: Any) -> str:
            return await OS_TOOLS[f"sys_os_{tool}"].run(arguments, context)

        return run

    yield box
    for context in made:
        await context.rooms.close()
        context.reaper.close()


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_with(words: str) -> list[int]:
    """Processes of this machine with these words in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if words in (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"):
                found.append(int(entry.name))
        except OSError:
            continue
    return [pid for pid in found if is_alive(pid)]


# -- files -------------------------------------------------------------------------------------------


async def test_a_command_runs_in_the_workspace_and_reports_its_end(boxed: Any, workspace: Path) -> None:
    run = boxed()

    assert await run("shell", command="pwd; cat plain.txt; exit 3") == f"{workspace}\nplain\n[exit code 3]\n"


async def test_home_and_secrets_of_the_system_are_not_there(boxed: Any, tmp_path: Path) -> None:
    run = boxed(write=["."])
    (tmp_path / "beside").write_text("swordfish")
    paths = [Path.home(), "/etc/shadow", "/root", "/var", "/sys", "/run/docker.sock", tmp_path / "beside"]

    for path in paths:
        said = await run("shell", command=f"ls -d {path}")
        assert "No such file or directory" in said, path
    assert await run("shell", command="echo ~; ls -A ~") == "/tmp/home\n"


@pytest.mark.parametrize(
    "path", ["x", "deep/x", "/usr/x", "/etc/x", "/x", "/proc/sys/kernel/hostname", "plain.txt", ".git/x"]
)
async def test_nothing_is_written_outside_the_write_paths(boxed: Any, workspace: Path, path: str) -> None:
    run = boxed(write=["out"])

    said = await run("shell", command=f"echo x > {path}")

    assert "exit code" in said
    assert not (workspace / "x").exists()
    assert (workspace / "plain.txt").read_text() == "plain\n"
    assert await run("shell", command="echo ok > out/x; cat out/x") == "ok\n"
    assert (workspace / "out" / "x").read_text() == "ok\n"


async def test_a_root_of_the_sandbox_cannot_mount_anything_again(boxed: Any, workspace: Path) -> None:
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


async def test_hidden_entries_are_masked(boxed: Any) -> None:
    run = boxed(write=["."])

    assert await run("shell", command="ls -A .git; cat .venv/marker") == "venv"
    assert "swordfish" not in await run("shell", command="cat .env .git/config; grep -r swordfish .git .env")
    assert "exit code" in await run("shell", command="echo x > .git/x")
    assert await run("shell", command="cat deep/.env") == "swordfish"


async def test_hidden_entries_can_be_allowed_and_scanned_for_in_the_depth(boxed: Any) -> None:
    run = boxed(cwd_allow_hidden=(".git",), cwd_hidden_scan_recursive=True)

    assert await run("shell", command="cat .git/config") == "token = swordfish"
    assert "swordfish" not in await run("shell", command="cat deep/.env .env")
    assert await boxed(cwd_allow_hidden=("*",))("shell", command="cat .env") == "swordfish"


async def test_a_scan_that_is_cut_is_an_error_when_the_agent_says_so(boxed: Any) -> None:
    limits = {"cwd_hidden_scan_max_entries": 3, "cwd_hidden_scan_recursive": True}

    with pytest.raises(ToolError, match="more than 3 entries"):
        await boxed(**limits, cwd_hidden_scan_overflow="error")("shell", command="true")
    assert await boxed(**limits)("shell", command="echo ran") == "ran\n"
    unlimited = boxed(**limits, cwd_hidden_scan_overflow="unlimited")
    assert "swordfish" not in await unlimited("shell", command="cat deep/.env .env")


async def test_masked_paths_stay_masked_when_a_program_moves_what_is_around_them(
    boxed: Any, workspace: Path
) -> None:
    run = boxed(write=["."], mask_paths=("deep/.env", "plain.txt"))

    first = await run(
        "shell", command="cat deep/.env plain.txt; mv deep moved; mv plain.txt other; ln plain.txt l"
    )
    second = await run("shell", command="cat moved/.env deep/.env other plain.txt l")

    assert "swordfish" not in first + second
    assert "plain\n" not in first + second
    assert (workspace / "deep" / ".env").exists()


async def test_read_paths_are_shown_and_not_written(boxed: Any, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    (shared / ".ssh").mkdir(parents=True)
    (shared / ".ssh" / "key").write_text("swordfish")
    (shared / "data").write_text("data\n")
    run = boxed(read_paths=(str(shared), "../missing"))

    assert await run("shell", command=f"cat {shared}/data; ls -A {shared}/.ssh") == "data\n"
    assert "Read-only file system" in await run("shell", command=f"echo x > {shared}/data")


async def test_write_files_are_written_alone(boxed: Any, workspace: Path) -> None:
    run = boxed(write_files=("plain.txt", "new.log"))

    assert await run("shell", command="echo a > plain.txt; echo b >> new.log") == ""
    assert await run("write", path="plain.txt", content="c") == "Wrote plain.txt, 1 bytes.\n"
    assert "exit code" in await run("shell", command="echo x > deep/x")
    assert (workspace / "plain.txt").read_text() == "c"
    assert (workspace / "new.log").read_text() == "b\n"


async def test_tmp_is_the_sessions_own_and_goes_with_it(boxed: Any, tmp_path: Path) -> None:
    run = boxed()

    assert await run("write", path="/tmp/note", content="kept") == "Created /tmp/note, 4 bytes.\n"
    assert await run("shell", command="cat /tmp/note") == "kept"
    assert not Path("/tmp/note").exists()
    assert "No such file" in await boxed()("shell", command="cat /tmp/note")


@pytest.mark.parametrize(
    "options",
    [{"read_paths": ("link",)}, {"write": ["link"]}, {"write_files": ("link/x",)}, {"mask_paths": ("link",)}],
    ids=str,
)
async def test_a_listed_path_is_no_link_out_of_the_workspace(
    boxed: Any, workspace: Path, tmp_path: Path, options: dict[str, Any]
) -> None:
    (tmp_path / "outside").mkdir()
    (workspace / "link").symlink_to(tmp_path / "outside")

    with pytest.raises(ToolError, match="link out of the working directory"):
        await boxed(**options)("shell", command="ls link/")


async def test_a_link_in_the_workspace_leads_nowhere_outside(
    boxed: Any, workspace: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("swordfish")
    (workspace / "link").symlink_to(tmp_path / "secret")
    run = boxed(write=["."])

    assert "No such file" in await run("shell", command="cat link")
    with pytest.raises(ToolError, match="No such file"):
        await run("read", path="link")
    await run("shell", command="ln -s /root/.ssh planted")
    with pytest.raises(ToolError, match="No such file"):
        await run("read", path="planted")


@pytest.mark.parametrize(
    "options", [{"read_paths": ("~",)}, {"read_paths": ("/",)}, {"write": ["~"]}], ids=str
)
async def test_home_cannot_be_listed(boxed: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ToolError, match="home directory"):
        await boxed(**options)("shell", command="true")


# -- the file tools ----------------------------------------------------------------------------------


async def test_the_file_tools_have_the_same_view(boxed: Any, workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "beside").write_text("swordfish")
    run = boxed(write=["out"])

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
async def test_the_file_tools_write_to_write_paths_only(boxed: Any, workspace: Path, path: str) -> None:
    run = boxed(write=["out"])

    with pytest.raises(ToolError, match="write_paths only"):
        await run("write", path=path, content="x")
    with pytest.raises(ToolError, match="write_paths only"):
        await run("edit", path="plain.txt", oldText="plain", newText="x")

    assert (workspace / "plain.txt").read_text() == "plain\n"


# -- processes ---------------------------------------------------------------------------------------


async def test_other_processes_are_not_seen(boxed: Any) -> None:
    said = await boxed()("shell", command="ls /proc | grep -c '^[0-9]'; kill -0 $((2**15-1)); ps ax | wc -l")

    assert int(said.split()[0]) <= 5
    assert str(os.getpid()) not in (await boxed()("shell", command="ls /proc")).split()


async def test_a_program_has_no_rights_and_gets_none(boxed: Any) -> None:
    said = await boxed()("shell", command="grep -E 'Cap(Eff|Prm|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status")

    facts = dict(line.split(":\t") for line in said.splitlines())
    assert {facts[f"Cap{kind}"].strip("0") for kind in ("Eff", "Prm", "Bnd")} == {""}
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == ("2" if filter_program() else "0")


async def test_forks_are_ended_with_their_command(boxed: Any, workspace: Path) -> None:
    marker = f"sleep 60{os.getpid()}"
    bomb = (
        "trap '' TERM HUP; for a in $(seq 20); do "
        f"(setsid sh -c 'trap \"\" TERM HUP; for b in 1 2 3; do {marker} & done; wait' &) ; done; "
        "echo many; touch out/many; wait; sleep 600"
    )
    running = asyncio.create_task(boxed(write=["out"])("shell", command=bomb, timeout=5))
    await until((workspace / "out" / "many").exists, 30)
    await until(lambda: len(processes_with(marker)) >= 60, 30)

    assert "timed out after 5 s" in await running

    await until(lambda: not processes_with(marker), 30)


async def test_a_background_process_ends_with_its_command(boxed: Any) -> None:
    marker = f"sleep 61{os.getpid()}"

    assert await boxed()("shell", command=f"setsid nohup {marker} & echo started") == "started\n"

    await until(lambda: not processes_with(marker), 30)


async def test_a_cancelled_call_leaves_no_process(boxed: Any) -> None:
    marker = f"sleep 62{os.getpid()}"
    running = asyncio.create_task(boxed()("shell", command=f"setsid {marker} & wait"))
    await until(lambda: bool(processes_with(marker)), 30)

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    await until(lambda: not processes_with(marker), 30)


_RUNNER = """
import asyncio, pathlib, sys
from omnigent.runner.tools.registry import OS_TOOLS
from omnigent.spec.types import AgentSpec, OsEnv, Sandbox
from tests.runner.tool_rig import tool_context

async def main():
    spec = AgentSpec(name="helper", os_env=OsEnv(sandbox=Sandbox(type="linux_bwrap")))
    context = tool_context(pathlib.Path(sys.argv[1]), spec=spec)
    await OS_TOOLS["sys_os_shell"].run({"command": f"setsid {sys.argv[2]} & wait"}, context)

asyncio.run(main())
"""


async def test_a_sandbox_dies_with_its_runner(workspace: Path) -> None:
    marker = f"sleep 63{os.getpid()}"
    runner = await asyncio.create_subprocess_exec(sys.executable, "-c", _RUNNER, str(workspace), marker)
    await until(lambda: len([pid for pid in processes_with(marker) if pid != runner.pid]) >= 1, 30)

    runner.send_signal(signal.SIGKILL)
    await runner.wait()

    await until(lambda: not processes_with(marker), 30)


# -- environment and network -------------------------------------------------------------------------


async def test_secrets_of_the_environment_are_absent(boxed: Any) -> None:
    said = await boxed(env_passthrough=("CHOSEN", "MISSING"))("shell", command="env; cat /proc/1/environ")

    assert "CHOSEN=yes" in said
    assert "LANG=C.UTF-8" in said
    assert "swordfish" not in said
    assert "swordfish" not in await boxed()("shell", command="env; tr '\\0' '\\n' < /proc/1/environ")


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_network_that_is_off_is_off(boxed: Any, allowed: bool) -> None:
    calls = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        calls.append(1)
        writer.write(b"hello\n")
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        said = await boxed(allow_network=allowed)(
            "shell", command=f"exec 3<>/dev/tcp/127.0.0.1/{port} && cat <&3", timeout=20
        )

    assert ("hello" in said, bool(calls)) == (allowed, allowed)


async def test_two_sessions_at_once_do_not_meet(boxed: Any) -> None:
    one, two = boxed(), boxed()

    said = await asyncio.gather(
        *(run("shell", command="ls -A /tmp/home; echo x > /tmp/home/f") for run in (one, two))
    )

    assert said == ["", ""]
