"""The runner as a process of its own: how it starts, ends, and what it leaves behind."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from omnigent.ids import runner_id_for
from tests.bytecode import kept
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import running, settled
from tests.runner.stream import Stream

ROOT = Path(__file__).parents[2]
TOKEN = "binding-token"


def environment(server_url: str, workspace: Path, **changes: str) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        **kept(),
        "OMNIGENT_SERVER_URL": server_url,
        "OMNIGENT_RUNNER_TOKEN": TOKEN,
        "OMNIGENT_WORKSPACE": str(workspace),
        "OMNIGENT_SCRIPTED_PAUSE_SECONDS": "0.01",
        **changes,
    }


@asynccontextmanager
async def process(server_url: str, workspace: Path, **changes: str) -> AsyncIterator[Process]:
    started = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "omnigent.runner",
        env=environment(server_url, workspace, **changes),
        stderr=PIPE,
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def exit_code(started: Process) -> int:
    async with asyncio.timeout(10):
        return await started.wait()


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def begin_tool(server: FakeServer, workspace: Path) -> tuple[Stream, int]:
    """A turn whose shell command has a child of its own; the child's pid."""
    stream = server.subscribe()
    await server.say("Run the shell command: sleep 600 & echo $! > pid; wait")
    pid_file = workspace / "pid"
    await until(lambda: pid_file.exists() and pid_file.read_text().endswith("\n"))
    return stream, int(pid_file.read_text())


async def test_it_dials_in_under_the_id_of_its_token(tmp_path: Path) -> None:
    async with FakeServer().listening() as server, process(server.url, tmp_path) as started:
        tunnel = await server.tunnel()
        started.send_signal(signal.SIGTERM)

        assert await exit_code(started) == 0
    assert tunnel.headers["x-omnigent-runner-tunnel-token"] == TOKEN
    assert (tunnel.hello is not None) and tunnel.hello.frame_protocol_version == 1
    assert f"/v1/runners/{runner_id_for(TOKEN)}/token" in [path for _, path, _ in server.calls]
    assert tunnel.close_code == 1000


async def test_sigterm_settles_the_turn_ends_the_stream_and_kills_its_tools(tmp_path: Path) -> None:
    async with FakeServer().listening() as server, process(server.url, tmp_path) as started:
        await server.tunnel()
        stream, pid = await begin_tool(server, tmp_path)
        started.send_signal(signal.SIGTERM)

        assert await exit_code(started) == 0
        await until(lambda: not is_alive(pid))
    assert stream.done
    assert stream.types()[-2:] == ["failed", "status failed"]
    assert stream.events[-1]["error"]["code"] == "runner_stopped"


async def test_messages_that_never_ran_are_told_as_undelivered(tmp_path: Path) -> None:
    async with FakeServer().listening() as server, process(server.url, tmp_path) as started:
        await server.tunnel()
        stream, _ = await begin_tool(server, tmp_path)
        assert await server.say("Count to 2") == "buffered"
        started.send_signal(signal.SIGTERM)

        assert await exit_code(started) == 0
    assert stream.events[-1]["error"]["undelivered"] is True


async def test_kill_leaves_no_process_of_a_tool(tmp_path: Path) -> None:
    async with FakeServer().listening() as server, process(server.url, tmp_path) as started:
        await server.tunnel()
        _, pid = await begin_tool(server, tmp_path)
        started.kill()
        await exit_code(started)

        await until(lambda: not is_alive(pid))


async def test_it_ends_when_its_parent_does(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec("sleep", "600")
    async with (
        FakeServer().listening() as server,
        process(server.url, tmp_path, OMNIGENT_PARENT_PID=str(parent.pid)) as started,
    ):
        await server.tunnel()
        stream, pid = await begin_tool(server, tmp_path)
        parent.kill()
        await parent.wait()

        assert await exit_code(started) == 0
        await until(lambda: not is_alive(pid))
    assert stream.types()[-1] == "status failed"


async def test_it_ends_when_its_parent_is_gone_before_it_starts(tmp_path: Path) -> None:
    parent = await asyncio.create_subprocess_exec("true")
    await parent.wait()
    async with process("http://127.0.0.1:9", tmp_path, OMNIGENT_PARENT_PID=str(parent.pid)) as started:
        assert await exit_code(started) == 0


async def test_an_idle_runner_says_so_and_leaves(tmp_path: Path) -> None:
    async with running(tmp_path, idle_timeout=0.3) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("Count to 100 slowly")
        await until(lambda: settled(stream))
        tunnel = rig.server.tunnels[0]

        assert await asyncio.wait_for(rig.running, 30) == 0
        await until(lambda: tunnel.closed.is_set())
    assert tunnel.close_code == 1000
    assert stream.done
    assert "status failed" not in stream.types()


async def test_a_fatal_close_code_is_the_exit_code_one(tmp_path: Path) -> None:
    async with FakeServer().listening() as server, process(server.url, tmp_path) as started:
        await (await server.tunnel()).close(4004)

        assert await exit_code(started) == 1


@pytest.mark.parametrize(
    "changes",
    [
        {"OMNIGENT_SERVER_URL": "nonsense"},
        {"OMNIGENT_WORKSPACE": "/nonexistent"},
        {"OMNIGENT_IDLE_TIMEOUT": "soon"},
        {"OMNIGENT_PARENT_PID": "-3"},
    ],
    ids=lambda changes: next(iter(changes)),
)
async def test_bad_settings_are_named(tmp_path: Path, changes: dict[str, str]) -> None:
    async with process("http://127.0.0.1:9", tmp_path, **changes) as started:
        _, errors = await started.communicate()

    assert started.returncode == 2
    assert next(iter(changes)) in errors.decode()


async def test_commands_do_not_see_the_runners_secrets(tmp_path: Path) -> None:
    async with (
        FakeServer().listening() as server,
        process(server.url, tmp_path, OPENAI_API_KEY="sk-secret", VISIBLE="yes") as started,
    ):
        await server.tunnel()
        stream = server.subscribe()
        await server.say("Run the shell command: env")
        await until(lambda: settled(stream))
        started.send_signal(signal.SIGTERM)
        await exit_code(started)

    output = stream.of_type("response.output_item.done")[-1]["item"]["output"]
    assert "VISIBLE=yes" in output
    assert "sk-secret" not in output
    assert TOKEN not in output


async def test_a_runner_imports_no_django() -> None:
    code = "import sys, omnigent.runner.__main__; sys.exit('django' in sys.modules)"
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env={"PYTHONPATH": str(ROOT), "PATH": os.environ["PATH"]}
    )

    assert await exit_code(started) == 0
