"""A runner's WebSocket, through a tunnel held here or by another replica: the same to whoever opens it."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlencode

import pytest
import uvicorn
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from omnigent.errors import ErrorCode, OmnigentError
from sessions_app import rpc
from sessions_app.process import Process
from sessions_app.rpc import Rpc
from sessions_app.tunnels.channel import MAX_WAITING, Ended, Line
from sessions_app.tunnels.tunnel import MAX_CHANNELS, TunnelLost
from tests.stream.servers import application, running, until
from tests.tunnel.fake_runner import FakeRunner
from tests.tunnel.viewing import SLICE, Screen

PATH = "/v1/sessions/conv_1/resources/terminals/terminal_shell_main/attach"
QUERY = "read_only=false"
SIZE = '{"type":"resize","cols":100,"rows":30}'


@asynccontextmanager
async def listening() -> AsyncIterator[str]:
    """The application of the process that serves, on a real port, with WebSockets."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(application(), lifespan="off", log_config=None)
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        await until(lambda: server.started)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        server.force_exit = True
        await serving


@dataclass
class Cluster:
    """A holds the runner's tunnel; `caller` is A's or B's way to reach it."""

    a: Process
    caller: Rpc
    runner: FakeRunner
    screen: Screen
    address: str

    async def open(self) -> Line:
        """Open the runner's WebSocket."""
        return await self.caller.runner_channel(self.runner.runner_id, PATH, QUERY)


@pytest.fixture(params=["here", "elsewhere"])
async def cluster(
    request: pytest.FixtureRequest, transactional_db: None, brisk: None
) -> AsyncIterator[Cluster]:
    async with (
        listening() as address,
        running(serves=False) as b,
        running(address=address) as a,
        FakeRunner(application()) as runner,
    ):
        caller = (a if request.param == "here" else b).rpc
        yield Cluster(a, caller, runner, Screen(runner), address)


async def test_messages_go_both_ways_in_order(cluster: Cluster) -> None:
    line = await cluster.open()
    channel = await cluster.screen.until_opened()
    assert (cluster.screen.opened[0].path, cluster.screen.opened[0].query_string) == (PATH, QUERY)
    cluster.screen.show(channel, b"\x00\xff")
    cluster.screen.say(channel, "words")
    for part in (b"a", SIZE, b"b\x00"):
        await line.send(part)

    assert [await line.receive() for _ in range(3)] == [b"seed;", b"\x00\xff", "words"]
    await until(lambda: cluster.screen.typed(channel) == [b"a", SIZE, b"b\x00"])
    await line.close()
    await line.close()
    await until(lambda: cluster.screen.closed == [channel])


@pytest.mark.parametrize("code", [4404, 4405, 4500, 1000, 1011])
async def test_the_runners_close_comes_through(cluster: Cluster, code: int) -> None:
    line = await cluster.open()
    channel = await cluster.screen.until_opened()
    cluster.screen.end(channel, code, "because")

    assert await line.receive() == b"seed;"
    with pytest.raises(Ended) as ended:
        await line.receive()
    assert (ended.value.code, ended.value.reason) == (code, "because")
    with pytest.raises(Ended):
        await line.send(b"late")
    await line.close()


async def test_a_tunnel_that_goes_ends_it_at_once(cluster: Cluster) -> None:
    line = await cluster.open()
    await cluster.screen.until_opened()
    assert await line.receive() == b"seed;"
    waiting = asyncio.create_task(line.receive())
    await cluster.runner.hang_up()

    with pytest.raises(Ended) as ended:
        await asyncio.wait_for(waiting, 30)
    assert ended.value.code == 1012
    await line.close()


async def test_a_runner_that_is_not_there(cluster: Cluster) -> None:
    await cluster.runner.hang_up()

    with pytest.raises(OmnigentError) as caught:
        await cluster.open()
    assert (caught.value.code, caught.value.status) == (ErrorCode.RUNNER_UNAVAILABLE, 503)


async def test_a_tunnel_that_its_holder_has_just_lost(cluster: Cluster) -> None:
    tunnel = cluster.a.tunnels.get("runner", cluster.runner.runner_id)
    assert tunnel is not None
    tunnel.lose()

    with pytest.raises(TunnelLost):
        await cluster.open()


async def test_too_many_are_refused_with_their_reason(cluster: Cluster) -> None:
    lines = [await cluster.open() for _ in range(MAX_CHANNELS)]

    with pytest.raises(OmnigentError) as caught:
        await cluster.open()
    assert (caught.value.code, caught.value.status) == (ErrorCode.CONFLICT, 409)
    assert str(MAX_CHANNELS) in caught.value.message
    for line in lines:
        await line.close()


async def test_output_that_nobody_reads_is_not_kept(cluster: Cluster) -> None:
    line = await cluster.open()
    channel = await cluster.screen.until_opened()
    # The server opens it again as soon as it may.
    cluster.screen.seed = b"fresh;"
    count = 0
    # Between replicas the network keeps some of it, too.
    while channel not in cluster.screen.closed:
        assert count * len(SLICE) < 64 * MAX_WAITING
        for _ in range(8):
            cluster.screen.show(channel, SLICE)
            count += 1
        await asyncio.sleep(0)
    cluster.runner.answers["health"] = (200, {"status": "ok"})
    assert (await cluster.caller.runner(cluster.runner.runner_id, "GET", "/health", seconds=20)).status == 200

    received = 0
    while (message := await asyncio.wait_for(line.receive(), 30)) != b"fresh;":
        received += len(message)
    assert received < count * len(SLICE)
    again = await cluster.screen.until_opened(2)
    await line.send(b"\x03")
    await until(lambda: cluster.screen.typed(again) == [b"\x03"])
    await line.close()


@pytest.mark.parametrize(
    "fault", ["none", "other path", "other query", "other key", "old", "missing", "junk"]
)
async def test_only_our_own_replicas_get_through(cluster: Cluster, fault: str) -> None:
    name = cluster.runner.runner_id
    target = f"{rpc.CHANNELS.format(name=name)}?{urlencode({'path': PATH, 'query': QUERY})}"
    stamp = str(int(time.time()) - (3600 if fault == "old" else 0))
    faulty = {"other path": target.replace(name, "x"), "other query": target.replace("false", "true")}
    key = b"guess" if fault == "other key" else cluster.a.rpc_key
    headers = {
        rpc.TIME_HEADER: stamp,
        rpc.SIGNATURE_HEADER: rpc.signature(key, stamp, faulty.get(fault, target), b""),
    }
    if fault == "missing":
        headers = {}
    if fault == "junk":
        headers = {rpc.TIME_HEADER: "x", rpc.SIGNATURE_HEADER: "y"}
    url = cluster.address.replace("http", "ws") + target

    if fault == "none":
        async with connect(url, additional_headers=headers, proxy=None) as wire:
            assert await wire.recv() == b"seed;"
        return
    with pytest.raises(InvalidStatus) as refused:
        async with connect(url, additional_headers=headers, proxy=None):
            pass
    assert refused.value.response.status_code == 404
    assert not cluster.runner.channels
