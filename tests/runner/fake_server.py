"""A server for runners on a real socket: answers REST calls, talks down the tunnel, writes all down."""

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from omnigent.protocol import frames, sse
from omnigent.spec import bundle
from tests.runner.stream import Stream

Json = dict[str, Any]
Gate = Callable[[Json], Awaitable[Json]]
Judge = Callable[[Json], Awaitable[Json | None]]
DEADLINE = 30.0
AGENT = """\
name: helper
prompt: You help.
executor: {harness: scripted}
os_env: {type: caller_process, sandbox: {type: none}}
"""


class Tunnel:
    """One connection of the runner."""

    def __init__(self, send: Callable[[Json], Awaitable[None]]) -> None:
        self._send = send
        self.waiting: dict[str, asyncio.Queue[frames.Frame | None]] = {}
        self.closed = asyncio.Event()
        self.close_code: int | None = None
        self.headers: dict[str, str] = {}
        self.hello: frames.Hello | None = None
        self.pongs: list[int] = []

    async def send(self, frame: frames.Frame) -> None:
        await self.send_text(frames.render(frame))

    async def send_text(self, text: str) -> None:
        await self._send({"type": "websocket.send", "text": text})

    async def close(self, code: int) -> None:
        await self._send({"type": "websocket.close", "code": code, "reason": ""})

    def receive(self, text: str) -> None:
        frame = frames.parse(text)
        match frame:
            case frames.Hello():
                self.hello = frame
            case frames.Pong():
                self.pongs.append(frame.ts)
            case frames.ResponseHead() | frames.ResponseBody() | frames.ResponseEnd():
                if queue := self.waiting.get(frame.id_):
                    queue.put_nowait(frame)
            case frames.WsFrame() | frames.WsClose():
                if queue := self.waiting.get(frame.ch_id):
                    queue.put_nowait(frame)

    def lost(self) -> None:
        self.closed.set()
        for queue in self.waiting.values():
            queue.put_nowait(None)


class TunnelLost(Exception):
    """The connection went before the answer was complete."""


class FakeServer:
    """`gate` answers POST /mcp, by default with what the runner's tool says; `judge` answers POST /evaluate,
    and its None cuts the connection in the middle of the answer.
    """

    def __init__(self) -> None:
        self.port = 0
        self.calls: list[tuple[str, str, Json]] = []
        self.items: list[Json] = []
        self.posted: list[Json] = []
        self.agent = AGENT
        self.gate: Gate = self.allow
        self.verdict: Json = {"result": "POLICY_ACTION_ALLOW"}
        self.judge: Judge = self.agree
        self.answers: dict[str, tuple[int, Json]] = {}  # by the last part of the path
        self.statuses: dict[str, int] = {}
        self.tunnels: list[Tunnel] = []
        self._ids = itertools.count(1)
        self._arrived = asyncio.Event()

    # -- a socket ----------------------------------------------------------------------------------

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["FakeServer"]:
        server = uvicorn.Server(
            uvicorn.Config(
                self.asgi,
                host="127.0.0.1",
                port=self.port,
                lifespan="off",
                access_log=False,
                log_level="error",
                ws="websockets-sansio",
                interface="asgi3",
                timeout_graceful_shutdown=1,
            )
        )
        serving = asyncio.create_task(server.serve())
        await until(lambda: server.started)
        self.port = server.servers[0].sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.should_exit = True
            await serving

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def asgi(self, scope: Json, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _websocket(self, scope: Json, receive: Any, send: Any) -> None:
        tunnel = Tunnel(send)
        tunnel.headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        await receive()
        await send({"type": "websocket.accept"})
        try:
            while (message := await receive())["type"] == "websocket.receive":
                tunnel.receive(message["text"])
                if tunnel.hello is not None and tunnel not in self.tunnels:
                    self.tunnels.append(tunnel)
                    self._arrived.set()
            tunnel.close_code = message.get("code")
        finally:
            tunnel.lost()

    async def _http(self, scope: Json, receive: Any, send: Any) -> None:
        data = b""
        while True:
            message = await receive()
            data += message.get("body", b"")
            if not message.get("more_body"):
                break
        body = json.loads(data) if data else {}
        self.calls.append((scope["method"], scope["path"], body))
        status, content = await self._route(
            scope["method"], scope["path"], scope["query_string"].decode(), body
        )
        if content is None:
            await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9")]})
            return
        raw = content if isinstance(content, bytes) else json.dumps(content).encode()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": raw})

    async def _route(self, method: str, path: str, query: str, body: Json) -> tuple[int, Json | bytes | None]:
        last = path.rsplit("/", 1)[-1]
        if last in self.statuses:
            return self.statuses[last], {"error": {"code": "x", "message": "as told"}}
        if last in self.answers:
            return self.answers[last]
        if last == "contents":
            return 200, bundle.pack({"config.yaml": self.agent.encode()})
        if last == "items":
            return 200, self._page(query)
        if last == "evaluate":
            return 200, await self.judge(body)
        if last == "mcp":
            return 200, await self.gate(body)
        if last == "events":
            self.posted.append(body)
            return 202, {"queued": False}
        if method == "GET" and path.startswith("/v1/sessions/"):
            return 200, {"id": last, "agent_id": "ag_1", "workspace": None}
        return 404, {"error": {"code": "not_found", "message": "Not found"}}

    def _page(self, query: str) -> Json:
        after = next((part[6:] for part in query.split("&") if part.startswith("after=")), None)
        start = next((n + 1 for n, item in enumerate(self.items) if item["id"] == after), 0)
        page = self.items[start : start + 100]
        more = start + 100 < len(self.items)
        return {"data": page, "has_more": more, "last_id": page[-1]["id"] if page else None}

    # -- the tunnel --------------------------------------------------------------------------------

    async def tunnel(self) -> Tunnel:
        """The latest connection that is up."""
        async with asyncio.timeout(DEADLINE):
            while not self.tunnels or self.tunnels[-1].closed.is_set():
                self._arrived.clear()
                await self._arrived.wait()
        return self.tunnels[-1]

    async def request(self, method: str, path: str, body: Json | None = None) -> tuple[int, Json]:
        """One request to the runner; raises TunnelLost."""
        status, data = 0, b""
        async for frame in self._exchange(method, path, body, ()):
            if isinstance(frame, frames.ResponseHead):
                status = frame.status
            elif isinstance(frame, frames.ResponseBody):
                data += frames.decode_body(frame.body, frame.encoding)
        return status, json.loads(data) if data else {}

    async def _exchange(
        self, method: str, path: str, body: Json | None, headers: tuple[tuple[str, str], ...]
    ) -> AsyncIterator[frames.Frame]:
        tunnel = await self.tunnel()
        request_id = f"{next(self._ids):032x}"
        queue: asyncio.Queue[frames.Frame | None] = asyncio.Queue()
        tunnel.waiting[request_id] = queue
        text = None if body is None else json.dumps(body)
        try:
            await tunnel.send(
                frames.Request(id_=request_id, method=method, path=path, headers=headers, body=text)
            )
            while True:
                frame = await queue.get()
                if frame is None:
                    raise TunnelLost
                yield frame
                if isinstance(frame, frames.ResponseEnd):
                    return
        finally:
            del tunnel.waiting[request_id]

    async def agree(self, body: Json) -> Json:
        """The same verdict on everything."""
        return self.verdict

    async def allow(self, body: Json, session_id: str = "conv_1") -> Json:
        """Have the tool executed on the runner, as the server does for an allowed call."""
        params = body["params"]
        operation = {"id": params["_omnigent_operation_id"], "step": "initial"}
        request = {
            "method": "tools/call",
            "params": {"name": params["name"], "arguments": params["arguments"]},
            "_omnigent_operation": operation,
        }
        try:
            _, answer = await self.request("POST", f"/v1/sessions/{session_id}/mcp/execute", request)
        except TunnelLost:
            return {"error": {"code": -32098, "message": "tunnel lost"}}
        if "error" in answer:
            return {"error": answer["error"]}
        return {"result": {"content": [{"type": "text", "text": answer["result"]["output"]}]}}

    # -- a session ---------------------------------------------------------------------------------

    def subscribe(
        self,
        session_id: str = "conv_1",
        *,
        acknowledge: bool = True,
        last: str | None = None,
        into: Stream | None = None,
    ) -> Stream:
        """Read a session's stream; with `into` go on with what was read before."""
        stream = into or Stream()
        stream.reader = asyncio.create_task(self._read(session_id, stream, acknowledge, last))
        return stream

    async def _read(self, session_id: str, stream: Stream, acknowledge: bool, last: str | None) -> None:
        headers: tuple[tuple[str, str], ...] = ((frames.EVENT_ACK_HEADER, "1"),) if acknowledge else ()
        if last is not None:
            headers += (("Last-Event-ID", last),)
        decoder = sse.Decoder()
        try:
            async for frame in self._exchange("GET", f"/v1/sessions/{session_id}/stream", None, headers):
                if isinstance(frame, frames.ResponseBody):
                    for message in decoder.feed(frames.decode_body(frame.body, frame.encoding)):
                        stream.note(message)
                    if acknowledge and stream.acks and stream.ids:
                        await self.acknowledge(stream.ids[-1] or "", session_id)
        except TunnelLost:
            return

    async def acknowledge(self, event_id: str, session_id: str = "conv_1") -> None:
        await (await self.tunnel()).send(frames.StreamAck(session_id=session_id, id_=event_id))

    async def post(self, body: Json, session_id: str = "conv_1") -> tuple[int, Json]:
        return await self.request("POST", f"/v1/sessions/{session_id}/events", body)

    async def say(self, text: str, item_id: str | None = None, **extra: Any) -> str:
        """Deliver a user's message; what the runner answered."""
        content = [{"type": "input_text", "text": text}]
        body = {"type": "message", "role": "user", "content": content, "agent_id": "ag_1", "model": "helper"}
        _, answer = await self.post(body | ({"persisted_item_id": item_id} if item_id else {}) | extra)
        return str(answer.get("status"))


async def until(condition: Callable[[], bool], seconds: float = DEADLINE) -> None:
    """Wait for a fact."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is a plain fact of the test
            await asyncio.sleep(0.005)
