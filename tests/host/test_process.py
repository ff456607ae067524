"""The daemon as an operating system process: signals, the lock, bad arguments, sudden death."""

import asyncio
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from pathlib import Path

import pytest

from tests.host.doubles import DEADLINE, TunnelServer, is_running, note_of, tunnel_server, until

ROOT = Path(__file__).resolve().parents[2]


async def start(*arguments: str, module: str = "omnigent.host") -> Process:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, *arguments, env=environ, stdout=PIPE, stderr=PIPE
    )


def children(pid: int) -> list[int]:
    """The processes that this one started and that still run."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found if is_running(int(child))]


async def finish(process: Process) -> tuple[int | None, str]:
    _, errors = await asyncio.wait_for(process.communicate(), DEADLINE)
    return process.returncode, errors.decode()


async def test_a_real_runner_tells_that_it_is_connected_and_does_not_outlive_its_host(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    process = await start("--server", server.url, "--data-dir", str(data_dir))
    host = await server.next_tunnel()
    killed = await host.launch("t1", workspace, harness="scripted")
    assert (await server.next_tunnel()).hello["kind"] == "hello"
    (pid,) = children(process.pid)
    os.kill(pid, signal.SIGKILL)
    report = await host.receive("host.runner_exited")
    await host.launch("t2", workspace, harness="scripted")
    assert (await server.next_tunnel()).hello["kind"] == "hello"
    (pid,) = children(process.pid)
    process.kill()
    await finish(process)

    assert (report["runner_id"], report["had_connected"]) == (killed, True)
    assert report["error"].startswith("runner was killed by SIGKILL\n--- runner log tail ---\n")
    await until(lambda: not is_running(pid), "the runner's death")


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
    process = await start("--server", "http://127.0.0.1:9", "--data-dir", str(data_dir), "--name", "desk")
    assert process.stderr is not None
    first_line = await asyncio.wait_for(process.stderr.readline(), DEADLINE)
    process.terminate()

    assert (await finish(process))[0] == 0
    assert first_line.startswith(b"Host desk for http://127.0.0.1:9 runs scripted")


async def test_two_daemons_cannot_share_a_data_dir(server: TunnelServer, data_dir: Path) -> None:
    first = await start("--server", server.url, "--data-dir", str(data_dir))
    await server.next_tunnel()
    code, errors = await finish(await start("--server", server.url, "--data-dir", str(data_dir)))
    first.terminate()
    await finish(first)

    assert code == 2
    assert f"another host (pid {first.pid}) already serves {server.url} from this data directory" in errors


async def test_a_daemon_for_another_server_may_share_the_data_dir(
    server: TunnelServer, data_dir: Path
) -> None:
    first = await start("--server", server.url, "--data-dir", str(data_dir))
    await server.next_tunnel()
    async with tunnel_server() as other:
        second = await start("--server", other.url, "--data-dir", str(data_dir))
        await other.next_tunnel()
        for process in (first, second):
            process.terminate()
            assert (await finish(process))[0] == 0

    assert server.paths == other.paths


@pytest.mark.parametrize(
    ("refusal", "code", "words"),
    [
        pytest.param((400, "no\n"), 1, "does not accept the host id", id="400"),
        pytest.param((403, ""), 77, "does not let this host in: it has no token", id="403"),
        pytest.param((404, ""), 1, "there is no Omnigent server at", id="404"),
        pytest.param(
            (409, '{"error":{"code":"conflict","message":"ann has it"}}'),
            1,
            "belongs to another user of {url} (ann has it)",
            id="409",
        ),
    ],
)
async def test_a_final_refusal_ends_the_daemon_with_its_reason(
    server: TunnelServer, data_dir: Path, refusal: tuple[int, str], code: int, words: str
) -> None:
    server.refusal = refusal
    ended, errors = await finish(await start("--server", server.url, "--data-dir", str(data_dir)))

    assert ended == code
    assert errors.splitlines()[-1].startswith("omnigent.host: ")
    assert words.format(url=server.url) in errors.splitlines()[-1]
    assert "Traceback" not in errors


async def test_the_daemon_keeps_a_private_log_beside_its_lock(server: TunnelServer, data_dir: Path) -> None:
    process = await start("--server", server.url, "--data-dir", str(data_dir))
    await server.next_tunnel()
    process.terminate()
    await finish(process)

    (log,) = data_dir.glob("servers/*/host.log")
    assert "omnigent.host.app: connected" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    assert (log.parent / "lock").read_text() == f"{process.pid}\n"


async def test_help_and_check_answer_without_a_server(data_dir: Path) -> None:
    helping = await start("--help")
    shown, _ = await asyncio.wait_for(helping.communicate(), DEADLINE)
    checking = await start("--server", "http://127.0.0.1:9", "--data-dir", str(data_dir), "--check")
    checked, errors = await asyncio.wait_for(checking.communicate(), DEADLINE)
    code, refused = await finish(await start("--data-dir", str(data_dir)))

    assert b"--workspace-root" in shown
    assert b"exit codes: 0 stopped" in shown
    assert (checking.returncode, errors) == (0, b"")
    assert "  harnesses   scripted" in checked.decode()
    assert (code, refused.startswith("omnigent.host: which server?")) == (2, True)
    assert not list(data_dir.glob("servers/*"))


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
