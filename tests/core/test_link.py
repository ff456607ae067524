"""The reconnecting link against a real WebSocket server on loopback."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from omnigent.link import Link, LinkClock, LinkDown, LinkEnd, LinkHooks, LinkRules

WATCH_STEP = 5.0
Handler = Callable[[ServerConnection], Awaitable[None]]


class Peer:
    """A server that plays one script per connection and remembers what it saw."""

    def __init__(self, *scripts: Handler | int) -> None:
        self.scripts = list(scripts)
        self.hellos: list[str] = []
        self.texts: list[str] = []
        self.requests: list[Request] = []
        self.port = 0

    def process(self, connection: ServerConnection, request: Request) -> Response | None:
        self.requests.append(request)
        if self.scripts and isinstance(self.scripts[0], int):
            status = HTTPStatus(self.scripts[0])
            if len(self.scripts) > 1:
                self.scripts.pop(0)
            answer = connection.respond(status, "no\n")
            if 300 <= status < 400:
                answer.headers["Location"] = "http://127.0.0.1:9/login"
            return answer
        return None

    async def handle(self, connection: ServerConnection) -> None:
        self.hellos.append(str(await connection.recv()))
        script = self.scripts.pop(0) if len(self.scripts) > 1 else self.scripts[0]
        assert not isinstance(script, int)
        await script(connection)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Server]:
        async with serve(self.handle, "127.0.0.1", self.port, process_request=self.process) as server:
            self.port = next(iter(server.sockets)).getsockname()[1]
            yield server

    async def stay(self, connection: ServerConnection) -> None:
        async for message in connection:
            self.texts.append(str(message))


def closes(code: int, reason: str = "") -> Handler:
    async def script(connection: ServerConnection) -> None:
        await connection.close(code, reason)

    return script


class Time:
    """A clock that never waits: it writes down each pause and moves on."""

    def __init__(self) -> None:
        self.pauses: list[float] = []
        self.now = 1000.0
        self.asleep = 0.0

    async def sleep(self, seconds: float) -> None:
        if seconds == WATCH_STEP:
            await asyncio.Event().wait()
        self.pauses.append(round(seconds, 3))
        self.now += seconds
        await asyncio.sleep(0)

    def clock(self) -> LinkClock:
        return LinkClock(
            now=lambda: self.now,
            wall=lambda: self.now + self.asleep,
            sleep=self.sleep,
            uniform=lambda low, high: (low + high) / 2,
        )


async def no_headers() -> Mapping[str, str]:
    return {}


async def ignore(text: str) -> None:
    del text


def make_link(port: int, **options: object) -> Link:
    arguments: dict[str, object] = {
        "url": f"ws://127.0.0.1:{port}/v1/runners/r1/tunnel",
        "headers": no_headers,
        "hello": lambda: "hello",
        "on_text": ignore,
    }
    return Link(**(arguments | options))  # type: ignore[arg-type]  # options by name, of many types


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the condition is a plain fact of the test
            await asyncio.sleep(0.005)


async def test_sends_headers_and_hello_then_texts_travel_both_ways() -> None:
    received: list[str] = []

    async def keep(text: str) -> None:
        received.append(text)

    async def headers() -> Mapping[str, str]:
        return {"Origin": "omnigent://internal", "X-Token": "t"}

    async def greet(connection: ServerConnection) -> None:
        await connection.send("welcome")
        await peer.stay(connection)

    peer = Peer(greet)
    async with peer.listening():
        link = make_link(peer.port, headers=headers, on_text=keep)
        running = asyncio.create_task(link.run())
        await until(lambda: received == ["welcome"])
        await link.send("one")
        await until(lambda: peer.texts == ["one"])
        await link.stop(1000, "runner idle shutdown")

        assert await running == LinkEnd(reason="runner idle shutdown", exit_code=0)
    assert peer.hellos == ["hello"]
    assert peer.requests[0].headers["Origin"] == "omnigent://internal"
    assert peer.requests[0].headers["X-Token"] == "t"


@pytest.mark.parametrize("code", [4001, 4002, 4004, 4500])
async def test_fatal_close_codes_end_the_link_with_exit_code_one(code: int) -> None:
    peer = Peer(closes(code, "no"))
    async with peer.listening():
        end = await make_link(peer.port).run()

    assert end.exit_code == 1
    assert str(code) in end.reason


async def test_backoff_doubles_to_its_cap_and_recycles_do_not_grow_it() -> None:
    time = Time()
    scripts = [closes(4000)] * 6 + [closes(1012), closes(1001), closes(4003), closes(4004)]
    peer = Peer(*scripts)
    async with peer.listening():
        await make_link(peer.port, clock=time.clock()).run()

    assert time.pauses == [0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 1.75, 1.75, 10.0]


async def test_http_502_is_a_recycle() -> None:
    time = Time()
    peer = Peer(502, 502, closes(4004))
    async with peer.listening():
        await make_link(peer.port, clock=time.clock()).run()

    assert time.pauses[:2] == [1.75, 1.75]


async def test_a_connection_that_lived_long_enough_resets_the_backoff() -> None:
    time = Time()

    async def lives(connection: ServerConnection) -> None:
        time.now += 6
        await connection.close(4000)

    peer = Peer(closes(4000), closes(4000), lives, closes(4004))
    async with peer.listening():
        await make_link(peer.port, clock=time.clock()).run()

    assert time.pauses == [0.5, 1.0, 0.5]


@pytest.mark.parametrize("status", [401, 403, 302])
async def test_three_refusals_before_the_first_success_end_with_77(status: int) -> None:
    time = Time()
    peer = Peer(status)
    async with peer.listening():
        link = make_link(peer.port, clock=time.clock())
        end = await link.run()

    assert end.exit_code == 77
    assert len(peer.requests) == 3
    assert link.refused_status == status


async def test_after_a_success_refusals_are_retried_for_ever() -> None:
    time = Time()
    peer = Peer(closes(4000), *[403] * 8, closes(4004))
    async with peer.listening():
        end = await make_link(peer.port, clock=time.clock()).run()

    assert end.exit_code == 1
    assert len(peer.requests) == 10


async def test_a_status_named_fatal_ends_the_link() -> None:
    peer = Peer(409)
    async with peer.listening():
        end = await make_link(peer.port, rules=LinkRules(fatal_statuses={409: 3})).run()

    assert end.exit_code == 3


async def test_an_unreachable_server_ends_the_link_only_with_a_limit_and_is_logged_ever_more_rarely(
    caplog: pytest.LogCaptureFixture,
) -> None:
    time = Time()
    caplog.set_level("INFO", logger="omnigent.link")
    async with Peer(closes(4004)).listening() as server:
        port = next(iter(server.sockets)).getsockname()[1]

    end = await make_link(port, clock=time.clock(), rules=LinkRules(refused_limit=4)).run()

    assert end.exit_code == 1
    assert len(time.pauses) == 3
    assert [vars(record)["times"] for record in caplog.records] == [1, 2, 4]


async def test_silence_aborts_the_connection_and_redials() -> None:
    downs: list[str] = []

    async def down(reason: str) -> None:
        downs.append(reason)

    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()

    peer = Peer(silent, closes(4004))
    rules = LinkRules(silence_seconds=lambda: 0.05, backoff_start=0.01)
    async with peer.listening():
        end = await make_link(peer.port, rules=rules, hooks=LinkHooks(on_down=down)).run()

    assert end.exit_code == 1
    assert len(downs) == 2


async def test_texts_keep_a_connection_alive() -> None:
    async def chat(connection: ServerConnection) -> None:
        for _ in range(12):
            await connection.send("ping")
            await asyncio.sleep(0.02)
        await connection.close(4004)

    peer = Peer(chat)
    async with peer.listening():
        await make_link(peer.port, rules=LinkRules(silence_seconds=lambda: 0.15)).run()

    assert len(peer.hellos) == 1


async def test_waking_from_suspend_redials_at_once() -> None:
    time = Time()
    sleeps: set[float] = set()

    async def sleep(seconds: float) -> None:
        sleeps.add(seconds)
        time.asleep += 120.0
        await asyncio.sleep(min(seconds, 0.01))

    async def silent(connection: ServerConnection) -> None:
        await connection.wait_closed()

    peer = Peer(silent, closes(4004))
    clock = LinkClock(now=lambda: time.now, wall=lambda: time.now + time.asleep, sleep=sleep)
    async with peer.listening():
        end = await make_link(peer.port, clock=clock).run()

    assert end.exit_code == 1
    assert len(peer.hellos) == 2
    assert sleeps == {WATCH_STEP, 0.0}


async def test_send_without_a_connection_raises() -> None:
    with pytest.raises(LinkDown):
        await make_link(9).send("x")


async def test_send_waits_for_a_slow_reader_and_fails_when_the_connection_goes() -> None:
    gate = asyncio.Event()

    async def slow(connection: ServerConnection) -> None:
        await gate.wait()
        connection.transport.abort()

    peer = Peer(slow, closes(4004))
    async with peer.listening():
        link = make_link(peer.port, rules=LinkRules(backoff_start=0.01))
        running = asyncio.create_task(link.run())
        await until(lambda: link.is_up)

        async def flood() -> None:
            for _ in range(1000):
                await link.send("x" * 1_000_000)

        flooding = asyncio.create_task(flood())
        done, _ = await asyncio.wait({flooding}, timeout=0.5)
        assert not done
        gate.set()

        with pytest.raises(LinkDown):
            await flooding
        await running


async def test_a_failing_handler_and_binary_messages_do_not_end_the_link() -> None:
    seen: list[str] = []

    async def picky(text: str) -> None:
        seen.append(text)
        raise RuntimeError(text)

    async def script(connection: ServerConnection) -> None:
        await connection.send(b"\x00\x01")
        await connection.send("a")
        await connection.send("b")
        await connection.close(4004)

    peer = Peer(script)
    async with peer.listening():
        await make_link(peer.port, on_text=picky).run()

    assert seen == ["a", "b"]


async def test_stop_interrupts_a_pause_and_a_hanging_dial() -> None:
    async def hang() -> Mapping[str, str]:
        await asyncio.Event().wait()
        return {}

    async with asyncio.timeout(5):
        for link in (make_link(9, rules=LinkRules(backoff_start=60)), make_link(9, headers=hang)):
            running = asyncio.create_task(link.run())
            await asyncio.sleep(0.05)
            await link.stop()

            assert (await running).exit_code == 0


async def test_a_callback_may_stop_the_link() -> None:
    async def stop(text: str) -> None:
        await link.stop(1000, text)

    async def script(connection: ServerConnection) -> None:
        await connection.send("enough")
        with pytest.raises(ConnectionClosed):
            await connection.recv()

    peer = Peer(script)
    async with peer.listening(), asyncio.timeout(5):
        link = make_link(peer.port, on_text=stop)

        assert await link.run() == LinkEnd(reason="enough", exit_code=0)
