"""The small part of HTTP that travels in tunnel frames: requests, answers, and refusals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import parse_qs

from omnigent.protocol.codec import FrameError, decode, encode
from omnigent.protocol.frames import (
    Frame,
    Request,
    ResponseBody,
    ResponseEnd,
    ResponseHead,
    decode_body,
    encode_body,
)

JSON = "application/json"
EVENT_STREAM = "text/event-stream; charset=utf-8"


class Refusal(Exception):
    """An error answer, in the form of session routes: `{"error": code, "detail": text}`."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class Sender(Protocol):
    """Sends one frame; raises LinkDown."""

    async def __call__(self, frame: Frame) -> None: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request with the parts of its path that the route names."""

    request: Request
    session_id: str = ""

    def header(self, name: str) -> str | None:
        """A header's last value."""
        wanted = name.lower()
        values = [value for key, value in self.request.headers if key.lower() == wanted]
        return values[-1] if values else None

    def query(self, name: str) -> str | None:
        values = parse_qs(self.request.query_string).get(name)
        return values[-1] if values else None

    def json(self) -> Mapping[str, Any]:
        """The body as an object, empty when there is none; raises Refusal."""
        try:
            text = decode_body(self.request.body or "", self.request.encoding)
            body = decode(text) if text.strip() else {}
        except FrameError as exc:
            raise Refusal(400, "invalid_input", str(exc)) from exc
        if not isinstance(body, dict):
            raise Refusal(400, "invalid_input", "the body must be a JSON object")
        return body


class Responder:
    """Answers one request, once."""

    def __init__(self, request_id: str, send: Sender) -> None:
        self._id = request_id
        self._send = send
        self.is_started = False

    async def json(self, status: int, body: Mapping[str, Any]) -> None:
        await self.head(status, JSON)
        await self.body(encode(dict(body)), JSON)
        await self.end()

    async def empty(self, status: int) -> None:
        await self.head(status, JSON)
        await self.end()

    async def head(self, status: int, content_type: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        self.is_started = True
        every = (("content-type", content_type), *headers)
        await self._send(ResponseHead(id_=self._id, status=status, headers=every))

    async def body(self, data: bytes, content_type: str) -> None:
        text, encoding = encode_body(data, content_type)
        await self._send(ResponseBody(id_=self._id, body=text, encoding=encoding))

    async def end(self, error: str | None = None) -> None:
        await self._send(ResponseEnd(id_=self._id, error=error))
