"""Dialling in: who is let in, who is refused with which code, and what a live tunnel shrugs off."""

import asyncio
from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from omnigent.accounts.gate import Gate
from omnigent.ids import runner_id_for
from omnigent.protocol import frames, host_frames
from sessions_app.models import Host, Lease, Runner, Session
from sessions_app.process import Process
from sessions_app.services import presence
from tests.api_plumbing.asgi_client import Socket, call
from tests.factories import make_host, make_runner, make_session
from tests.stream.servers import until
from tests.tunnel.fake_runner import FakeRunner

ORIGIN = {"Origin": frames.ORIGIN}
HOST_ID = "0123456789abcdef0123456789abcdef"
HELLO = {"kind": "hello", "runner_version": "0.19.0", "frame_protocol_version": 1, "harnesses": ["codex"]}
HOST_HELLO = {
    "kind": "host.hello",
    "version": "0.19.0",
    "frame_protocol_version": 1,
    "name": "vm",
    "runners": [],
    "configured_harnesses": {"codex": True, "pi": "needs-auth"},
    "interactive_shells": ["bash"],
    "capabilities": ["plugins"],
}


def token(value: str) -> Mapping[str, str]:
    return {**ORIGIN, "X-Omnigent-Runner-Tunnel-Token": value}


def tunnel(app: Gate, name: str = "runner_1", **more: Any) -> Socket:
    return Socket(app, f"/v1/runners/{name}/tunnel", **{"headers": ORIGIN, **more})


def host_tunnel(app: Gate, name: str = HOST_ID, **more: Any) -> Socket:
    return Socket(app, f"/v1/hosts/{name}/tunnel", **{"headers": ORIGIN, **more})


async def closing(socket: Socket) -> int:
    """The code with which an accepted socket is closed."""
    assert (await socket.next())["type"] == "websocket.accept"
    while (message := await socket.next())["type"] == "websocket.send":
        assert orjson.loads(message["text"])["kind"] == "host.connection_error"
    assert message["type"] == "websocket.close"
    return int(message["code"])


@pytest.mark.parametrize("headers", [ORIGIN, {}], ids=["sentinel origin", "no origin"])
async def test_a_runner_is_let_in(process: Process, app: Gate, headers: Mapping[str, str]) -> None:
    async with tunnel(app, headers=headers) as socket:
        assert (await socket.next())["type"] == "websocket.accept"
        socket.text(orjson.dumps({**HELLO, "unknown": [1]}).decode())
        await until(lambda: process.tunnels.get("runner", "runner_1"))

        assert await process.pool.run(presence.online, "runner", ["runner_1"]) == {"runner_1"}
        assert await process.pool.run(lambda: Runner.objects.get().harnesses) == ["codex"]

    assert await process.pool.run(presence.online, "runner", ["runner_1"]) == set()


@pytest.mark.parametrize("open_tunnel", [tunnel, host_tunnel], ids=["runner", "host"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {**ORIGIN, "host": "evil.example"},
        {**ORIGIN, "X-Forwarded-For": "1.2.3.4"},
    ],
    ids=["origin", "null origin", "host", "forwarded"],
)
async def test_strangers_are_refused_before_they_are_accepted(
    app: Gate, open_tunnel: Any, headers: Mapping[str, str]
) -> None:
    async with open_tunnel(app, headers=headers) as socket:
        message = await socket.next()

    assert message["type"] == "websocket.http.response.start"
    assert message["status"] in (400, 403)


@pytest.mark.parametrize("open_tunnel", [tunnel, host_tunnel], ids=["runner", "host"])
async def test_silence_instead_of_a_hello(app: Gate, open_tunnel: Any, settings: Any) -> None:
    settings.OMNIGENT_HELLO_SECONDS = 0.1
    async with open_tunnel(app) as socket:
        assert await closing(socket) == 1013


@pytest.mark.parametrize("open_tunnel", [tunnel, host_tunnel], ids=["runner", "host"])
@pytest.mark.parametrize(
    "first",
    [
        "", "hello", "[]", "{}", "null", '{"kind":"pong","ts":1}', '{"kind":"hello"}',
        '{"kind":"host.hello"}',
        '{"kind":"hello","runner_version":1,"frame_protocol_version":"1"}', '{"kind":"\\ud800"}',
    ],
)  # fmt: skip
async def test_anything_else_instead_of_a_hello(
    process: Process, app: Gate, open_tunnel: Any, first: str
) -> None:
    async with open_tunnel(app) as socket:
        socket.text(first)
        assert await closing(socket) == 4001
        assert len(process.tunnels) == 0


async def test_another_major_version(process: Process, app: Gate) -> None:
    async with tunnel(app) as runner, host_tunnel(app) as host:
        runner.text(orjson.dumps({**HELLO, "frame_protocol_version": 2}).decode())
        host.text(orjson.dumps({**HOST_HELLO, "frame_protocol_version": 2}).decode())
        assert await closing(runner) == 4002
        assert await closing(host) == 4002

    assert len(process.tunnels) == 0
    assert await process.pool.run(lambda: Runner.objects.count() + Host.objects.count()) == 0


async def test_a_token_opens_only_its_own_id(process: Process, app: Gate) -> None:
    async with tunnel(app, runner_id_for("mine"), headers=token("other")) as wrong:
        assert await closing(wrong) == 4004
    async with tunnel(app, runner_id_for("mine"), headers=token("mine")) as right:
        right.text(orjson.dumps(HELLO).decode())
        await until(lambda: process.tunnels.get("runner", runner_id_for("mine")))


@pytest.mark.parametrize("known", [True, False], ids=["launched", "unknown"])
async def test_an_id_that_a_launch_minted_needs_its_token(process: Process, app: Gate, known: bool) -> None:
    if known:
        await process.pool.run(lambda: make_runner("mine", online=False, host_id=HOST_ID))
    async with tunnel(app, runner_id_for("mine")) as socket:
        assert await closing(socket) == 4004


@pytest.mark.parametrize("name", ["a" * 65, "a%20b", "é"])
async def test_an_odd_runner_id_is_refused(process: Process, app: Gate, name: str) -> None:
    async with tunnel(app, name) as socket:
        assert await closing(socket) == 4004


@pytest.mark.parametrize("name", ["vm", "0" * 31, "G" * 32, HOST_ID.upper(), "runner_" + "0" * 32])
async def test_an_odd_host_id_is_refused(app: Gate, name: str) -> None:
    async with host_tunnel(app, name) as socket:
        message = await socket.next()

    assert (message["type"], message["status"]) == ("websocket.http.response.start", 400)


async def test_another_owners_host_is_refused(process: Process, app: Gate) -> None:
    await process.pool.run(lambda: make_host(public_id=HOST_ID, owner="somebody", online=False))
    async with host_tunnel(app) as socket:
        message = await socket.next()
    async with host_tunnel(app, denial=False) as bare:
        assert await closing(bare) == 4009

    assert message["status"] == 409


async def test_a_host_registers_and_reports(process: Process, app: Gate) -> None:
    async with host_tunnel(app) as socket:
        socket.text(orjson.dumps(HOST_HELLO).decode())
        await until(lambda: process.tunnels.get("host", HOST_ID))
        host = await process.pool.run(Host.objects.get)
        assert (host.name, host.owner, host.configured_harnesses["pi"]) == ("vm", "local", "needs-auth")
        listed = (await call(app, "GET", "/v1/hosts")).json["hosts"]
        assert [(one["host_id"], one["status"]) for one in listed] == [(HOST_ID, "online")]

        readiness = {"kind": "host.harness_readiness", "configured_harnesses": {"pi": True}}
        socket.text(orjson.dumps(readiness).decode())
        await until(lambda: process.pool.run(lambda: Host.objects.get().configured_harnesses == {"pi": True}))

    assert await process.pool.run(presence.online, "host", [HOST_ID]) == set()


async def test_a_hosts_exit_report_fails_what_its_runner_did(process: Process, app: Gate) -> None:
    def scene() -> Session:
        runner = make_runner("mine", host_id=HOST_ID, online=False)
        make_runner("other", host_id="f" * 32, online=False)
        make_session(runner_id=runner_id_for("other"), status="running")
        return make_session(runner_id=runner.public_id, status="running")

    async with host_tunnel(app) as socket:
        socket.text(orjson.dumps(HOST_HELLO).decode())
        await until(lambda: process.tunnels.get("host", HOST_ID))
        session = await process.pool.run(scene)
        for name in ("other", "nobody", "mine"):
            error = "exit code 1\n--- runner log tail ---\nTraceback"
            exited = host_frames.RunnerExited(runner_id=runner_id_for(name), error=error, had_connected=True)
            socket.text(host_frames.render(exited))
        await until(lambda: process.pool.run(lambda: Session.objects.get(pk=session.pk).status == "failed"))

    error = await process.pool.run(lambda: Session.objects.get(pk=session.pk).last_task_error)
    assert (error["code"], error["message"]) == ("runner_disconnected", "exit code 1")
    others = await process.pool.run(lambda: list(Session.objects.values_list("status", flat=True)))
    assert sorted(others) == ["failed", "running"]
    report = (await call(app, "GET", f"/v1/runners/{runner_id_for('mine')}/status")).json
    assert "Traceback" in report["error"]


JUNK = [
    "", "{", "[1]", "null", '"text"', "{}", '{"kind":5}', '{"kind":"nonsense","id":"1"}', '{"kind":"pong"}',
    '{"kind":"response.head","id":"x"}', '{"kind":"response.head","id":"gone","status":200}',
    '{"kind":"response.body","id":"gone","body":"x"}', '{"kind":"response.body","id":1,"body":"x"}',
    '{"kind":"response.body","id":"gone","body":"*","encoding":"base64"}',
    '{"kind":"response.end","id":"gone"}', '{"kind":"ws.close","ch_id":"1"}',
    '{"kind":"hello","runner_version":"1","frame_protocol_version":1}', '{"kind":"request","id":"1"}',
    '{"kind":"event.batch","id":"1","session_id":"s","events":[]}', '{"kind":"host.runner_exited"}',
    '{"kind":"host.stat_result","request_id":"1","status":"ok"}', '{"kind":"pong","ts":1e400}',
    '{"kind":"stream.ack","session_id":"s","id":"1"}', '{"kind":"\\ud800"}', "[" * 100_000, "\ud800",
]  # fmt: skip


@pytest.mark.parametrize("junk", JUNK, ids=[str(number) for number in range(len(JUNK))])
async def test_junk_is_dropped_and_the_tunnel_lives(process: Process, app: Gate, junk: str) -> None:
    async with FakeRunner(app) as runner:
        runner.text(junk)
        runner.binary(b"\x00\xff")

        answer = await process.rpc.runner(runner.runner_id, "POST", "/v1/sessions/s/mcp/execute", seconds=30)

        assert orjson.loads(answer.body) == {"result": {"output": "done"}}
        assert runner.close_code is None


@pytest.mark.parametrize("junk", JUNK, ids=[str(number) for number in range(len(JUNK))])
async def test_junk_on_a_host_tunnel_is_dropped_too(process: Process, app: Gate, junk: str) -> None:
    async with host_tunnel(app) as socket:
        socket.text(orjson.dumps(HOST_HELLO).decode())
        await until(lambda: process.tunnels.get("host", HOST_ID))
        socket.text(junk)
        socket.incoming.put_nowait({"type": "websocket.receive", "bytes": b"\x00"})
        assert (await socket.next())["type"] == "websocket.accept"

        ask = host_frames.Stat(request_id="r1", path="/")
        asking = asyncio.create_task(process.rpc.host(HOST_ID, ask, seconds=30))
        assert orjson.loads((await socket.next())["text"])["request_id"] == "r1"
        socket.text(host_frames.render(host_frames.StatResult(request_id="r1", status="ok", exists=True)))

        assert await asking == host_frames.StatResult(request_id="r1", status="ok", exists=True)


async def test_binary_before_the_hello_is_dropped(process: Process, app: Gate) -> None:
    async with tunnel(app) as socket:
        socket.incoming.put_nowait({"type": "websocket.receive", "bytes": b"\x00"})
        socket.text(orjson.dumps(HELLO).decode())
        await until(lambda: process.tunnels.get("runner", "runner_1"))


async def test_a_very_large_answer_passes(process: Process, app: Gate) -> None:
    async with FakeRunner(app) as runner:
        runner.answers["execute"] = (200, {"result": {"output": "x" * 20_000_000}})

        answer = await process.rpc.runner(runner.runner_id, "POST", "/v1/sessions/s/mcp/execute", seconds=20)

        assert len(answer.body) > 20_000_000


async def test_a_hello_that_leaves_at_once_leaves_nothing(process: Process, app: Gate) -> None:
    async with tunnel(app) as socket:
        socket.text(orjson.dumps(HELLO).decode())

    assert len(process.tunnels) == 0
    assert await process.pool.run(lambda: Lease.objects.filter(closed_at__isnull=True).count()) == 0
