"""The plumbing put together as the real application does it, around the tests' own routes and consumers."""

import asyncio

from omnigent.accounts.gate import Gate
from omnigent.api.asgi import Application, Receive, Scope, Send
from omnigent.api.consumer import HttpConsumer, SocketConsumer
from omnigent.api.handler import PooledHandler
from omnigent.api.pool import DatabasePool
from omnigent.api.views import health
from omnigent.errors import ErrorCode, OmnigentError

THREADS = 2


class Firehose(HttpConsumer):
    """Writes as fast as the client reads, and counts what it was able to hand over."""

    written = 0
    ended = 0

    async def handle(self) -> None:
        await self.body()
        await self.start(200, [(b"content-type", b"text/event-stream")])
        try:
            await self.unless_disconnected(self.pour())
        finally:
            Firehose.ended += 1

    async def pour(self) -> None:
        while True:
            await self.write(b"z" * 16384)
            Firehose.written += 16384
            await asyncio.sleep(0)


class Counters(HttpConsumer):
    async def handle(self) -> None:
        await self.json(200, {"written": Firehose.written, "ended": Firehose.ended})


class Refusing(HttpConsumer):
    async def handle(self) -> None:
        raise OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, "No runner")


class Failing(HttpConsumer):
    async def handle(self) -> None:
        raise RuntimeError("a secret of the server")


class BreakingOff(HttpConsumer):
    async def handle(self) -> None:
        await self.start(200, [(b"content-type", b"text/plain")])
        await self.write(b"first")
        raise RuntimeError("broke off")


class Echo(SocketConsumer):
    """Repeats texts; a few words make it do something else."""

    async def on_text(self, text: str) -> None:
        match text.split():
            case ["close", code]:
                await self.close(int(code), "as you wish")
            case ["fail"]:
                raise RuntimeError("a secret of the server")
            case ["flood"]:
                for _ in range(64):
                    await self.send_text("f" * 1024 * 1024)
            case ["size", number]:
                await self.send_text("s" * int(number))
            case _:
                await self.send_text(f"{self.principal.user_id} {len(text)} {text[:20]}")


class Unwelcoming(SocketConsumer):
    async def on_connect(self) -> None:
        raise OmnigentError(ErrorCode.NOT_FOUND, "Session not found")


class Hello(SocketConsumer):
    """Wants a hello within a moment."""

    async def on_connect(self) -> None:
        await self.accept()
        first = await self.first_text(0.2)
        if first is None:
            await self.close(1013, "hello timeout")
        else:
            await self.send_text(f"welcome {first}")

    async def on_text(self, text: str) -> None:
        await self.send_text(text)


CONSUMERS = {
    "/firehose": Firehose.as_asgi(),
    "/counters": Counters.as_asgi(),
    "/refusing": Refusing.as_asgi(),
    "/failing": Failing.as_asgi(),
    "/breaking-off": BreakingOff.as_asgi(),
    "/ws/echo": Echo.as_asgi(),
    "/ws/unwelcoming": Unwelcoming.as_asgi(),
    "/ws/hello": Hello.as_asgi(),
    "/health": health,
}


def build_application(pool: DatabasePool) -> Application:
    handler = PooledHandler(pool)

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        await CONSUMERS.get(scope["path"], handler)(scope, receive, send)

    return Gate(route)
