"""A runner without an agent: it speaks the tunnel's protocol, keeps its events and does what a test says."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import orjson

from omnigent.ids import runner_id_for
from omnigent.protocol import frames, sse
from tests.api_plumbing.asgi_client import Socket
from tests.inputs.waiting import until

PROCESSES = count(1)
LOST = 1006


@dataclass(frozen=True, slots=True)
class Answer:
    """How to treat the next posted event: the status, whether it is taken, and whether the tunnel goes."""

    status: int = 202
    is_taken: bool = True
    loses_tunnel: bool = False


ACCEPT = Answer()
REFUSE = Answer(status=400, is_taken=False)
LOSE_BEFORE = Answer(is_taken=False, loses_tunnel=True)
LOSE_AFTER = Answer(loses_tunnel=True)


@dataclass
class Line:
    """One dialled connection; a superseded one may still be spoken on, as a half-open socket would."""

    socket: Socket
    streams: dict[str, str] = field(default_factory=dict)
    close_code: int | None = None
    reading: "asyncio.Task[None] | None" = None

    def say(self, frame: frames.Frame) -> None:
        self.socket.text(frames.render(frame))


class FakeRunner:
    """One runner process. `taken` is what it has accepted, in order; `plan` says how to treat what comes.

    `skills` are what it knows by name; None is a runner of old that has no such route.
    With `is_half_open` it does not notice that the server has closed a connection.
    """

    def __init__(self, server: Any, runner_id: str = "runner_fake", *, token: str | None = None) -> None:
        self.runner_id = runner_id_for(token) if token else runner_id
        self.headers = {"X-Omnigent-Runner-Tunnel-Token": token} if token else {}
        self.taken: list[dict[str, Any]] = []
        self.posted: list[dict[str, Any]] = []
        self.opened: list[str] = []
        self.asked_to_summarise: list[dict[str, Any]] = []
        self.summary: tuple[int, Mapping[str, Any]] = (200, {"text": "In short.", "token_count": 3})
        self.is_half_open = False
        self.has_dialled = False
        self.on_taken: Callable[[dict[str, Any]], Awaitable[None]] | None = None
        self.plan: deque[Answer] = deque()
        self.skills: dict[str, str] | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.line: Line | None = None
        self.lines: list[Line] = []
        self.stream = f"{next(PROCESSES):08x}"
        self._server = server
        self._ids: set[str] = set()
        self._numbers: dict[str, int] = {}
        self._retained: dict[str, list[tuple[int, bytes]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def messages(self) -> list[str]:
        """The item ids of the messages that were accepted, in order."""
        return [body["persisted_item_id"] for body in self.taken if body["type"] == "message"]

    def kinds(self) -> list[str]:
        """What was accepted, by kind."""
        return [body["type"] for body in self.taken]

    async def connect(self) -> Line:
        """Dial in; an earlier connection stays as it is."""
        socket = Socket(self._server, f"/v1/runners/{self.runner_id}/tunnel", headers=self.headers)
        await socket.__aenter__()
        assert (await socket.next())["type"] == "websocket.accept"
        line = Line(socket)
        hello = frames.Hello(
            runner_version="0",
            frame_protocol_version=1,
            harnesses=("scripted",),
            capabilities=(frames.EVENT_ACK,),
        )
        line.say(hello)
        line.reading = asyncio.create_task(self._read(line))
        self.line = line
        self.lines.append(line)
        self.has_dialled = True
        return line

    async def disconnect(self, code: int = LOST, line: Line | None = None) -> None:
        """The connection goes; the process lives on."""
        line = line or self.line
        if line is None or line not in self.lines:
            return
        if self.line is line:
            self.line = None
        self.lines.remove(line)
        line.socket.disconnect(code)
        await asyncio.wait_for(line.socket.task, 30)
        if line.reading is not None:
            line.reading.cancel()

    async def end(self) -> None:
        """The process ends: all its connections go."""
        for task in self._tasks:
            task.cancel()
        for line in list(self.lines):
            await self.disconnect(line=line)

    async def emit(self, session_id: str, *events: Mapping[str, Any]) -> None:
        """Number and keep these events, and send them when the server reads the session's stream."""
        for event in events:
            number = self._numbers.get(session_id, 0) + 1
            self._numbers[session_id] = number
            frame = sse.encode_data(orjson.dumps(event), f"{self.stream}.{number}")
            self._retained.setdefault(session_id, []).append((number, frame))
            if self.line is not None and session_id in self.line.streams:
                self._body(self.line, self.line.streams[session_id], frame)

    def has_unacknowledged(self, session_id: str) -> bool:
        """Whether the server has yet to commit something."""
        return bool(self._retained.get(session_id))

    def say_on(self, line: Line, session_id: str, *events: Mapping[str, Any]) -> None:
        """Speak on some line without keeping what is said, numbered as if it came next."""
        exchange = line.streams.get(session_id)
        if exchange is None:
            return
        for number, event in enumerate(events, start=self._numbers.get(session_id, 0) + 1):
            self._body(line, exchange, sse.encode_data(orjson.dumps(event), f"{self.stream}.{number}"))

    async def committed(self, session_id: str) -> None:
        """Wait until the server has acknowledged every event."""
        await until(lambda: not self._retained.get(session_id), f"{self.runner_id}: events acknowledged")

    async def tell(self, session_id: str, *events: Mapping[str, Any]) -> None:
        """Emit, and wait until it is committed."""
        await self.emit(session_id, *events)
        await self.committed(session_id)

    async def reading(self, session_id: str) -> None:
        """Wait until the server reads the session's stream."""
        await until(lambda: self.line is not None and session_id in self.line.streams, "the stream is read")

    def _body(self, line: Line, exchange: str, data: bytes) -> None:
        line.say(frames.ResponseBody(id_=exchange, body=data.decode()))

    async def _read(self, line: Line) -> None:
        while True:
            message = await line.socket.outgoing.get()
            if message["type"] == "websocket.close":
                line.close_code = message["code"]
                if self.line is line:
                    self.line = None
                if not self.is_half_open:
                    line.socket.disconnect(message["code"])
                    self.lines.remove(line)
                return
            if message["type"] == "websocket.send":
                self._take(line, frames.parse(message["text"]))

    def _take(self, line: Line, frame: frames.Frame) -> None:
        match frame:
            case frames.Ping():
                line.say(frames.Pong(ts=frame.ts))
            case frames.StreamAck():
                self._forget(frame)
            case frames.RequestCancel():
                line.streams = {key: one for key, one in line.streams.items() if one != frame.id_}
            case frames.Request(method="GET"):
                self._open(line, frame)
            case frames.Request(path="/v1/sessions"):
                self.opened.append(orjson.loads(frame.body or "{}")["session_id"])
                self._reply(line, frame.id_, 201, {"status": "idle"})
            case frames.Request(path="/v1/summarize"):
                self.asked_to_summarise.append(orjson.loads(frame.body or "{}"))
                self._reply(line, frame.id_, *self.summary)
            case frames.Request() if frame.path.endswith("/reset-state"):
                self.posted.append({"type": "reset-state"})
                self._reply(line, frame.id_, 200, {"reset": True})
            case frames.Request() if frame.path.endswith("/skills/resolve"):
                self._resolve(line, frame)
            case frames.Request():
                task = asyncio.create_task(self._post(line, frame))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    def _forget(self, ack: frames.StreamAck) -> None:
        stream, _, number = ack.id_.partition(".")
        if stream == self.stream:
            kept = self._retained.get(ack.session_id, [])
            self._retained[ack.session_id] = [row for row in kept if row[0] > int(number)]

    def _open(self, line: Line, request: frames.Request) -> None:
        session_id = request.path.split("/")[3]
        last = dict(request.headers).get("Last-Event-ID", "")
        if last.startswith(f"{self.stream}."):
            self._forget(frames.StreamAck(session_id=session_id, id_=last))
        line.say(frames.ResponseHead(id_=request.id_, status=200))
        self._body(line, request.id_, b'data: {"type":"session.heartbeat"}\n\n')
        line.streams[session_id] = request.id_
        for _, frame in self._retained.get(session_id, []):
            self._body(line, request.id_, frame)

    def _resolve(self, line: Line, request: frames.Request) -> None:
        asked = orjson.loads(request.body or "{}")
        if self.skills is None:
            self._reply(line, request.id_, 404, {"error": "not_found", "detail": "no such route"})
        elif asked["name"] not in self.skills:
            missing = {"error": "skill_not_found", "available": sorted(self.skills)}
            self._reply(line, request.id_, 404, missing)
        else:
            text = f"{self.skills[asked['name']]} <{asked['arguments']}>"
            self._reply(line, request.id_, 200, {"meta_text": text})

    async def _post(self, line: Line, request: frames.Request) -> None:
        body = orjson.loads(request.body or "{}")
        self.posted.append(body)
        await self.gate.wait()
        answer = self.plan.popleft() if self.plan else ACCEPT
        key = body.get("persisted_item_id") or body.get("delivery_id")
        word = "duplicate" if key in self._ids else "accepted"
        if answer.is_taken and word == "accepted":
            self.taken.append(body)
            if key:
                self._ids.add(key)
            if self.on_taken is not None:
                await self.on_taken(body)
        if answer.loses_tunnel:
            await self.disconnect(line=line)
        else:
            self._reply(line, request.id_, answer.status, {"status": word})

    def _reply(self, line: Line, exchange: str, status: int, body: Mapping[str, Any]) -> None:
        line.say(frames.ResponseHead(id_=exchange, status=status))
        line.say(frames.ResponseBody(id_=exchange, body=orjson.dumps(body).decode()))
        line.say(frames.ResponseEnd(id_=exchange))


def status(word: str, **more: Any) -> dict[str, Any]:
    """A status edge."""
    return {"type": "session.status", "status": word, **more}


def response(kind: str, response_id: str, **more: Any) -> dict[str, Any]:
    """A response's first or last event."""
    body = {"id": response_id, "status": kind, "model": "helper", "created_at": 1, **more}
    return {"type": f"response.{kind}", "response": body}


def text(delta: str) -> dict[str, Any]:
    """A piece of the answer."""
    return {"type": "response.output_text.delta", "delta": delta}


def began(response_id: str) -> list[dict[str, Any]]:
    """A turn's first events."""
    return [status("running"), response("in_progress", response_id)]


def ended(response_id: str, kind: str = "completed", word: str = "idle") -> list[dict[str, Any]]:
    """A turn's last events."""
    return [response(kind, response_id), status(word)]


def turn(response_id: str, *deltas: str) -> list[dict[str, Any]]:
    """A whole turn of text."""
    return [*began(response_id), *map(text, deltas), *ended(response_id)]
