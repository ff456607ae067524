"""The ASGI vocabulary of the project: types, header access, and answering on a scope without a framework."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping
from typing import Any

import orjson

from omnigent.api.errors import error_body

# What an ASGI server hands over is JSON-like and open-ended by specification.
Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
Headers = Iterable[tuple[bytes, bytes]]

JSON_HEADERS = (
    (b"content-type", b"application/json"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
DENIAL_EXTENSION = "websocket.http.response"


def header_values(scope: Scope, name: bytes) -> list[bytes]:
    """Every value of a header; `name` in lower case, as servers deliver it."""
    return [value for key, value in scope["headers"] if key == name]


def encode_headers(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("ascii"), value.encode("latin-1")) for name, value in headers.items()]


async def send_json(
    send: Send,
    status: int,
    body: object,
    headers: Headers = (),
    *,
    prefix: str = "http.response",
) -> None:
    """One whole JSON response; `body` may be bytes that are JSON already."""
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    length = (b"content-length", str(len(content)).encode())
    await send({"type": f"{prefix}.start", "status": status, "headers": [*JSON_HEADERS, length, *headers]})
    await send({"type": f"{prefix}.body", "body": content, "more_body": False})


async def send_error(send: Send, exc: BaseException, *, prefix: str = "http.response") -> None:
    status, body, headers = error_body(exc)
    await send_json(send, status, body, encode_headers(headers), prefix=prefix)


async def refuse(scope: Scope, receive: Receive, send: Send, exc: BaseException) -> None:
    """Answer an HTTP request or a WebSocket handshake that nobody has looked at yet with an error."""
    if scope["type"] == "http":
        await send_error(send, exc)
    else:
        await receive()
        await deny(scope, send, exc)


async def deny(scope: Scope, send: Send, exc: BaseException) -> None:
    """Refuse a WebSocket handshake whose `websocket.connect` was read.

    Servers without the denial extension turn a close before acceptance into a bare 403.
    """
    if DENIAL_EXTENSION in (scope.get("extensions") or {}):
        await send_error(send, exc, prefix=DENIAL_EXTENSION)
    else:
        await send({"type": "websocket.close", "code": 1008})
