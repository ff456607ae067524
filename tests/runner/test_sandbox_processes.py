"""What tools reach of the machine besides files in a sandbox, and that nothing of them stays."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from omnigent.runner.agents import LoadedAgent
from omnigent.runner.sandbox.calls import filter_program
from omnigent.spec.types import AgentSpec, OsEnv, Sandbox
from tests.runner.fake_server import until
from tests.runner.function_rig import FILE, Session
from tests.runner.sandbox_rig import Boxes, processes_with, project
from tests.runner.tool_rig import tool_context

pytestmark = pytest.mark.sandbox


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    return project(tmp_path / "project")


@pytest.fixture
async def boxed(workspace: Path) -> AsyncIterator[Boxes]:
    boxes = Boxes(workspace)
    yield boxes
    await boxes.close()


async def test_other_processes_are_not_seen(boxed: Boxes) -> None:
    said = await boxed()("shell", command="ls /proc | grep -c '^[0-9]'; kill -0 $((2**15-1)); ps ax | wc -l")

    assert int(said.split()[0]) <= 5
    assert str(os.getpid()) not in (await boxed()("shell", command="ls /proc")).split()


async def test_a_program_has_no_rights_and_gets_none(boxed: Boxes) -> None:
    said = await boxed()("shell", command="grep -E 'Cap(Eff|Prm|Bnd)|NoNewPrivs|Seccomp:' /proc/self/status")

    facts = dict(line.split(":\t") for line in said.splitlines())
    assert {facts[f"Cap{kind}"].strip("0") for kind in ("Eff", "Prm", "Bnd")} == {""}
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == ("2" if filter_program() else "0")


async def test_forks_are_ended_with_their_command(boxed: Boxes, workspace: Path) -> None:
    marker = f"sleep 60{os.getpid()}"
    bomb = (
        "trap '' TERM HUP; for a in $(seq 20); do "
        f"(setsid sh -c 'trap \"\" TERM HUP; for b in 1 2 3; do {marker} & done; wait' &) ; done; "
        "echo many; touch out/many; wait; sleep 600"
    )
    running = asyncio.create_task(boxed(write=("out",))("shell", command=bomb, timeout=5))
    await until((workspace / "out" / "many").exists, 30)
    await until(lambda: len(processes_with(marker)) >= 60, 30)

    assert "timed out after 5 s" in await running

    await until(lambda: not processes_with(marker), 30)


async def test_a_background_process_ends_with_its_command(boxed: Boxes) -> None:
    marker = f"sleep 61{os.getpid()}"

    assert await boxed()("shell", command=f"setsid nohup {marker} & echo started") == "started\n"

    await until(lambda: not processes_with(marker), 30)


async def test_a_cancelled_call_leaves_no_process(boxed: Boxes) -> None:
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


async def test_secrets_of_the_environment_are_absent(boxed: Boxes) -> None:
    said = await boxed(env_passthrough=("CHOSEN", "MISSING"))("shell", command="env; cat /proc/1/environ")

    assert "CHOSEN=yes" in said
    assert "LANG=C.UTF-8" in said
    assert "swordfish" not in said
    assert "swordfish" not in await boxed()("shell", command="env; tr '\\0' '\\n' < /proc/1/environ")


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_network_that_is_off_is_off(boxed: Boxes, allowed: bool) -> None:
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


async def test_two_sessions_at_once_do_not_meet(boxed: Boxes) -> None:
    one, two = boxed(), boxed()

    said = await asyncio.gather(
        *(run("shell", command="ls -A /tmp/home; echo x > /tmp/home/f") for run in (one, two))
    )

    assert said == ["", ""]


CODE = b'''
import json
import pathlib
import socket


def look(path: str, port: int) -> str:
    """What a function sees and reaches."""
    seen = pathlib.Path(path).exists()
    try:
        pathlib.Path("made").write_text("x")
        wrote = True
    except OSError:
        wrote = False
    try:
        socket.create_connection(("127.0.0.1", port), 5)
        reached = True
    except OSError:
        reached = False
    return json.dumps([seen, wrote, reached, sorted(pathlib.Path.cwd().iterdir()) != []])
'''


@pytest.mark.parametrize("kind", ["linux_bwrap", "none"])
async def test_functions_of_the_agent_are_confined_too(workspace: Path, tmp_path: Path, kind: str) -> None:
    (tmp_path / "beside").write_text("swordfish")
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    spec = AgentSpec(
        name="helper", os_env=OsEnv(sandbox=Sandbox(type=kind, allow_network=False)), tool_files=(FILE,)
    )
    context = tool_context(workspace, spec=spec)
    session = Session(replace(context, agent=LoadedAgent(spec=spec, digest="0", code={FILE: CODE})))
    async with server:
        output = await session.call("look", path=str(tmp_path / "beside"), port=port)
    await context.rooms.close()
    context.reaper.close()

    is_free = kind == "none"
    assert json.loads(output) == [is_free, is_free, is_free, True]
