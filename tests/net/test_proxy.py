"""The proxy itself: what the fault tests rely on."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from tests.net.proxy import Faults, Proxy


@asynccontextmanager
async def echo_server(greeting: bytes) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting)
        with suppress(OSError):
            while chunk := await reader.read(1000):
                writer.write(chunk)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def proxied(*greetings: bytes) -> AsyncIterator[Proxy]:
    async with echo_server(greetings[0]) as first, echo_server(greetings[-1]) as second:
        proxy = Proxy([("127.0.0.1", first), ("127.0.0.1", second)])
        await proxy.start()
        try:
            yield proxy
        finally:
            await proxy.stop()


Dialled = tuple[bytes, asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[Proxy], Awaitable[Dialled]]


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    """Connect through a proxy and read the backend's one-byte greeting."""
    writers = []

    async def connect(proxy: Proxy) -> Dialled:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writers.append(writer)
        return await reader.readexactly(1), reader, writer

    yield connect
    for writer in writers:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def test_connections_go_round_the_backends(dial: Dial) -> None:
    async with proxied(b"a", b"b") as proxy:
        lines = [await dial(proxy) for _ in range(4)]

        assert [greeting for greeting, _, _ in lines] == [b"a", b"b", b"a", b"b"]


async def test_a_dead_backend_is_passed_over(dial: Dial) -> None:
    async with proxied(b"a", b"b") as proxy:
        proxy.backends[0] = ("127.0.0.1", 1)

        greeting, _, _ = await dial(proxy)

        assert greeting == b"b"


async def test_a_route_pins_new_connections(dial: Dial) -> None:
    async with proxied(b"a", b"b") as proxy:
        proxy.route_to(1)

        greetings = [(await dial(proxy))[0] for _ in range(3)]

        assert greetings == [b"b", b"b", b"b"]


async def test_a_half_open_line_swallows_and_healing_resets_it(dial: Dial) -> None:
    async with proxied(b"a") as proxy:
        _, reader, writer = await dial(proxy)
        proxy.faults = Faults(swallow=True)
        writer.write(b"lost")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.read(1), 0.2)

        proxy.heal()

        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), 30)


async def test_a_cut_delivers_half_of_a_chunk_and_resets(dial: Dial) -> None:
    async with proxied(b"a") as proxy:
        _, reader, writer = await dial(proxy)
        writer.write(b"ping")
        await reader.readexactly(4)
        proxy.faults = Faults(cut_next=True)

        writer.write(b"x" * 100)

        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(100), 30)


async def test_a_slow_line_holds_the_sender_back(dial: Dial) -> None:
    async with proxied(b"a") as proxy:
        _, reader, writer = await dial(proxy)
        proxy.faults = Faults(bytes_per_second=2000)
        loop = asyncio.get_running_loop()
        started = loop.time()

        writer.write(b"y" * 1000)
        await reader.readexactly(1000)

        assert loop.time() - started > 0.4


async def test_killing_connections_resets_them(dial: Dial) -> None:
    async with proxied(b"a") as proxy:
        _, reader, _ = await dial(proxy)

        proxy.kill_connections()

        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), 30)
