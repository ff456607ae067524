"""The synchronous Django stack as an ASGI application with one thread hop per request.

The loop reads the body and writes the answer; a pool thread runs signals, middleware and the view in between
and never waits for a client.
"""

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import IO

from django.core import signals
from django.core.handlers.asgi import ASGIRequest, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http import FileResponse, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.urls import set_script_prefix

from omnigent.api.asgi import Receive, Scope, Send, send_error
from omnigent.api.body import Disconnected, read_body, rules_for
from omnigent.api.errors import internal_error
from omnigent.api.pool import DatabasePool
from omnigent.api.renderer import json_error
from omnigent.errors import ErrorCode, OmnigentError

logger = logging.getLogger(__name__)

CHUNK = 64 * 1024
RawHeaders = list[tuple[bytes, bytes]]


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished response (`content`), or one whose parts are still to be produced (`stream`)."""

    status: int
    headers: RawHeaders
    content: bytes
    stream: StreamingHttpResponse | None = None


class PooledHandler(BaseHandler):
    """Django's handler on a `DatabasePool`. Instances are ASGI applications for `http` scopes."""

    def __init__(self, pool: DatabasePool) -> None:
        super().__init__()
        self.pool = pool
        self.load_middleware()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(scope, receive, rules_for(scope))
        except Disconnected:
            return
        except OmnigentError as exc:
            await send_error(send, exc)
            return
        answer = await self.pool.run(self.answer, scope, body)
        if answer.stream is None:
            await write(send, answer)
        else:
            await self.stream(answer, answer.stream, receive, send)

    def answer(self, scope: Scope, body: IO[bytes]) -> Answer:
        """Everything synchronous: runs on a pool thread."""
        try:
            set_script_prefix(get_script_prefix(scope))
            signals.request_started.send(sender=self.__class__, scope=scope)
            response = self.respond(scope, body)
            if isinstance(response, StreamingHttpResponse):
                return Answer(response.status_code, raw_headers(response), b"", response)
            content = response.content
            if "content-length" not in response.headers:
                response.headers["Content-Length"] = str(len(content))
            finished = Answer(response.status_code, raw_headers(response), content)
            # Ends the request for Django: closes the body and what else it holds, sends request_finished.
            response.close()
        except Exception:
            logger.exception("request_failed", extra={"path": scope["path"]})
            body.close()
            failure = json_error(internal_error())
            return Answer(failure.status_code, raw_headers(failure), failure.content)
        return finished

    def respond(self, scope: Scope, body: IO[bytes]) -> HttpResponse | StreamingHttpResponse:
        try:
            request = ASGIRequest(scope, body)
        except UnicodeDecodeError:
            body.close()
            return json_error(OmnigentError(ErrorCode.INVALID_INPUT, "The query string is not valid UTF-8"))
        # A chunked body declares no length, and without one Django finds no form in it.
        request.META.setdefault("CONTENT_LENGTH", str(size_of(body)))
        response = self.get_response(request)
        if isinstance(response, FileResponse):
            response.block_size = CHUNK
        # Django's own handlers mark responses so that `request_finished` names its sender.
        response._handler_class = self.__class__  # type: ignore[attr-defined]  # the stubs leave it out
        assert isinstance(response, HttpResponse | StreamingHttpResponse)
        return response

    async def stream(
        self, answer: Answer, response: StreamingHttpResponse, receive: Receive, send: Send
    ) -> None:
        """Send part by part at the client's pace, until it is done or gone."""
        sending = asyncio.ensure_future(self.send_parts(answer, response, send))
        watching = asyncio.ensure_future(until_disconnected(receive))
        try:
            await asyncio.wait((sending, watching), return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for task in (sending, watching):
                task.cancel()
            await asyncio.gather(sending, watching, return_exceptions=True)
            await self.pool.run(response.close)

    async def send_parts(self, answer: Answer, response: StreamingHttpResponse, send: Send) -> None:
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
        async with contextlib.aclosing(parts(response)) as content:
            async for part in content:
                for chunk in chunks(part):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def size_of(body: IO[bytes]) -> int:
    size = body.seek(0, os.SEEK_END)
    body.seek(0)
    return size


async def parts(response: StreamingHttpResponse) -> AsyncGenerator[bytes, None]:
    """The response's content. A synchronous iterator is advanced on a thread outside the pool, one part at a
    time, so that neither a file on a slow disk nor a slow client holds up anything else.
    """
    if response.is_async:
        async for part in response:
            yield part
        return
    iterator = iter(response)
    while (chunk := await asyncio.to_thread(next_part, iterator)) is not None:
        yield chunk


def next_part(iterator: Iterator[bytes]) -> bytes | None:
    return next(iterator, None)


async def write(send: Send, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    *leading, last = chunks(answer.content) or [b""]
    for chunk in leading:
        await send({"type": "http.response.body", "body": chunk, "more_body": True})
    await send({"type": "http.response.body", "body": last, "more_body": False})


def chunks(content: bytes) -> list[bytes]:
    """Slices that a server's write buffer can take one at a time."""
    if len(content) <= CHUNK:
        return [content] if content else []
    return [content[start : start + CHUNK] for start in range(0, len(content), CHUNK)]


def raw_headers(response: HttpResponseBase) -> RawHeaders:
    return list(header_pairs(response))


def header_pairs(response: HttpResponseBase) -> Iterator[tuple[bytes, bytes]]:
    for name, value in response.items():
        yield name.lower().encode("ascii"), value.encode("latin-1")
    for cookie in response.cookies.values():
        yield b"set-cookie", cookie.output(header="").strip().encode("ascii")


async def until_disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
