"""A runner over real sockets that acknowledges nothing and takes a message twice, as released ones do.

What it has written to a connection is gone for it; what it says while nobody listens it keeps and says first.
"""

import secrets
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

import orjson
from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection, connect

from omnigent.protocol import frames, sse

REDIAL_SECONDS = 0.2
END_SECONDS = 30.0
Json = dict[str, Any]


class ReleasedRunner:
    """Answers every message with `words`, one in `pace` seconds, after a call of a tool if it is told to."""

    def __init__(self, url: str, *, words: Sequence[str], pace: float, calls: Sequence[Json] = ()) -> None:
        self.runner_id = f"runner_{secrets.token_hex(16)}"
        self.prompts: list[str] = []
        self._url = f"{url.replace('http', 'ws', 1)}/v1/runners/{self.runner_id}/tunnel"
        self._words, self._pace, self._calls = words, pace, calls
        self._kept: dict[str, list[Json]] = {}
        self._listeners: dict[str, str] = {}
        self._busy: set[str] = set()
        self._waiting: dict[str, int] = {}
        self._socket: ClientConnection | None = None
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._dialling = threading.Thread(target=self._stay, name="released-runner", daemon=True)

    def __enter__(self) -> Self:
        self._dialling.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        if self._socket is not None:
            self._socket.close()
        self._dialling.join(END_SECONDS)

    def _stay(self) -> None:
        while not self._closing.is_set():
            try:
                self._serve()
            except (OSError, WebSocketException):
                self._closing.wait(REDIAL_SECONDS)

    def _serve(self) -> None:
        headers = {"Origin": frames.ORIGIN}
        with connect(
            self._url, additional_headers=headers, compression=None, max_size=None, proxy=None
        ) as socket:
            hello = frames.Hello(runner_version="0.19.0", frame_protocol_version=frames.PROTOCOL_MAJOR)
            socket.send(frames.render(hello))
            with self._lock:
                self._socket = socket
                self._listeners.clear()
            for message in socket:
                frame = frames.parse(str(message))
                if isinstance(frame, frames.Request):
                    self._take(frame)
                elif isinstance(frame, frames.RequestCancel):
                    with self._lock:
                        self._listeners = {
                            session: held for session, held in self._listeners.items() if held != frame.id_
                        }
                elif isinstance(frame, frames.Ping):
                    self._send(frames.Pong(ts=frame.ts))

    def _take(self, request: frames.Request) -> None:
        parts = request.path.strip("/").split("/")
        if request.method == "GET" and parts[-1] == "stream":
            self._listen(request.id_, parts[2])
            return
        body = orjson.loads(request.body or "{}")
        is_session = parts[-1] == "sessions" or len(parts) == 3
        session_id = str(body.get("session_id")) if parts[-1] == "sessions" else parts[2]
        if parts[-1] == "events" and body.get("type") == "message":
            self._prompted(session_id, body["content"][0]["text"])
        with self._lock:
            word = "running" if session_id in self._busy else "idle"
        code = (201 if request.method == "POST" else 200) if is_session else 202
        self._answer(request.id_, code, {"status": word if is_session else "accepted", "id": session_id})

    def _prompted(self, session_id: str, words: str) -> None:
        with self._lock:
            self.prompts.append(words)
            if session_id in self._busy:
                self._waiting[session_id] = self._waiting.get(session_id, 0) + 1
                return
            self._busy.add(session_id)
        threading.Thread(target=self._work, args=(session_id,), daemon=True).start()

    def _work(self, session_id: str) -> None:
        while True:
            self._turn(session_id)
            with self._lock:
                if not self._waiting.get(session_id):
                    self._busy.discard(session_id)
                    self._say(session_id, status("idle"))
                    return
                self._waiting[session_id] -= 1

    def _turn(self, session_id: str) -> None:
        response_id = f"resp_{secrets.token_hex(12)}"
        self._say(session_id, status("running"))
        self._say(session_id, response("in_progress", response_id))
        for event in self._calls:
            self._say(session_id, event)
        for word in self._words:
            self._say(session_id, text(word))
            time.sleep(self._pace)
        self._say(session_id, response("completed", response_id))

    def _say(self, session_id: str, event: Json) -> None:
        with self._lock:
            listener = self._listeners.get(session_id)
            if listener is None:
                self._kept.setdefault(session_id, []).append(event)
                return
            try:
                self._body(listener, sse.encode_data(orjson.dumps(event)))
            except (OSError, WebSocketException):
                # It was taken from the queue for a connection that is no more.
                self._listeners.pop(session_id, None)

    def _listen(self, request_id: str, session_id: str) -> None:
        with self._lock:
            self._head(request_id, 200, "text/event-stream")
            self._body(request_id, sse.encode_data(b'{"type":"session.heartbeat"}'))
            self._listeners[session_id] = request_id
            for event in self._kept.pop(session_id, []):
                self._say(session_id, event)

    def _answer(self, request_id: str, code: int, body: Json) -> None:
        with self._lock:
            self._head(request_id, code, "application/json")
            self._body(request_id, orjson.dumps(body))
            self._send(frames.ResponseEnd(id_=request_id))

    def _head(self, request_id: str, code: int, media: str) -> None:
        self._send(frames.ResponseHead(id_=request_id, status=code, headers=(("content-type", media),)))

    def _body(self, request_id: str, data: bytes) -> None:
        words, encoding = frames.encode_body(data, "application/json")
        self._send(frames.ResponseBody(id_=request_id, body=words, encoding=encoding))

    def _send(self, frame: frames.Frame) -> None:
        with self._lock:
            if self._socket is not None:
                self._socket.send(frames.render(frame))


def status(word: str) -> Json:
    """A status edge."""
    return {"type": "session.status", "status": word}


def response(kind: str, response_id: str) -> Json:
    """The begin or the end of a response."""
    body = {"id": response_id, "object": "response", "status": kind, "model": "released", "created_at": 1}
    return {"type": f"response.{kind}", "sequence_number": 1, "response": body}


def text(part: str) -> Json:
    """Some words."""
    return {"type": "response.output_text.delta", "delta": part}
