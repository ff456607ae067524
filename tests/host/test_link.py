"""The host's side of its tunnel: hello, pings, noise, reconnects and endings."""

import asyncio
from pathlib import Path

import pytest

from omnigent.host.readiness import Finding, ReadinessBoard
from omnigent.ids import runner_id_for
from tests.host.doubles import TunnelServer, is_running, note_of, running_host, until


async def test_a_host_registers_with_its_id_name_and_readiness(server: TunnelServer, data_dir: Path) -> None:
    async with running_host(server, data_dir, options={"name": "desk"}) as running:
        tunnel = await server.next_tunnel()

    hello = tunnel.hello
    assert hello["kind"] == "host.hello"
    assert hello["frame_protocol_version"] == 1
    assert hello["name"] == "desk"
    assert hello["runners"] == []
    assert hello["configured_harnesses"]["scripted"] is True
    assert hello["configured_harnesses"]["openai-responses"] == "needs-auth"
    assert hello["configured_harnesses"]["openai_responses"] == "needs-auth"
    assert hello["configured_harnesses"]["kimi"] is False
    host_id = running.host.config.host_id
    assert server.paths == [f"/v1/hosts/{host_id}/tunnel"]
    assert len(host_id) == 32
    assert server.headers[0]["Origin"] == "omnigent://internal"
    assert "Authorization" not in server.headers[0]


async def test_a_token_in_the_environment_is_the_bearer(server: TunnelServer, data_dir: Path) -> None:
    async with running_host(server, data_dir, environ={"OMNIGENT_TOKEN": "pat-1"}):
        await server.next_tunnel()

    assert server.headers[0]["Authorization"] == "Bearer pat-1"


async def test_the_id_survives_a_restart(server: TunnelServer, data_dir: Path) -> None:
    for _ in range(2):
        async with running_host(server, data_dir):
            await server.next_tunnel()

    assert server.paths[0] == server.paths[1]


async def test_a_ping_is_answered_with_its_time(server: TunnelServer, data_dir: Path) -> None:
    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        await tunnel.send({"kind": "ping", "ts": 1234})

        assert await tunnel.receive("pong") == {"kind": "pong", "ts": 1234}


async def test_malformed_and_unknown_frames_are_dropped_and_the_tunnel_lives(
    server: TunnelServer, data_dir: Path
) -> None:
    noise = (
        "", "{", "null", "[]", '"x"', "{}", '{"kind": 3}', '{"kind":"host.dance","request_id":"1"}',
        '{"kind":"host.launch_runner"}', '{"kind":"host.stat","request_id":"1","path":7}',
        '{"kind":"host.stat_result","request_id":"1","status":"ok"}', '{"kind":"ping","ts":"late"}',
        '{"kind":"host.stat","request_id":"1","path":"\\ud800"}',
    )  # fmt: skip
    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        for text in noise:
            await tunnel.socket.send(text)
        await tunnel.socket.send(b"\x00binary")
        await tunnel.send({"kind": "ping", "ts": 1})

        assert await tunnel.receive("pong") == {"kind": "pong", "ts": 1}


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("host.fs_write_request", "error"),
        ("host.harness_startup", "failed"),
        ("host.import_local", "failed"),
        ("host.import_local_by_id", "failed"),
        ("host.install_harness", "failed"),
        ("host.mcp_servers", "failed"),
        ("host.mcp_tools", "failed"),
        ("host.plugins", "failed"),
        ("host.store_secret", "failed"),
    ],
)
async def test_what_only_a_vendors_programs_know_is_refused_at_once(
    server: TunnelServer, data_dir: Path, kind: str, status: str
) -> None:
    async with running_host(server, data_dir):
        tunnel = await server.next_tunnel()
        answer = await tunnel.ask(kind, harness="codex", secret_value="sk-1", source="codex", limit=3)

    assert (answer["status"], answer["error"]) == (status, "not supported by this host")


async def test_a_stopped_host_closes_normally(server: TunnelServer, data_dir: Path) -> None:
    async with running_host(server, data_dir) as running:
        await server.next_tunnel()
        assert await running.stop() == 0

    await until(lambda: server.close_codes, "the close")
    assert server.close_codes == [1000]


async def test_a_reconnecting_host_lists_its_living_runners(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir):
        first = await server.next_tunnel()
        runner_id = await first.launch("t1", workspace)
        await first.socket.close(1012)
        second = await server.next_tunnel()

    assert second.hello["runners"] == [runner_id]


async def test_a_death_while_disconnected_is_reported_after_the_next_hello(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir):
        first = await server.next_tunnel()
        runner_id = await first.launch("t1", workspace)
        note = await note_of(workspace, runner_id)
        await server.stop()
        await asyncio.create_subprocess_exec("kill", "-9", str(note["pid"]))
        await until(lambda: not is_running(note["pid"]), "the death")
        await server.start()
        second = await server.next_tunnel()
        report = await second.receive("host.runner_exited")

    assert second.hello["runners"] == []
    assert report["runner_id"] == runner_id
    assert report["had_connected"] is False
    assert report["error"].startswith("runner was killed by SIGKILL\n--- runner log tail ---\n")


async def test_a_final_refusal_ends_the_host(server: TunnelServer, data_dir: Path) -> None:
    async with running_host(server, data_dir) as running:
        tunnel = await server.next_tunnel()
        await tunnel.send(
            {
                "kind": "host.connection_error",
                "stage": "registration",
                "error": "not yours",
                "retryable": False,
            }
        )

        assert await asyncio.wait_for(asyncio.shield(running.task), 30) == 1

    assert running.host.ending == f"{server.url} turned this host away (registration): not yours"


async def test_a_retryable_error_is_only_noted(server: TunnelServer, data_dir: Path) -> None:
    async with running_host(server, data_dir) as running:
        first = await server.next_tunnel()
        await first.send({"kind": "host.connection_error", "stage": "registry", "error": "busy"})
        await first.socket.close(4005)
        await server.next_tunnel()

        assert not running.task.done()


async def test_a_fatal_close_ends_the_host_and_its_runners(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir) as running:
        tunnel = await server.next_tunnel()
        runner_id = await tunnel.launch("t1", workspace)
        note = await note_of(workspace, runner_id)
        await tunnel.socket.close(4009, "This host id belongs to another user")

        assert await asyncio.wait_for(asyncio.shield(running.task), 30) == 1
        assert not is_running(note["pid"])


async def test_a_change_of_readiness_is_pushed_and_can_be_asked_for(
    server: TunnelServer, data_dir: Path
) -> None:
    found = {"scripted": Finding(state=True), "anthropic": Finding(state="needs-auth", reason="set a key")}
    board = ReadinessBoard(source=lambda: dict(found))
    async with running_host(server, data_dir, readiness=board):
        tunnel = await server.next_tunnel()
        found["anthropic"] = Finding(state=True)
        pushed = await tunnel.receive("host.harness_readiness")
        asked = await tunnel.ask("host.refresh_harnesses")

    assert tunnel.hello["configured_harnesses"]["anthropic"] == "needs-auth"
    assert pushed["configured_harnesses"] == {"scripted": True, "anthropic": True}
    assert asked["status"] == "ok"
    assert asked["configured_harnesses"] == {"scripted": True, "anthropic": True}


async def test_harnesses_are_looked_at_again_after_each_connection(
    server: TunnelServer, data_dir: Path
) -> None:
    found = {"anthropic": Finding(state="needs-auth", reason="set a key")}
    probes: list[int] = []

    def probe_all() -> dict[str, Finding]:
        seen = dict(found)
        probes.append(len(probes))
        return seen

    board = ReadinessBoard(source=probe_all)
    async with running_host(server, data_dir, readiness=board, look_seconds=600):
        first = await server.next_tunnel()
        await until(lambda: len(probes) >= 2, "the look after the first connection")
        found["anthropic"] = Finding(state=True)
        await first.socket.close(1012)
        second = await server.next_tunnel()
        pushed = await second.receive("host.harness_readiness")

    assert second.hello["configured_harnesses"] == {"anthropic": "needs-auth"}
    assert pushed["configured_harnesses"] == {"anthropic": True}


async def test_slow_requests_do_not_hold_up_others(
    server: TunnelServer, data_dir: Path, workspace: Path
) -> None:
    async with running_host(server, data_dir, behaviour="stubborn"):
        tunnel = await server.next_tunnel()
        runner_id = await tunnel.launch("t1", workspace)
        await note_of(workspace, runner_id)
        await tunnel.send({"kind": "host.stop_runner", "request_id": "slow", "runner_id": runner_id})
        await tunnel.send({"kind": "host.stat", "request_id": "fast", "path": str(workspace)})

        assert (await tunnel.receive("host.stat_result"))["request_id"] == "fast"
        assert (await tunnel.receive("host.stop_runner_result"))["request_id"] == "slow"
        assert runner_id == runner_id_for("t1")
