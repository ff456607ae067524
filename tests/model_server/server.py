"""The server: takes the next scripted reply for each request, and plays it in the vendor's protocol."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Self

from tests.model_server.chat_api import ChatAnswer
from tests.model_server.conversation import converse
from tests.model_server.http import Exchange, RawRequest, Recorded, read_request
from tests.model_server.messages_api import MessagesAnswer
from tests.model_server.prompt import Prompt
from tests.model_server.responses_api import ResponsesAnswer
from tests.model_server.steps import (
    BreakInside,
    Call,
    Cut,
    End,
    Fail,
    Garbage,
    Hold,
    Reason,
    Reasoning,
    Reply,
    Silence,
    Step,
    Stop,
    Text,
    Tokens,
    Unanswered,
    words,
)
from tests.model_server.vendor import Vendor

_VENDORS: Mapping[str, type[Vendor]] = {
    "/v1/responses": ResponsesAnswer,
    "/v1/chat/completions": ChatAnswer,
    "/v1/messages": MessagesAnswer,
}
_STREAM = {"content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache"}
_JSON = {"content-type": "application/json"}


class ModelServer:
    """Listens on loopback inside `async with`; keeps the `requests`, and the numbers of `connections` and of
    requests that are done with (`answered`) so far.

    Scripted replies are used up in order; after them `respond` decides, by default an echo. Requests that
    `aside` knows are not of the conversation: `respond` answers them, and they are not kept.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        respond: Callable[[Prompt], Reply] = converse,
        aside: Callable[[Prompt], bool] = lambda _: False,
    ) -> None:
        self.requests: list[Recorded] = []
        self.connections = 0
        self.answered = 0
        self._port = port
        self._respond = respond
        self._aside = aside
        self._replies: deque[Reply] = deque()
        self._arrived = asyncio.Condition()
        self._handlers: set[asyncio.Task[Any]] = set()
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        return self._port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def script(self, *replies: Reply) -> None:
        """Queue one reply for each of the next requests."""
        self._replies.extend(replies)

    def forget_script(self) -> None:
        """Drop the replies that were not used up."""
        self._replies.clear()

    async def request(self, number: int = 1) -> Recorded:
        """The request of that number, counted from 1, as soon as it has arrived."""
        async with self._arrived:
            await self._arrived.wait_for(lambda: len(self.requests) >= number)
        return self.requests[number - 1]

    async def serve_forever(self) -> None:
        if self._server is not None:
            await self._server.serve_forever()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connection, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._handlers:
            task.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        if task is not None:
            self._handlers.add(task)
            task.add_done_callback(self._handlers.discard)
        try:
            exchange = Exchange(reader, writer)
            while not exchange.broken and (request := await read_request(reader)):
                with suppress(ConnectionError):
                    await self._answer(request, exchange)
        except asyncio.CancelledError:
            # The server is closing; a task that ends cancelled here would be reported as a failure.
            pass
        finally:
            writer.close()

    async def _answer(self, request: RawRequest, exchange: Exchange) -> None:
        vendor = _VENDORS.get(request.path)
        if vendor is None or request.method != "POST":
            status, body = (200, b'{"status":"ok"}') if request.path == "/health" else (404, b'{"error":{}}')
            await exchange.answer(status, _JSON, body)
            return
        body = json.loads(request.body)
        recorded = Recorded(method=request.method, path=request.path, headers=request.headers, body=body)
        prompt = vendor.prompt(body)
        is_aside = self._aside(prompt)
        reply = self._replies.popleft() if self._replies and not is_aside else self._respond(prompt)
        if not is_aside:
            self.requests.append(recorded)
        async with self._arrived:
            self._arrived.notify_all()
        try:
            async with exchange.watched(recorded.left):
                await _Playing(vendor, body, exchange, recorded).play(reply)
        finally:
            self.answered += 1


class _Playing:
    """One reply on its way to one client."""

    def __init__(
        self, vendor: type[Vendor], body: Mapping[str, Any], exchange: Exchange, recorded: Recorded
    ) -> None:
        self._vendor = vendor
        self._writing = vendor(body)
        self._exchange = exchange
        self._recorded = recorded

    async def play(self, reply: Reply) -> None:
        failure = next((step for step in reply if isinstance(step, Fail)), None)
        if failure is not None:
            body = json.dumps(self._vendor.failure(failure)).encode()
            await self._exchange.answer(failure.status, {**_JSON, **failure.headers}, body)
            return
        if any(isinstance(step, Unanswered) for step in reply):
            await self._recorded.left.wait()
            return
        tokens = next((step for step in reply if isinstance(step, Tokens)), Tokens())
        reason: Reason = next((step.reason for step in reply if isinstance(step, Stop)), "stop")
        self._exchange.begin_stream(_STREAM)
        await self._exchange.send(self._writing.begin(tokens))
        for step in reply:
            if not await self._step(step):
                return
        await self._exchange.send(self._writing.finish(tokens, reason))
        await self._exchange.end_stream()

    async def _step(self, step: Step) -> bool:
        """Play a step; False when it was the last."""
        match step:
            case Text() | Reasoning():
                write = self._writing.text if isinstance(step, Text) else self._writing.reasoning
                for word in words(step.text):
                    await self._pause(step.delay)
                    await self._exchange.send(write(word))
            case Call():
                await self._exchange.send(self._writing.call(step))
            case Garbage():
                await self._exchange.send(step.data)
            case Hold():
                await step.until.wait()
            case Silence():
                await self._recorded.left.wait()
                return False
            case Cut():
                await self._exchange.cut()
                return False
            case End() | BreakInside():
                if isinstance(step, BreakInside):
                    await self._exchange.send(self._writing.broken(step.kind, step.message))
                await self._exchange.end_stream()
                return False
            case _:
                pass
        return not self._recorded.left.is_set()

    async def _pause(self, seconds: float) -> None:
        if seconds:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._recorded.left.wait()
