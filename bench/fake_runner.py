"""A runner that is no more than its tunnel: it answers every message with as much text as it is told to."""

import asyncio
import secrets
import time
from collections.abc import Mapping
from typing import Any

import orjson
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Origin

from omnigent.protocol import frames
from omnigent.protocol.sse import encode_data

EMPTY_PAGE: Mapping[str, Any] = {
    "object": "list",
    "data": [],
    "first_id": None,
    "last_id": None,
    "has_more": False,
}


class FakeRunner:
    """Dials in as `runner_id`, and has nothing to list. A message "N" gets N deltas, each the nanosecond at
    which it was sent.
    """

    def __init__(self, port: int) -> None:
        self.runner_id = f"runner_{secrets.token_hex(16)}"
        self._url = f"ws://127.0.0.1:{port}/v1/runners/{self.runner_id}/tunnel"
        self._stream = secrets.token_hex(4)
        self._streams: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._turns: set[asyncio.Task[None]] = set()
        self._socket: ClientConnection | None = None
        self._task: asyncio.Task[None] | None = None
        self._up = asyncio.Event()

    async def start(self) -> None:
        """Connect; returns when the tunnel is up."""
        self._task = asyncio.create_task(self._run())
        await asyncio.wait_for(self._up.wait(), 20)

    async def stop(self) -> None:
        """Hang up."""
        for task in (*self._turns, self._task):
            if task is not None:
                task.cancel()
        await asyncio.gather(*self._turns, *([self._task] if self._task else []), return_exceptions=True)

    async def send_deltas(self, session_id: str, count: int, *, every: float = 0.0) -> None:
        """Stream a whole turn of `count` deltas, paced or as fast as the tunnel takes them."""
        response = {
            "id": f"resp_{secrets.token_hex(12)}",
            "object": "response",
            "model": "bench",
            "created_at": int(time.time()),
            "output": [],
        }
        await self._emit(session_id, {"type": "session.status", "status": "running"})
        await self._emit(session_id, with_response("response.in_progress", response, "in_progress"))
        for _ in range(count):
            delta = {"type": "response.output_text.delta", "delta": f"{time.perf_counter_ns()} "}
            await self._emit(session_id, delta)
            if every:
                await asyncio.sleep(every)
        await self._emit(session_id, with_response("response.completed", response, "completed"))
        await self._emit(session_id, {"type": "session.status", "status": "idle"})

    async def _run(self) -> None:
        async with connect(
            self._url, origin=Origin(frames.ORIGIN), max_size=frames.MAX_FRAME_BYTES, compression=None
        ) as socket:
            self._socket = socket
            hello = frames.Hello(
                runner_version="0.19.0",
                frame_protocol_version=frames.PROTOCOL_MAJOR,
                harnesses=("scripted",),
                capabilities=(frames.EVENT_ACK,),
            )
            await socket.send(frames.render(hello))
            self._up.set()
            async for text in socket:
                frame = frames.parse(text)
                if isinstance(frame, frames.Request):
                    await self._answer(frame)
                elif isinstance(frame, frames.Ping):
                    await socket.send(frames.render(frames.Pong(ts=frame.ts)))

    async def _answer(self, request: frames.Request) -> None:
        parts = request.path.strip("/").split("/")
        if request.method == "GET" and parts[-1] == "stream":
            self._streams[parts[2]] = request.id_
            await self._head(request.id_, 200, "text/event-stream")
            await self._body(request.id_, encode_data(b'{"type":"session.heartbeat"}').decode())
            return
        if request.method == "GET":
            await self._whole(request.id_, 200, EMPTY_PAGE)
            return
        body = orjson.loads(request.body or "{}")
        answer: dict[str, Any] = {"status": "accepted", "id": body.get("session_id")}
        if parts[-1] == "events" and body.get("type") == "message":
            text = body["content"][0]["text"]
            self._begin(parts[2], int(text) if text.isdigit() else 0)
        await self._whole(request.id_, 201 if parts[-1] == "sessions" else 202, answer)

    def _begin(self, session_id: str, count: int) -> None:
        task = asyncio.create_task(self.send_deltas(session_id, count))
        self._turns.add(task)
        task.add_done_callback(self._turns.discard)

    async def _emit(self, session_id: str, event: Mapping[str, Any]) -> None:
        number = self._numbers.get(session_id, 0) + 1
        self._numbers[session_id] = number
        data = encode_data(orjson.dumps(event), f"{self._stream}.{number}")
        await self._body(self._streams[session_id], data.decode())

    async def _whole(self, request_id: str, status: int, answer: Mapping[str, Any]) -> None:
        await self._head(request_id, status, "application/json")
        await self._body(request_id, orjson.dumps(answer).decode())
        await self._send(frames.ResponseEnd(id_=request_id))

    async def _head(self, request_id: str, status: int, content_type: str) -> None:
        headers = (("content-type", content_type),)
        await self._send(frames.ResponseHead(id_=request_id, status=status, headers=headers))

    async def _body(self, request_id: str, text: str) -> None:
        await self._send(frames.ResponseBody(id_=request_id, body=text))

    async def _send(self, frame: frames.Frame) -> None:
        assert self._socket is not None
        await self._socket.send(frames.render(frame))


def with_response(kind: str, response: Mapping[str, Any], status: str) -> dict[str, Any]:
    """A response event as a runner sends it."""
    return {"type": kind, "sequence_number": 1, "response": {**response, "status": status}}
