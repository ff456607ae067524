"""Calls through a tunnel, held here or by another replica: the caller cannot tell the difference."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
import pytest
import uvicorn

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import frames, host_frames
from sessions_app import rpc
from sessions_app.process import Process
from sessions_app.rpc import Rpc
from sessions_app.tunnels.tunnel import TunnelLost
from tests.api_plumbing.asgi_client import Socket
from tests.stream.servers import application, running, until
from tests.tunnel.fake_runner import FakeRunner
from tests.tunnel.test_handshake import HOST_HELLO, HOST_ID, host_tunnel

PATH = "/v1/sessions/s/mcp/execute"
MIB = 1024 * 1024


@asynccontextmanager
async def listening(callers: list[object]) -> AsyncIterator[str]:
    """The application of the process that serves, on a real port; notes who calls, by their own ports."""
    product = application()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        callers.append(scope["client"])
        await product(scope, receive, send)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, lifespan="off", log_config=None, ws="none")
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        server.force_exit = True
        await serving


@dataclass
class Cluster:
    """A holds the tunnels; `caller` is A's or B's way to reach them."""

    a: Process
    b: Process
    caller: Rpc
    address: str
    callers: list[object]


@pytest.fixture(params=["here", "elsewhere"])
async def cluster(
    request: pytest.FixtureRequest, transactional_db: None, brisk: None
) -> AsyncIterator[Cluster]:
    callers: list[object] = []
    async with (
        listening(callers) as address,
        running(serves=False) as b,
        running(address=address) as a,
    ):
        yield Cluster(a, b, (a if request.param == "here" else b).rpc, address, callers)


async def test_an_answer_comes_back_whole(cluster: Cluster) -> None:
    async with FakeRunner(application()) as runner:
        runner.answers["execute"] = (418, {"short": "and stout 🫖"})

        answer = await cluster.caller.runner(
            runner.runner_id, "POST", f"{PATH}?a=1", body=b'{"x":1}', headers=(("X-A", "b"),), seconds=5
        )

    request = runner.requests[0]
    assert (request.path, request.query_string, request.body) == (PATH, "a=1", '{"x":1}')
    assert dict(request.headers)["X-A"] == "b"
    assert answer.status == 418
    assert dict(answer.headers)["content-type"] == "application/json"
    assert orjson.loads(answer.body) == {"short": "and stout 🫖"}


async def test_calls_one_after_the_other_share_a_connection(cluster: Cluster) -> None:
    async with FakeRunner(application()) as runner:
        for _ in range(3):
            await cluster.b.rpc.runner(runner.runner_id, "POST", PATH, seconds=30)

    assert len(cluster.callers) == 3
    assert len(set(cluster.callers)) == 1


async def test_a_body_streams(cluster: Cluster) -> None:
    async with FakeRunner(application()) as runner:
        runner.holds = {"GET events.ndjson"}
        opening = cluster.caller.runner_stream(runner.runner_id, "GET", "/events.ndjson")
        entering = asyncio.create_task(opening.__aenter__())
        await until(lambda: runner.requests)
        request = runner.requests[-1]
        runner.say(frames.ResponseHead(id_=request.id_, status=200))
        stream = await entering
        slices: list[bytes] = []
        for number in range(3):
            runner.say(frames.ResponseBody(id_=request.id_, body=str(number)))
            slices.append(await anext(stream.body))
        runner.say(frames.ResponseEnd(id_=request.id_))
        slices += [slice async for slice in stream.body]
        await opening.__aexit__(None, None, None)

    assert slices == [b"0", b"1", b"2"]


async def test_leaving_early_cancels_in_the_runner(cluster: Cluster) -> None:
    async with FakeRunner(application()) as runner:
        runner.holds = {"GET endless"}
        opening = cluster.caller.runner_stream(runner.runner_id, "GET", "/endless")
        entering = asyncio.create_task(opening.__aenter__())
        await until(lambda: runner.requests)
        runner.say(frames.ResponseHead(id_=runner.requests[0].id_, status=200))
        await entering
        await opening.__aexit__(None, None, None)

        await until(lambda: runner.cancelled == [runner.requests[0].id_])


async def test_a_deadline_is_a_504_and_cancels_in_the_runner(cluster: Cluster) -> None:
    async with FakeRunner(application()) as runner:
        runner.holds = {"POST execute"}

        with pytest.raises(OmnigentError) as caught:
            await cluster.caller.runner(runner.runner_id, "POST", PATH, seconds=0.3)

        assert (caught.value.code, caught.value.status) == (ErrorCode.RUNNER_UNAVAILABLE, 504)
        await until(lambda: runner.cancelled == [runner.requests[0].id_])


@pytest.mark.parametrize("has_head", [True, False], ids=["in the body", "before the head"])
async def test_a_tunnel_lost_in_the_middle_is_known_at_once(cluster: Cluster, has_head: bool) -> None:
    async with FakeRunner(application()) as runner:
        runner.holds = {"POST execute"}
        waiting = asyncio.create_task(cluster.caller.runner(runner.runner_id, "POST", PATH, seconds=60))
        await until(lambda: runner.requests)
        if has_head:
            runner.say(frames.ResponseHead(id_=runner.requests[0].id_, status=200))
            runner.say(frames.ResponseBody(id_=runner.requests[0].id_, body="half"))
        await runner.hang_up()

        with pytest.raises(TunnelLost):
            await asyncio.wait_for(waiting, 30)


async def test_a_runner_that_is_not_there(cluster: Cluster) -> None:
    with pytest.raises(OmnigentError) as caught:
        await cluster.caller.runner("runner_nobody", "GET", "/health", seconds=30)

    assert (caught.value.code, caught.value.status) == (ErrorCode.RUNNER_UNAVAILABLE, 503)


@pytest.mark.parametrize(
    "end",
    [
        [frames.ResponseEnd(id_="", error="disk full")],
        [frames.ResponseHead(id_="", status=200), frames.ResponseEnd(id_="", error="disk full")],
        [
            frames.ResponseHead(id_="", status=200),
            frames.ResponseBody(id_="", body="half"),
            frames.ResponseEnd(id_="", error="disk full"),
        ],
        [frames.ResponseEnd(id_="")],
        [frames.ResponseBody(id_="", body="half"), frames.ResponseEnd(id_="")],
        [
            frames.ResponseHead(id_="", status=200),
            frames.ResponseBody(id_="", body="*", encoding="base64"),
            frames.ResponseBody(id_="", body="more"),
            frames.ResponseEnd(id_=""),
        ],
    ],
    ids=["at once", "after the head", "in the body", "no head", "a body without head", "unreadable slice"],
)
async def test_a_cut_answer_is_never_a_whole_one(cluster: Cluster, end: list[frames.Frame]) -> None:
    async with FakeRunner(application()) as runner:
        runner.holds = {"POST execute"}
        waiting = asyncio.create_task(cluster.caller.runner(runner.runner_id, "POST", PATH, seconds=30))
        await until(lambda: runner.requests)
        for frame in end:
            body = orjson.loads(frames.render(frame)) | {"id": runner.requests[0].id_}
            runner.text(orjson.dumps(body).decode())

        with pytest.raises(OmnigentError):
            await waiting
        runner.holds = set()
        assert (await cluster.caller.runner(runner.runner_id, "POST", PATH, seconds=30)).status == 200


async def test_frames_out_of_order_and_twice_harm_nobody(cluster: Cluster) -> None:
    async with FakeRunner(application()) as runner:
        runner.holds = {"POST execute"}
        waiting = asyncio.create_task(cluster.caller.runner(runner.runner_id, "POST", PATH, seconds=30))
        await until(lambda: runner.requests)
        request_id = runner.requests[0].id_
        runner.say(frames.ResponseBody(id_=request_id, body="a"))
        runner.say(frames.ResponseHead(id_=request_id, status=200))
        runner.say(frames.ResponseHead(id_=request_id, status=500))
        runner.say(frames.ResponseBody(id_=request_id, body="b"))
        runner.say(frames.ResponseEnd(id_=request_id))
        runner.say(frames.ResponseBody(id_=request_id, body="late"))
        runner.say(frames.ResponseEnd(id_=request_id, error="late"))

        answer = await waiting

    assert (answer.status, answer.body) == (200, b"ab")


async def test_a_reader_that_is_too_slow_is_cut_off_and_the_runner_told(cluster: Cluster) -> None:
    async with FakeRunner(application()) as runner:
        runner.holds = {"GET huge"}
        opening = cluster.caller.runner_stream(runner.runner_id, "GET", "/huge")
        entering = asyncio.create_task(opening.__aenter__())
        await until(lambda: runner.requests)
        request_id = runner.requests[0].id_
        runner.say(frames.ResponseHead(id_=request_id, status=200))
        stream = await entering
        part = "x" * (4 * MIB)
        for _ in range(24):
            runner.say(frames.ResponseBody(id_=request_id, body=part))
        answer = await cluster.a.rpc.runner(runner.runner_id, "POST", PATH, seconds=20)
        assert answer.status == 200

        received = 0
        with pytest.raises(OmnigentError):
            async for slice in stream.body:
                received += len(slice)
        await opening.__aexit__(None, None, None)

        assert received < 24 * 4 * MIB
        await until(lambda: request_id in runner.cancelled)


async def connected_host(process: Process, wire: Socket) -> None:
    wire.text(orjson.dumps(HOST_HELLO).decode())
    assert (await wire.next())["type"] == "websocket.accept"
    await until(lambda: process.tunnels.get("host", HOST_ID))


async def test_a_host_answers(cluster: Cluster) -> None:
    async with host_tunnel(application()) as wire:
        await connected_host(cluster.a, wire)
        ask = host_frames.Stat(request_id="r1", path="/tmp")
        asking = asyncio.create_task(cluster.caller.host(HOST_ID, ask, seconds=30))
        assert orjson.loads((await wire.next())["text"])["path"] == "/tmp"
        result = host_frames.StatResult(request_id="r1", status="ok", exists=True, type="directory")
        wire.text(host_frames.render(result))

        assert await asking == result


async def test_a_host_that_does_not_answer_is_a_504(cluster: Cluster) -> None:
    async with host_tunnel(application()) as wire:
        await connected_host(cluster.a, wire)
        ask = host_frames.Stat(request_id="r1", path="/tmp")

        with pytest.raises(OmnigentError) as caught:
            await cluster.caller.host(HOST_ID, ask, seconds=0.2)

    assert (caught.value.code, caught.value.status) == (ErrorCode.HOST_OFFLINE, 504)


async def test_a_host_lost_in_the_middle_is_offline(cluster: Cluster) -> None:
    async with host_tunnel(application()) as wire:
        await connected_host(cluster.a, wire)
        ask = host_frames.Stat(request_id="r1", path="/tmp")
        asking = asyncio.create_task(cluster.caller.host(HOST_ID, ask, seconds=60))
        await wire.next()
        wire.disconnect(1006)

        with pytest.raises(OmnigentError) as caught:
            await asyncio.wait_for(asking, 30)

    assert (caught.value.code, caught.value.status) == (ErrorCode.HOST_OFFLINE, 503)


async def test_a_host_that_is_not_there(cluster: Cluster) -> None:
    with pytest.raises(OmnigentError) as caught:
        await cluster.caller.host("0" * 32, host_frames.Stat(request_id="r1", path="/"), seconds=30)

    assert (caught.value.code, caught.value.status) == (ErrorCode.HOST_OFFLINE, 503)


@pytest.mark.parametrize("fault", ["none", "other body", "other path", "other key", "old", "missing", "junk"])
async def test_only_our_own_replicas_get_through(transactional_db: None, brisk: None, fault: str) -> None:
    async with listening([]) as address, running(address=address) as a, FakeRunner(application()) as runner:
        path = rpc.PATH.format(kind="runner", name=runner.runner_id)
        body = orjson.dumps({"method": "GET", "path": "/x", "headers": [], "body": ""})
        stamp = str(int(time.time()) - (3600 if fault == "old" else 0))
        key = b"guess" if fault == "other key" else a.rpc_key
        signed = rpc.signature(
            key,
            stamp,
            "/elsewhere" if fault == "other path" else path,
            b"{}" if fault == "other body" else body,
        )
        headers = {rpc.TIME_HEADER: stamp, rpc.SIGNATURE_HEADER: signed}
        if fault == "missing":
            headers = {}
        if fault == "junk":
            headers = {rpc.TIME_HEADER: "²", rpc.SIGNATURE_HEADER: "é"}
        encoded = {name: value.encode("latin-1") for name, value in headers.items()}
        async with httpx.AsyncClient(trust_env=False) as client:
            reply = await client.post(address + path, content=body, headers=encoded)

    assert reply.status_code == (200 if fault == "none" else 404)
    assert bool(runner.requests) == (fault == "none")
