"""The daemon as an operating system process: signals, the lock, bad arguments, sudden death."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from tests.host.doubles import DEADLINE, TunnelServer, is_running, note_of, until

ROOT = Path(__file__).resolve().parents[2]


async def start(*arguments: str, module: str = "omnigent.host") -> Process:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, env=environ, stderr=PIPE
    )


async def finish(process: Process) -> tuple[int | None, str]:
    _, errors = await asyncio.wait_for(process.communicate(), DEADLINE)
    return process.returncode, errors.decode()


async def test_a_killed_host_takes_its_runners_along(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    process = await start(server.url, str(data_dir), "stubborn", module="tests.host.host_process")
    tunnel = await server.next_tunnel()
    ids = [await tunnel.launch(f"t{number}", workspace) for number in range(2)]
    notes = [await note_of(workspace, runner_id) for runner_id in ids]
    process.kill()
    await finish(process)

    await until(lambda: not any(is_running(note["pid"]) for note in notes), "the runners' deaths")
    for note in notes:
        os.kill(note["child"], signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_ends_the_daemon_cleanly(
    server: TunnelServer, data_dir: Path, number: signal.Signals
) -> None:
    process = await start("--server", server.url, "--data-dir", str(data_dir), "--name", "desk")
    tunnel = await server.next_tunnel()
    process.send_signal(number)
    code, errors = await finish(process)

    assert code == 0
    assert tunnel.hello["name"] == "desk"
    assert "Traceback" not in errors
    await until(lambda: server.close_codes == [1000], "the normal close")


async def test_a_daemon_without_a_server_still_ends_at_once(data_dir: Path) -> None:
    process = await start("--server", "http://127.0.0.1:9", "--data-dir", str(data_dir))
    assert process.stderr is not None
    await asyncio.wait_for(process.stderr.readline(), DEADLINE)
    process.terminate()

    assert (await finish(process))[0] == 0


async def test_two_daemons_cannot_share_a_data_dir(server: TunnelServer, data_dir: Path) -> None:
    first = await start("--server", server.url, "--data-dir", str(data_dir))
    await server.next_tunnel()
    code, errors = await finish(await start("--server", server.url, "--data-dir", str(data_dir)))
    first.terminate()
    await finish(first)

    assert code == 2
    assert f"another host (pid {first.pid}) already uses {data_dir}" in errors


@pytest.mark.parametrize("url", ["ftp://x", "http://", "http://h:99999", "://"])
async def test_a_bad_server_url_is_refused_in_words(data_dir: Path, url: str) -> None:
    code, errors = await finish(await start("--server", url, "--data-dir", str(data_dir)))

    assert code == 2
    assert "--server must be an http or https URL" in errors
    assert "Traceback" not in errors


@pytest.fixture
def spoilt_data_dir(data_dir: Path) -> Path:
    data_dir.mkdir()
    (data_dir / "host_id").write_text("nonsense")
    return data_dir


async def test_a_spoilt_host_id_is_refused_in_words(spoilt_data_dir: Path) -> None:
    code, errors = await finish(await start("--server", "127.0.0.1:1", "--data-dir", str(spoilt_data_dir)))

    assert code == 2
    assert "does not hold a host id" in errors
