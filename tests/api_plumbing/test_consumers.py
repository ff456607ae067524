"""The base classes of the consumers, driven in process."""

import asyncio
from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from omnigent.api.asgi import Application, Receive, Scope, Send
from omnigent.api.consumer import SocketConsumer
from tests.api_plumbing.application import CONSUMERS, Firehose
from tests.api_plumbing.asgi_client import Socket, call, http_scope


async def route(scope: Scope, receive: Receive, send: Send) -> None:
    await CONSUMERS[scope["path"]](scope, receive, send)


@pytest.fixture
def app() -> Application:
    return Gate(route)


async def test_an_error_before_the_answer_is_the_envelope(app: Application) -> None:
    refused = await call(app, "GET", "/refusing")
    failed = await call(app, "GET", "/failing")

    assert (refused.status, refused.json["error"]["code"]) == (503, "runner_unavailable")
    assert failed.json == {"error": {"code": "internal_error", "message": "An internal error occurred."}}


async def test_an_error_during_the_answer_breaks_it_off(app: Application) -> None:
    with pytest.raises(RuntimeError, match="broke off"):
        await call(app, "GET", "/breaking-off")


async def test_a_disconnect_ends_the_stream(app: Application) -> None:
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})
    ended, enough = Firehose.ended, asyncio.Event()
    parts: list[Any] = []

    async def send(message: Any) -> None:
        parts.append(message)
        if len(parts) > 3:
            enough.set()

    serving = asyncio.ensure_future(app(http_scope("GET", "/firehose", {}), incoming.get, send))
    await asyncio.wait_for(enough.wait(), 30)
    incoming.put_nowait({"type": "http.disconnect"})
    await asyncio.wait_for(serving, 30)

    assert Firehose.ended == ended + 1


async def test_texts_are_handled_in_order_with_the_caller_known(app: Application) -> None:
    async with Socket(app, "/ws/echo") as socket:
        assert (await socket.next())["type"] == "websocket.accept"
        for text in ("one", "two", ""):
            socket.text(text)
        answers = [(await socket.next())["text"] for _ in range(3)]

    assert answers == ["local 3 one", "local 3 two", "local 0 "]


async def test_binary_messages_are_dropped_and_the_socket_lives(app: Application) -> None:
    async with Socket(app, "/ws/echo") as socket:
        await socket.next()
        socket.incoming.put_nowait({"type": "websocket.receive", "bytes": b"\x00"})
        socket.text("still here")

        assert (await socket.next())["text"] == "local 10 still here"


async def test_a_failing_handler_closes_as_an_internal_error(app: Application) -> None:
    async with Socket(app, "/ws/echo") as socket:
        await socket.next()
        socket.text("fail")
        closed = await socket.next()

    assert closed == {"type": "websocket.close", "code": 1011, "reason": "internal_error"}


@pytest.mark.parametrize("denial", [True, False])
async def test_a_refusal_in_the_handshake_is_the_error_answer_where_the_server_can(
    app: Application, denial: bool
) -> None:
    async with Socket(app, "/ws/unwelcoming", denial=denial) as socket:
        first = await socket.next()

    if denial:
        assert (first["type"], first["status"]) == ("websocket.http.response.start", 404)
    else:
        assert first == {"type": "websocket.close", "code": 1008}


async def test_a_hello_that_comes_is_seen_and_the_rest_follows(app: Application) -> None:
    async with Socket(app, "/ws/hello") as socket:
        await socket.next()
        socket.text("me")
        socket.text("more")

        assert [(await socket.next())["text"] for _ in range(2)] == ["welcome me", "more"]


async def test_a_hello_that_does_not_come_closes_the_socket(app: Application) -> None:
    async with Socket(app, "/ws/hello") as socket:
        await socket.next()

        assert await socket.next() == {"type": "websocket.close", "code": 1013, "reason": "hello timeout"}


async def test_a_client_that_leaves_before_its_hello_ends_the_connection(app: Application) -> None:
    async with Socket(app, "/ws/hello") as socket:
        await socket.next()
        socket.disconnect(1001)
        await asyncio.wait_for(socket.task, 30)


class Recording(SocketConsumer):
    """Remembers how it ended; sends after the close, which must do nothing."""

    def __init__(self, codes: list[int]) -> None:
        super().__init__()
        self.codes = codes

    async def on_text(self, text: str) -> None:
        await self.close(4000, "replaced")
        await self.close(4001)
        await self.send_text("too late")

    async def on_disconnect(self, code: int) -> None:
        self.codes.append(code)


async def test_the_end_is_reported_once_with_its_code() -> None:
    codes: list[int] = []
    async with Socket(Gate(Recording.as_asgi(codes=codes)), "/ws") as socket:
        await socket.next()
        socket.text("go")
        assert (await socket.next())["code"] == 4000
        socket.disconnect(4000)
        await asyncio.wait_for(socket.task, 30)
        assert socket.outgoing.empty()

    assert codes == [4000]


async def test_a_refused_connection_reports_no_end() -> None:
    codes: list[int] = []
    app = Gate(Recording.as_asgi(codes=codes))
    async with Socket(app, "/ws", headers={"origin": "https://evil.example"}) as socket:
        await socket.next()

    assert codes == []
