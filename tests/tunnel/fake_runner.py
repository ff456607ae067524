"""A runner inside the test: speaks the tunnel's protocol over an ASGI socket and does what it is told.

`emit` puts events on a session's stream. A numbering runner keeps them until they are acknowledged and sends
them again after a reconnect; another one forgets what it has sent and keeps only what nobody has asked for.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

import orjson

from omnigent.api.asgi import Application
from omnigent.ids import runner_id_for
from omnigent.protocol import frames, sse
from sessions_app.running import running_process
from sessions_app.tunnels.tunnel import Tunnel
from tests.api_plumbing.asgi_client import Socket
from tests.stream.servers import until

Json = dict[str, Any]
Answer = tuple[int, Json]
Channeled = frames.WsOpen | frames.WsFrame | frames.WsClose


@dataclass
class Stream:
    """One session's events: numbered, not yet acknowledged or not yet sent, and who listens."""

    count: int = 0
    kept: list[tuple[int, Json]] = field(default_factory=list)
    listener: str = ""
    opened: int = 0
    headers: dict[str, str] = field(default_factory=dict)


class FakeRunner:
    """One runner process. Leaving the block closes its tunnel; `dial` opens another one."""

    def __init__(self, app: Application, *, token: str | None = None, numbered: bool = True) -> None:
        self.app = app
        self.token = token
        self.runner_id = runner_id_for(token) if token else f"runner_{secrets.token_hex(16)}"
        self.numbered = numbered
        self.name = secrets.token_hex(4)
        self.process_id: str | None = None
        self.streams: dict[str, Stream] = {}
        self.requests: list[frames.Request] = []
        self.posted: list[Json] = []
        self.acks: list[frames.StreamAck] = []
        self.cancelled: list[str] = []
        self.pings: list[frames.Ping] = []
        self.channels: list[Channeled] = []
        self.answers: dict[str, Answer] = {}
        self.holds: set[str] = set()
        self.close_code: int | None = None
        self.sends_pongs = True
        self.on_post: Callable[[Json], None] = lambda body: None
        self.on_channel: Callable[[Channeled], None] = lambda frame: None
        self.takes: Callable[[frames.Request], bool] = lambda request: False
        self._socket: Socket | None = None
        self._reading: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "FakeRunner":
        await self.dial()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.hang_up()

    @property
    def headers(self) -> Mapping[str, str]:
        """What it dials in with."""
        token = {"X-Omnigent-Runner-Tunnel-Token": self.token} if self.token else {}
        return {"Origin": frames.ORIGIN, **token}

    async def dial(self) -> None:
        """Open a tunnel, say hello, and wait until the server has taken it."""
        held = self._held()
        socket = Socket(self.app, f"/v1/runners/{self.runner_id}/tunnel", headers=self.headers)
        await socket.__aenter__()
        assert (await socket.next())["type"] == "websocket.accept"
        capabilities = (frames.EVENT_ACK,) if self.numbered else ()
        hello = frames.Hello(
            runner_version="1",
            frame_protocol_version=1,
            capabilities=capabilities,
            process_id=self.process_id,
        )
        socket.text(frames.render(hello))
        self._socket, self.close_code = socket, None
        self._reading = asyncio.create_task(self._read(socket))
        await until(lambda: self._held() not in (held, None))

    def _held(self) -> Tunnel | None:
        return running_process().tunnels.get("runner", self.runner_id)

    async def hang_up(self, code: int = 1006) -> None:
        """Lose the tunnel; what is on its streams stays."""
        socket, self._socket = self._socket, None
        if socket is None:
            return
        for stream in self.streams.values():
            stream.listener = ""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        socket.disconnect(code)
        await asyncio.wait_for(socket.task, 15)

    def stream(self, session_id: str) -> Stream:
        """A session's stream."""
        return self.streams.setdefault(session_id, Stream())

    def emit(self, session_id: str, *events: Json) -> None:
        """Put events on a session's stream."""
        stream = self.stream(session_id)
        for event in events:
            stream.count += 1
            stream.kept.append((stream.count, event))
            if stream.listener:
                self._send_event(stream, stream.count, event)
        if stream.listener and not self.numbered:
            stream.kept.clear()

    def say(self, frame: frames.Frame) -> None:
        """Send any frame."""
        self.text(frames.render(frame))

    def text(self, text: str) -> None:
        """Send any text."""
        if self._socket is not None:
            self._socket.text(text)

    def binary(self, data: bytes) -> None:
        """Send a binary message."""
        if self._socket is not None:
            self._socket.incoming.put_nowait({"type": "websocket.receive", "bytes": data})

    async def until_listened(self, session_id: str, times: int = 1) -> Stream:
        """Wait until the server reads a session's stream."""
        stream = self.stream(session_id)
        await until(lambda: bool(stream.listener) and stream.opened >= times)
        return stream

    async def until_posted(self, count: int) -> Json:
        """Wait for the `count`th event that the server forwards."""
        await until(lambda: len(self.posted) >= count)
        return self.posted[count - 1]

    async def until_acked(self, session_id: str) -> None:
        """Wait until everything on a stream is committed."""
        stream = self.stream(session_id)
        await until(lambda: not stream.kept)

    async def until_closed(self) -> int:
        """Wait until the server closes the tunnel; gives the code."""
        await until(lambda: self.close_code is not None)
        return self.close_code or 0

    def request(self, method: str, suffix: str) -> frames.Request:
        """The newest request of that method to a path with that end."""
        return [one for one in self.requests if one.method == method and one.path.endswith(suffix)][-1]

    def answer(self, request: frames.Request, status: int, body: bytes, content_type: str = "") -> None:
        """Answer a request as a whole."""
        media = content_type or "application/json"
        self.say(frames.ResponseHead(id_=request.id_, status=status, headers=(("content-type", media),)))
        text, encoding = frames.encode_body(body, media)
        self.say(frames.ResponseBody(id_=request.id_, body=text, encoding=encoding))
        self.say(frames.ResponseEnd(id_=request.id_))

    async def _read(self, socket: Socket) -> None:
        while True:
            message = await socket.outgoing.get()
            if message["type"] == "websocket.close":
                self.close_code = message["code"]
                socket.disconnect(message["code"])
                return
            frame = frames.parse(message["text"])
            match frame:
                case frames.Request():
                    self.requests.append(frame)
                    self._handle(frame)
                case frames.Ping():
                    self.pings.append(frame)
                    if self.sends_pongs:
                        self.say(frames.Pong(ts=frame.ts))
                case frames.StreamAck():
                    self._acknowledged(frame)
                case frames.WsOpen() | frames.WsFrame() | frames.WsClose():
                    self.channels.append(frame)
                    self.on_channel(frame)
                case frames.RequestCancel():
                    self.cancelled.append(frame.id_)
                    for stream in self.streams.values():
                        stream.listener = "" if stream.listener == frame.id_ else stream.listener

    def _acknowledged(self, ack: frames.StreamAck) -> None:
        self.acks.append(ack)
        name, _, number = ack.id_.rpartition(".")
        if name == self.name:
            stream = self.stream(ack.session_id)
            stream.kept = [(count, event) for count, event in stream.kept if count > int(number)]

    def _handle(self, request: frames.Request) -> None:
        if self.takes(request):
            return
        parts = request.path.strip("/").split("/")
        last = parts[-1]
        if f"{request.method} {last}" in self.holds:
            return
        if request.method == "GET" and last == "stream":
            self._open_stream(request, parts[2])
            return
        if request.method == "POST" and last == "events":
            body = orjson.loads(request.body or "{}")
            self.posted.append({**body, "session_id": parts[2]})
            self.on_post(body)
        defaults: Mapping[str, Answer] = {
            "events": (202, {"status": "accepted"}),
            "execute": (200, {"result": {"output": "done"}}),
            "sessions": (201, {"status": "idle"}),
        }
        status, answer = self.answers.get(last) or defaults.get(last) or (404, {"error": "not_found"})
        self.answer(request, status, orjson.dumps(answer))

    def _open_stream(self, request: frames.Request, session_id: str) -> None:
        if "stream" in self.answers:
            status, answer = self.answers["stream"]
            self.answer(request, status, orjson.dumps(answer))
            return
        stream = self.stream(session_id)
        stream.listener, stream.opened = request.id_, stream.opened + 1
        stream.headers = {name.lower(): value for name, value in request.headers}
        media = (("content-type", "text/event-stream"),)
        self.say(frames.ResponseHead(id_=request.id_, status=200, headers=media))
        self.send_bytes(stream, sse.encode_data(b'{"type":"session.heartbeat"}'))
        name, _, number = stream.headers.get("last-event-id", "").rpartition(".")
        after = int(number) if name == self.name else 0
        for count, event in list(stream.kept):
            if count > after:
                self._send_event(stream, count, event)
        if not self.numbered:
            stream.kept.clear()

    def _send_event(self, stream: Stream, count: int, event: Json) -> None:
        number = f"{self.name}.{count}" if "x-omnigent-event-ack" in stream.headers else None
        self.send_bytes(stream, sse.encode_data(orjson.dumps(event), number))

    def send_bytes(self, stream: Stream, data: bytes) -> None:
        """Send a slice of a stream's body as it is."""
        text, encoding = frames.encode_body(data, "text/event-stream")
        self.say(frames.ResponseBody(id_=stream.listener, body=text, encoding=encoding))
