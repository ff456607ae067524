"""Launching, stopping, superseding and reporting runners, with real processes."""

import os
import signal
from pathlib import Path

import pytest

from omnigent.ids import runner_id_for
from tests.host.doubles import TunnelServer, is_running, note_of, running_host, until


async def test_a_runner_starts_in_its_workspace_with_what_it_needs(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir, environ={"PATH": "/usr/bin:/bin"}):
        tunnel = await server.next_tunnel()
        runner_id = await tunnel.launch("secret-token", workspace, session_id="conv_1", harness="scripted")
        note = await note_of(workspace, runner_id)

        environ = note["environ"]
        assert note["cwd"] == str(workspace)
        assert note["sid"] == note["pid"]
        assert environ["OMNIGENT_SERVER_URL"] == server.url
        assert environ["OMNIGENT_RUNNER_ID"] == runner_id
        assert environ["OMNIGENT_RUNNER_TOKEN"] == "secret-token"
        assert environ["OMNIGENT_WORKSPACE"] == str(workspace)
        assert environ["OMNIGENT_PARENT_PID"] == str(os.getpid())
        assert (Path(environ["PYTHONPATH"]) / "omnigent" / "host").is_dir()


async def test_the_daemons_own_secrets_do_not_reach_runners(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    environ = {
        "PATH": "/usr/bin:/bin",
        "LC_ALL": "C.UTF-8",
        "OPENAI_API_KEY": "sk-model",
        "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        "OMNIGENT_TOKEN": "canary-one",
        "DATABASE_URL": "canary-two",
        "AWS_SECRET_ACCESS_KEY": "canary-three",
        "MY_TOOL": "wanted",
        "OMNIGENT_RUNNER_ENV_PASSTHROUGH": "MY_TOOL, OTHER",
    }
    async with running_host(server, data_dir, environ=environ):
        tunnel = await server.next_tunnel()
        runner_id = await tunnel.launch("t1", workspace)
        given = (await note_of(workspace, runner_id))["environ"]

    assert "canary" not in str(given)
    assert given["OPENAI_API_KEY"] == "sk-model"
    assert given["ANTHROPIC_BASE_URL"] == "http://127.0.0.1:9"
    assert given["LC_ALL"] == "C.UTF-8"
    assert given["MY_TOOL"] == "wanted"


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"harness": "anthropic"}, "harness_not_configured"),
        ({"harness": "claude-native"}, "harness_not_configured"),
        ({"harness": "no-such"}, "harness_not_configured"),
        ({"workspace": "/no/such/place"}, "workspace_missing"),
        ({"workspace": "relative/path"}, "workspace_missing"),
        ({"workspace": "/etc/hostname"}, "workspace_missing"),
        ({"workspace": ""}, "workspace_missing"),
        ({"workspace": "/tmp/\x00"}, "workspace_missing"),
    ],
)
async def test_a_launch_that_could_not_work_is_refused(
    server: TunnelServer, data_dir: Path, workspace: Path, fields: dict[str, str], code: str
) -> None:
    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        wanted = {"binding_token": "t1", "workspace": str(workspace), **fields}
        result = await tunnel.ask("host.launch_runner", **wanted)
        status = await tunnel.ask("host.runner_status", runner_id=runner_id_for("t1"))

    assert (result["status"], result["error_code"]) == ("failed", code)
    assert result["error"]
    assert status["status"] == "unknown"


async def test_a_crash_is_reported_with_the_tail_of_the_log_and_no_secret(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir, behaviour="crash"):
        tunnel = await server.next_tunnel()
        runner_id = await tunnel.launch("secret-token", workspace)
        report = await tunnel.receive("host.runner_exited")
        status = await tunnel.ask("host.runner_status", runner_id=runner_id)

    summary, marker, *tail = report["error"].splitlines()
    assert summary == "runner exited with status 3"
    assert marker == "--- runner log tail ---"
    assert len(tail) == 15
    assert tail[-1] == "line 39 token=[REDACTED]"
    assert report["had_connected"] is False
    assert status["status"] == "dead"


async def test_a_clean_exit_and_a_requested_stop_are_not_reported(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir, behaviour="finish"):
        tunnel = await server.next_tunnel()
        runner_id = await tunnel.launch("t1", workspace)
        note = await note_of(workspace, runner_id)
        await until(lambda: not is_running(note["pid"]), "the exit")
        status = await tunnel.ask("host.runner_status", runner_id=runner_id)
        while status["status"] == "alive":
            status = await tunnel.ask("host.runner_status", runner_id=runner_id)

    assert status["status"] == "dead"
    assert tunnel.inbox.empty()


async def test_a_clean_exit_of_a_runner_that_never_reached_the_server_is_reported(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir, behaviour="leave"):
        tunnel = await server.next_tunnel()
        await tunnel.launch("t1", workspace)
        report = await tunnel.receive("host.runner_exited")

    assert report["error"].splitlines()[0] == "runner exited with status 0"
    assert report["had_connected"] is False


async def test_a_report_says_that_the_runner_had_been_connected(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir, behaviour="work"):
        tunnel = await server.next_tunnel()
        note = await note_of(workspace, await tunnel.launch("t1", workspace))
        await until((workspace / "connected").exists, "the sign")
        os.kill(note["pid"], signal.SIGKILL)
        report = await tunnel.receive("host.runner_exited")

    assert report["had_connected"] is True


async def test_a_runner_that_does_not_connect_is_complained_about_with_its_log(
    server: TunnelServer, data_dir: Path, workspace: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with running_host(server, data_dir, connect_seconds=0.05) as running:
        tunnel = await server.next_tunnel()
        runner_id = await tunnel.launch("t1", workspace, session_id="conv_1")
        await until(lambda: "runner has not connected" in caplog.messages, "the complaint")
        status = await tunnel.ask("host.runner_status", runner_id=runner_id)

    (record,) = [record for record in caplog.records if record.message == "runner has not connected"]
    fields = vars(record)
    assert record.levelname == "ERROR"
    assert (fields["runner_id"], fields["session_id"]) == (runner_id, "conv_1")
    assert fields["log"] == str(running.host.config.log_dir / f"{runner_id}.log")
    assert status["status"] == "alive"


async def test_stop_ends_the_process_and_says_so(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        runner_id = await tunnel.launch("t1", workspace)
        note = await note_of(workspace, runner_id)
        alive = await tunnel.ask("host.runner_status", runner_id=runner_id)
        stopped = await tunnel.ask("host.stop_runner", runner_id=runner_id)
        again = await tunnel.ask("host.stop_runner", runner_id=runner_id)
        stranger = await tunnel.ask("host.stop_runner", runner_id="runner_x")

    assert alive["status"] == "alive"
    assert stopped["status"] == "stopped"
    assert again["status"] == "stopped"
    assert stranger["status"] == "failed"
    assert not is_running(note["pid"])
    assert tunnel.inbox.empty()


async def test_stop_kills_a_runner_that_ignores_it_with_its_whole_group(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir, behaviour="stubborn"):
        tunnel = await server.next_tunnel()
        runner_id = await tunnel.launch("t1", workspace)
        note = await note_of(workspace, runner_id)
        stopped = await tunnel.ask("host.stop_runner", runner_id=runner_id)

        assert stopped["status"] == "stopped"
        await until(lambda: not is_running(note["pid"]) and not is_running(note["child"]), "the deaths")


async def test_what_a_dead_runner_leaves_in_its_group_dies_too(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir, behaviour="stubborn"):
        tunnel = await server.next_tunnel()
        runner_id = await tunnel.launch("t1", workspace)
        note = await note_of(workspace, runner_id)
        os.kill(note["pid"], signal.SIGKILL)
        await tunnel.receive("host.runner_exited")

        await until(lambda: not is_running(note["child"]), "the child's death")


async def test_a_second_runner_of_a_session_supersedes_the_first(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        first = await tunnel.launch("t1", workspace, session_id="conv_1")
        old = await note_of(workspace, first)
        other = await tunnel.launch("t2", workspace, session_id="conv_2")
        second = await tunnel.launch("t3", workspace, session_id="conv_1")
        new = await note_of(workspace, second)
        await until(lambda: not is_running(old["pid"]), "the first runner's end")

        assert is_running(new["pid"])
        assert (await tunnel.ask("host.runner_status", runner_id=other))["status"] == "alive"
        assert tunnel.inbox.empty()


async def test_repeating_a_launch_starts_nothing_new(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        runner_id = await tunnel.launch("t1", workspace, session_id="conv_1")
        note = await note_of(workspace, runner_id)
        (workspace / f"{runner_id}.json").unlink()
        assert await tunnel.launch("t1", workspace, session_id="conv_1") == runner_id

        assert is_running(note["pid"])
        assert not (workspace / f"{runner_id}.json").exists()


async def test_all_runners_end_with_the_host(server: TunnelServer, data_dir: Path, workspace: Path) -> None:
    async with running_host(server, data_dir, behaviour="stubborn") as running:
        tunnel = await server.next_tunnel()
        ids = [await tunnel.launch(f"t{number}", workspace) for number in range(3)]
        notes = [await note_of(workspace, runner_id) for runner_id in ids]
        assert await running.stop() == 0

    for note in notes:
        assert not is_running(note["pid"])


async def test_a_workspace_cannot_shadow_the_runners_own_modules(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    (workspace / "json.py").write_text("raise SystemExit('shadowed')")
    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        runner_id = await tunnel.launch("t1", workspace)

        assert (await note_of(workspace, runner_id))["cwd"] == str(workspace)


async def test_a_workspace_outside_the_allowed_roots_is_refused(
    server: TunnelServer, data_dir: Path, workspace: Path, tmp_path: Path
) -> None:
    options = {"roots": (str(workspace),), "workspace_root": str(workspace / "made")}
    async with running_host(server, data_dir, options=options):
        tunnel = await server.next_tunnel()
        refused = await tunnel.ask("host.launch_runner", binding_token="t1", workspace=str(tmp_path))
        made = await tunnel.ask("host.create_dir", path="~/omnigent/conv_1")
        await tunnel.launch("t2", Path(made["path"]))

    assert refused["error_code"] == "workspace_missing"
    assert "allows" in refused["error"]
    assert made["path"] == str((workspace / "made" / "conv_1").resolve())
