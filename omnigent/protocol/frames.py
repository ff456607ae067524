"""Frames of the runner tunnel: HTTP requests, WebSocket channels and acknowledgements over one WebSocket."""

import base64
import binascii
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from omnigent.protocol.codec import FrameError as FrameError
from omnigent.protocol.table import Table

PROTOCOL_MAJOR = 1
MAX_FRAME_BYTES = 104_857_600
ORIGIN = "omnigent://internal"
TOKEN_HEADER = "X-Omnigent-Runner-Tunnel-Token"

EVENT_ACK = "event-ack-v1"
"""Capability of a runner that keeps events until they are acknowledged."""

EVENT_ACK_HEADER = "X-Omnigent-Event-Ack"
"""Header (value 1) with which the server asks for numbered events on a session's stream."""

Encoding = Literal["utf-8", "base64"]
Headers = tuple[tuple[str, str], ...]


class UnknownKind(FrameError):
    """A frame of a kind that this end does not know; it is logged and dropped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """Base of all frames; `kind` is the member that tells them apart."""

    kind: ClassVar[str] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Hello(Frame):
    """Runner to server, first frame. The direct-attach token is a secret.

    `process_id`, which only our runners send, is new with every process: by it the server knows one that was
    started again from one that has dialled again.
    """

    kind: ClassVar[str] = "hello"
    omit_null: ClassVar[tuple[str, ...]] = (
        "connection_id",
        "process_id",
        "direct_attach_port",
        "direct_attach_token",
    )

    runner_version: str
    frame_protocol_version: int
    harnesses: tuple[str, ...] = ()
    envs: tuple[str, ...] = ()
    telemetry_opt_out: bool = False
    capabilities: tuple[str, ...] = ()
    connection_id: str | None = None
    process_id: str | None = None
    direct_attach_port: int | None = None
    direct_attach_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request(Frame):
    """Server to runner: run this HTTP request in the runner. `stream` is only a hint."""

    kind: ClassVar[str] = "request"

    id_: str
    method: str
    path: str
    query_string: str = ""
    headers: Headers = ()
    body: str | None = None
    encoding: Encoding = "utf-8"
    stream: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseHead(Frame):
    """Runner to server: status and headers, once, before any body."""

    kind: ClassVar[str] = "response.head"

    id_: str
    status: int
    headers: Headers = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseBody(Frame):
    """Runner to server: an arbitrary slice of the body."""

    kind: ClassVar[str] = "response.body"

    id_: str
    body: str
    encoding: Encoding = "utf-8"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseEnd(Frame):
    """Runner to server: end of the response; `error` means that the body is truncated."""

    kind: ClassVar[str] = "response.end"
    omit_null: ClassVar[tuple[str, ...]] = ("error",)

    id_: str
    error: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestCancel(Frame):
    """Server to runner: nobody waits for this response any more."""

    kind: ClassVar[str] = "request.cancel"

    id_: str
    reason: str = "client_disconnected"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ping(Frame):
    """Server to runner or host, every 30 s; `ts` is epoch milliseconds."""

    kind: ClassVar[str] = "ping"

    ts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Pong(Frame):
    """The answer to a ping, with its `ts`."""

    kind: ClassVar[str] = "pong"

    ts: int


@dataclass(frozen=True, kw_only=True, slots=True)
class WsOpen(Frame):
    """Server to runner: open a tunnelled WebSocket."""

    kind: ClassVar[str] = "ws.open"

    ch_id: str
    path: str
    query_string: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class WsFrame(Frame):
    """Either way: a text message (utf-8) or a binary one (base64) of a tunnelled WebSocket."""

    kind: ClassVar[str] = "ws.frame"

    ch_id: str
    data: str
    encoding: Encoding = "utf-8"


@dataclass(frozen=True, kw_only=True, slots=True)
class WsClose(Frame):
    """Either way: a tunnelled WebSocket ends."""

    kind: ClassVar[str] = "ws.close"

    ch_id: str
    code: int = 1000
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class EventReady(Frame):
    """Server to runner: event batches are welcome on the tunnel."""

    kind: ClassVar[str] = "event.ready"


@dataclass(frozen=True, kw_only=True, slots=True)
class EventBatch(Frame):
    """Runner to server: events in order, each an object with a string `type`."""

    kind: ClassVar[str] = "event.batch"

    id_: str
    session_id: str
    events: tuple[dict[str, Any], ...]

    def __post_init__(self) -> None:
        if not self.events:
            raise FrameError("events: must not be empty")
        if not all(isinstance(event.get("type"), str) for event in self.events):
            raise FrameError("events: each must have a string type")


@dataclass(frozen=True, kw_only=True, slots=True)
class EventAck(Frame):
    """Server to runner: how many events of a batch were applied."""

    kind: ClassVar[str] = "event.ack"

    id_: str
    applied: int
    error: str | None = None
    retryable: bool = False

    def __post_init__(self) -> None:
        if self.applied < 0:
            raise FrameError("applied: must not be negative")


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamAck(Frame):
    """Server to runner: everything of this session's stream up to `id_` (`<stream>.<n>`) is committed."""

    kind: ClassVar[str] = "stream.ack"

    session_id: str
    id_: str


TABLE: Table[Frame] = Table(
    "kind",
    (
        Hello,
        Request,
        ResponseHead,
        ResponseBody,
        ResponseEnd,
        RequestCancel,
        Ping,
        Pong,
        WsOpen,
        WsFrame,
        WsClose,
        EventReady,
        EventBatch,
        EventAck,
        StreamAck,
    ),
    unknown=UnknownKind,
)


def parse(text: str | bytes) -> Frame:
    """The frame in a text message. Raises FrameError, for a kind it does not know UnknownKind."""
    return TABLE.parse(text)


def render(frame: Frame) -> str:
    """The text message of a frame. Raises FrameError when it holds what JSON cannot say."""
    return TABLE.encode(frame).decode()


def is_text(content_type: str) -> bool:
    """Whether bodies of this content type travel as text."""
    media = content_type.partition(";")[0].strip().lower()
    return (
        media.startswith("text/")
        or media.endswith("+json")
        or media in ("application/json", "application/jsonl", "application/x-ndjson", "application/ndjson")
    )


def encode_body(data: bytes, content_type: str) -> tuple[str, Encoding]:
    """A body, or a slice of one, for a frame. A slice that cuts a character travels as base64."""
    if is_text(content_type):
        try:
            return data.decode(), "utf-8"
        except UnicodeDecodeError:
            pass
    return base64.b64encode(data).decode("ascii"), "base64"


def decode_body(text: str, encoding: str) -> bytes:
    """The bytes of a frame's body. Raises FrameError for an unknown encoding or bad base64."""
    if encoding == "utf-8":
        return text.encode()
    if encoding != "base64":
        raise FrameError(f"unknown encoding {encoding[:40]!r}")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FrameError(f"bad base64: {error}") from None
