"""A server made of a list of answers, for what a real one cannot be made to do on purpose."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import httpx

from omnigent_client import OmnigentClient, RetryRules, StreamRules

Answer = httpx.Response | Exception
Handler = Callable[[httpx.Request], Answer | Awaitable[Answer]]

QUICK = RetryRules(attempts=4, first_wait=0.001, longest_wait=0.01, in_flight_seconds=5)
QUICK_STREAM = StreamRules(
    silence_seconds=5, first_wait=0.001, longest_wait=0.01, first_attempts=3, give_up_after=0.2
)


class ScriptedServer(httpx.AsyncBaseTransport):
    """Gives its answers in order and keeps the requests; a function in the list makes its answer."""

    def __init__(self, *answers: Answer | Handler) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        assert self.answers, f"no answer left for {request.method} {request.url}"
        answer = self.answers.pop(0)
        if not isinstance(answer, httpx.Response | Exception):
            made = answer(request)
            answer = await made if isinstance(made, Awaitable) else made
        if isinstance(answer, Exception):
            raise answer
        return answer

    def client(self, *, retry: RetryRules = QUICK, streaming: StreamRules = QUICK_STREAM) -> OmnigentClient:
        """A client of it that does not wait long."""
        return OmnigentClient("http://server.test", retry=retry, streaming=streaming, transport=self)

    def headers(self, name: str) -> list[str | None]:
        """One header of every request."""
        return [request.headers.get(name) for request in self.requests]


class Body(httpx.AsyncByteStream):
    """A response body in chunks; an exception among them breaks it, None waits for ever."""

    def __init__(self, chunks: Iterable[bytes | Exception | None]) -> None:
        self._chunks = list(chunks)
        self.is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            if chunk is None:
                await asyncio.Event().wait()
            else:
                yield chunk

    async def aclose(self) -> None:
        self.is_closed = True


def events(*chunks: bytes | Exception | None, epoch: str | None = "1") -> httpx.Response:
    """An event stream."""
    headers = {"Content-Type": "text/event-stream; charset=utf-8"}
    if epoch is not None:
        headers["X-Omnigent-Stream-Epoch"] = epoch
    return httpx.Response(200, headers=headers, stream=Body(chunks))


def frame(type_: str, id_: int | None = None, **members: Any) -> bytes:
    """One event as the server sends it."""
    data = json.dumps({"type": type_, "sequence_number": None, **members})
    number = b"" if id_ is None else b"id: %d\n" % id_
    return b"event: %b\n%bdata: %b\n\n" % (type_.encode(), number, data.encode())


def delta(id_: int, text: str) -> bytes:
    """A piece of the answer's text."""
    return frame("response.output_text.delta", id_, delta=text)


HEARTBEAT = frame("session.heartbeat", server_time=None)
DONE = b"event: done\ndata: [DONE]\n\n"


def refusal(status: int, code: str, message: str = "no", **more: Any) -> httpx.Response:
    """An error in the API's envelope; `headers` and other members may be given."""
    headers = more.pop("headers", {})
    body = {"error": {"code": code, "message": message}, **more}
    return httpx.Response(status, json=body, headers=headers)


def good(**members: Any) -> httpx.Response:
    """A good answer."""
    return httpx.Response(200, json=members)
