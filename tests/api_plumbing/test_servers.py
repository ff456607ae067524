"""The plumbing on the real servers, over real sockets: slow, silent, greedy and vanishing clients."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from websockets.asyncio.client import connect

from tests.api_plumbing.application import THREADS

ROOT = Path(__file__).resolve().parent.parent.parent
SERVERS = ("daphne", "uvicorn")
STALL_SECONDS = 1.5
MIB = 1024 * 1024


class Program:
    """A running server process and what it printed."""

    def __init__(self, name: str, data_dir: Path, *options: str, **env: str) -> None:
        self.log = (data_dir / "log").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.api_plumbing.program", name, *options],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=self.log,
            text=True,
            env=os.environ
            | {
                "DJANGO_SETTINGS_MODULE": "tests.api_plumbing.probe_settings",
                "TEST_DATA_DIR": str(data_dir),
                "TEST_DATABASE_URL": "",
                "OMNIGENT_STALL_SECONDS": str(STALL_SECONDS),
                "OMNIGENT_BODY_SECONDS": "2",
                **env,
            },
        )
        self.port = int(self.wait_for("port").split()[1])
        self.url = f"http://127.0.0.1:{self.port}"

    def wait_for(self, word: str) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith(word):
                return line.strip()
        raise AssertionError(f"no {word!r} before the end:\n{self.errors()}")

    def errors(self) -> str:
        self.log.seek(0)
        return self.log.read()

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(40)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()


@pytest.fixture(scope="module", params=SERVERS)
def server(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Program]:
    program = Program(request.param, tmp_path_factory.mktemp(request.param))
    yield program
    program.close()


@asynccontextmanager
async def client(server: Program) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url, timeout=10) as http:
        yield http


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> None:
    """Wait for an asynchronous condition, with a deadline."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, "the condition did not come about in time"
        await asyncio.sleep(0.02)


def request_head(server: Program, method: str, path: str, *lines: str) -> bytes:
    head = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", *lines]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


async def open_raw(
    server: Program, *, read_limit: int = 65536
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", server.port, limit=read_limit)


async def stalled(server: Program, path: str) -> asyncio.StreamWriter:
    """A client that asks for something and does not read it."""
    _, writer = await open_raw(server, read_limit=1024)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # the stubs know less of it than there is
    writer.write(request_head(server, "GET", path))
    await writer.drain()
    return writer


async def test_half_sent_bodies_and_unread_downloads_hold_no_thread(server: Program) -> None:
    writers = [
        await stalled(server, path)
        for path in ("/large", "/endless", "/firehose")
        for _ in range(2 * THREADS)
    ]
    for length in ("content-length: 100", "transfer-encoding: chunked"):
        for _ in range(2 * THREADS):
            _, writer = await open_raw(server)
            writer.write(request_head(server, "POST", "/v1/echo", length) + b"5\r\nhalf!\r\n")
            await writer.drain()
            writers.append(writer)

    async with client(server) as http:
        async with asyncio.timeout(5):
            for _ in range(10):
                assert (await http.get("/v1/users")).status_code == 200
                assert (await http.post("/v1/echo", content=b"whole")).content == b"whole"

    for writer in writers:
        writer.transport.abort()


async def test_writing_waits_for_a_client_that_does_not_read(server: Program) -> None:
    async with client(server) as http:
        before = (await http.get("/counters")).json()["written"]
        writer = await stalled(server, "/firehose")
        await until(lambda: started_writing(http, before))
        held = await settled_count(http)
        writer.transport.abort()

    assert held - before < 16 * MIB


async def started_writing(http: httpx.AsyncClient, before: int) -> bool:
    return bool((await http.get("/counters")).json()["written"] > before)


async def settled_count(http: httpx.AsyncClient) -> int:
    """The counter once it stands still: the buffers between both ends are full."""
    last, same = -1, 0
    while same < 10:
        await asyncio.sleep(0.02)
        count = int((await http.get("/counters")).json()["written"])
        same = same + 1 if count == last else 0
        last = count
    return last


async def test_a_client_that_accepts_no_byte_is_dropped_and_a_slow_one_is_not(server: Program) -> None:
    async with client(server) as http:
        ended = (await http.get("/counters")).json()["ended"]
        slow_reader, slow_writer = await open_raw(server)
        slow_writer.write(request_head(server, "GET", "/firehose"))
        writer = await stalled(server, "/firehose")

        deadline = time.monotonic() + 10
        while (await http.get("/counters")).json()["ended"] == ended:
            assert time.monotonic() < deadline, "the silent client was never dropped"
            # Slow, but alive: a part of what waits, every now and then.
            assert await slow_reader.read(65536)
            await asyncio.sleep(0.1)
        assert await slow_reader.read(65536)
        assert (await http.get("/counters")).json()["ended"] == ended + 1

        writer.transport.abort()
        slow_writer.transport.abort()


async def test_a_client_that_vanishes_ends_its_stream(server: Program) -> None:
    async with client(server) as http:
        ended = (await http.get("/counters")).json()["ended"]
        async with http.stream("GET", "/firehose") as response:
            async for _ in response.aiter_raw():
                break

        async def has_ended() -> bool:
            return bool((await http.get("/counters")).json()["ended"] > ended)

        await until(has_ended)


async def test_a_body_that_stops_arriving_is_given_up(server: Program) -> None:
    reader, writer = await open_raw(server)
    writer.write(request_head(server, "POST", "/v1/echo", "content-length: 100") + b"half")

    head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 8)

    assert b" 408 " in head
    writer.transport.abort()


@pytest.mark.parametrize("chunked", [True, False])
async def test_eleven_mebibytes_are_400_and_the_server_lives(server: Program, chunked: bool) -> None:
    async def content() -> AsyncIterator[bytes]:
        for _ in range(11):
            yield b"x" * MIB

    async with client(server) as http:
        body: Any = content() if chunked else b"x" * (11 * MIB)
        response = await http.post("/v1/echo", content=body)

        assert response.status_code == 400
        assert isinstance(response.json()["detail"], str)
        assert (await http.get("/v1/users")).status_code == 200


async def test_a_large_answer_and_a_large_body_pass_whole(server: Program) -> None:
    async with client(server) as http:
        assert len((await http.get("/large")).content) == 32 * MIB
        assert len((await http.post("/v1/echo", content=b"b" * (9 * MIB))).content) == 9 * MIB


async def test_head_and_keep_alive(server: Program) -> None:
    async with client(server) as http:
        for path in ("/health", "/hello", "/v1/users"):
            response = await http.head(path)
            assert (response.status_code, response.content) == (200, b"")
            assert (await http.get(path)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 400),
        ({"origin": "https://evil.example"}, 403),
        ({"x-forwarded-for": "127.0.0.1"}, 403),
        ({"origin": "omnigent://internal"}, 200),
    ],
)
@pytest.mark.parametrize("path", ["/v1/users", "/counters", "/hello"])
async def test_hosts_and_origins_over_http(
    server: Program, path: str, headers: dict[str, str], status: int
) -> None:
    async with client(server) as http:
        assert (await http.get(path, headers=headers)).status_code == status


@pytest.mark.parametrize("path", ["/failing", "/v1/failing"])
async def test_failures_are_the_error_envelope(server: Program, path: str) -> None:
    async with client(server) as http:
        response = await http.get(path)

    assert response.status_code == 500
    assert response.json()["error"]["code"] == "internal_error"


@pytest.mark.parametrize("path", ["/breaking", "/breaking-off"])
async def test_an_answer_that_breaks_off_is_not_taken_for_whole(server: Program, path: str) -> None:
    async with client(server) as http:
        with pytest.raises((httpx.RemoteProtocolError, httpx.ReadError)):
            await http.get(path)
        assert (await http.get("/v1/users")).status_code == 200


def socket_url(server: Program, path: str) -> str:
    return f"ws://127.0.0.1:{server.port}{path}"


async def test_a_socket_echoes_small_and_large_texts(server: Program) -> None:
    async with connect(socket_url(server, "/ws/echo"), max_size=None, compression=None) as socket:
        await socket.send("hello")
        assert await socket.recv() == "local 5 hello"
        await socket.send("b" * (20 * MIB))
        assert await socket.recv() == f"local {20 * MIB} {'b' * 20}"
        await socket.send(f"size {20 * MIB}")
        assert len(await socket.recv()) == 20 * MIB


@pytest.mark.parametrize("code", [1000, 1001, 1008, 1011, 1012, 1013, 4000, 4003])
async def test_close_codes_and_reasons_reach_the_client(server: Program, code: int) -> None:
    async with connect(socket_url(server, "/ws/echo")) as socket:
        await socket.send(f"close {code}")
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await asyncio.wait_for(socket.recv(), 30)

    assert caught.value.rcvd is not None
    assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (code, "as you wish")


async def test_a_failing_socket_is_closed_as_an_internal_error(server: Program) -> None:
    async with connect(socket_url(server, "/ws/echo")) as socket:
        await socket.send("fail")
        with pytest.raises(websockets.ConnectionClosed) as caught:
            await asyncio.wait_for(socket.recv(), 30)

    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == 1011


@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/ws/echo", {"Origin": "https://evil.example"}),
        ("/ws/echo", {"X-Forwarded-For": "127.0.0.1"}),
        ("/ws/unwelcoming", {}),
    ],
)
async def test_refused_handshakes(server: Program, path: str, headers: dict[str, str]) -> None:
    with pytest.raises(websockets.InvalidStatus) as caught:
        async with connect(socket_url(server, path), additional_headers=headers):
            pass

    assert caught.value.response.status_code in (403, 404)


async def test_the_internal_origin_may_connect(server: Program) -> None:
    async with connect(socket_url(server, "/ws/echo"), origin="omnigent://internal") as socket:  # type: ignore[arg-type]  # the stubs know less of it than there is
        await socket.send("x")
        assert await socket.recv() == "local 1 x"


async def test_a_socket_that_is_not_read_does_not_stop_the_others(server: Program) -> None:
    async with connect(socket_url(server, "/ws/echo"), max_size=None, max_queue=1) as greedy:
        await greedy.send("flood")
        async with connect(socket_url(server, "/ws/echo")) as other:
            await other.send("y")
            assert await asyncio.wait_for(other.recv(), 30) == "local 1 y"
        got = [len(await asyncio.wait_for(greedy.recv(), 30)) for _ in range(64)]

    assert got == [MIB] * 64


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_drains_and_stops_within_seconds(
    name: str, number: signal.Signals, tmp_path: Path
) -> None:
    program = Program(name, tmp_path)
    try:
        async with client(program) as http, http.stream("GET", "/firehose") as response:
            assert response.status_code == 200
            started = time.monotonic()
            code = await asyncio.to_thread(program.end, number)
            took = time.monotonic() - started
        assert program.process.stdout is not None
        assert program.process.stdout.read().split() == ["drained", "stopped"]
    finally:
        errors = program.errors()
        program.close()

    assert code == 0
    assert took < 30
    assert "Traceback" not in errors


@pytest.mark.parametrize("name", SERVERS)
async def test_a_process_that_waits_for_ever_tells_for_what_and_ends(name: str, tmp_path: Path) -> None:
    program = Program(name, tmp_path, "--stuck")
    try:
        code = await asyncio.to_thread(program.end)
    finally:
        errors = program.errors()
        program.close()

    assert code == 1
    assert "end_overdue" in errors
    assert "program.py" in errors
