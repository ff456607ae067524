"""Foreign `Host` and foreign `Origin`, in tables and through the gate."""

from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from omnigent.accounts.host_guard import check_host_and_origin
from omnigent.api.asgi import Receive, Scope, Send, send_json
from omnigent.errors import OmnigentError
from tests.api_plumbing.asgi_client import Socket, call

OWN = "127.0.0.1:6767"


def verdict(host: str | None, origin: str | None = None) -> int:
    headers = [] if host is None else [(b"host", host.encode("latin-1"))]
    if origin is not None:
        headers.append((b"origin", origin.encode("latin-1")))
    try:
        check_host_and_origin({"headers": headers})
    except OmnigentError as exc:
        return exc.status
    return 200


@pytest.mark.parametrize("host", [OWN, "127.0.0.1", "localhost:1", "LOCALHOST", "[::1]:6767", "localhost."])
def test_loopback_names_are_allowed_with_any_port(host: str) -> None:
    assert verdict(host) == 200


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:6767",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "localhost@evil.example",
        "localhost:x",
        "a b",
        "0.0.0.0:6767",
        "*",
        "\xff",
    ],
)
def test_any_other_host_is_refused(host: str | None) -> None:
    assert verdict(host) == 400


@pytest.mark.parametrize(
    ("host", "origin"),
    [
        (OWN, "http://127.0.0.1:6767"),
        (OWN, "https://127.0.0.1:6767"),
        (OWN, "omnigent://internal"),
        ("localhost", "http://localhost"),
        ("localhost", "http://localhost:80"),
        ("localhost:443", "https://localhost"),
        ("LocalHost:6767", "http://localhost:6767"),
        ("[::1]:6767", "http://[::1]:6767"),
        (OWN, "https://trusted.example"),
    ],
)
def test_own_internal_and_trusted_origins_are_permitted(settings: Any, host: str, origin: str) -> None:
    settings.TRUSTED_ORIGINS = ("https://trusted.example",)

    assert verdict(host, origin) == 200


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "https://evil.example",
        "http://127.0.0.1:6768",
        "http://127.0.0.1",
        "http://localhost:6767",
        "http://127.0.0.1:6767/",
        "http://127.0.0.1:6767@evil.example",
        "http://user@127.0.0.1:6767",
        "ftp://127.0.0.1:6767",
        "omnigent://internal.evil.example",
        "omnigent://internal/",
        "https://trusted.example.evil.example",
        "http://[",
        "file://",
    ],
)
def test_any_other_origin_is_refused(settings: Any, origin: str) -> None:
    settings.TRUSTED_ORIGINS = ("https://trusted.example",)

    assert verdict(OWN, origin) == 403


@pytest.mark.parametrize("name", [b"host", b"origin"])
def test_a_repeated_header_is_refused(name: bytes) -> None:
    headers = [(b"host", OWN.encode()), (b"origin", b"omnigent://internal")]
    headers += [each for each in headers if each[0] == name]

    with pytest.raises(OmnigentError):
        check_host_and_origin({"headers": headers})


async def behind(scope: Scope, receive: Receive, send: Send) -> None:
    principal = scope["principal"]
    await send_json(send, 200, {"user": principal and principal.user_id})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "omnigent://internal"}, 200),
        ({"host": "evil.example"}, 400),
        ({"origin": "https://evil.example"}, 403),
        ({"x-forwarded-for": "127.0.0.1"}, 403),
    ],
)
async def test_the_gate_answers_http_with_the_error_envelope(headers: dict[str, str], status: int) -> None:
    reply = await call(Gate(behind), "GET", "/v1/sessions", headers=headers)

    assert reply.status == status
    assert ("error" in reply.json) == (status != 200)


async def test_a_foreign_peer_is_refused() -> None:
    reply = await call(Gate(behind), "GET", "/v1/sessions", client=("192.0.2.1", 5))

    assert reply.status == 403
    assert reply.json["error"]["code"] == "forbidden"


async def test_health_needs_no_identity_but_an_allowed_host() -> None:
    assert (await call(Gate(behind), "GET", "/health", headers={"x-forwarded-for": "10.0.0.1"})).status == 200
    assert (await call(Gate(behind), "GET", "/health", headers={"host": "evil.example"})).status == 400


async def test_nul_characters_get_no_further_than_the_gate() -> None:
    assert (await call(Gate(behind), "GET", "/v1/sessions/a\0b")).status == 404
    refused = await call(Gate(behind), "GET", "/v1/sessions?search_query=a%00b")
    assert refused.status == 422
    assert refused.json["detail"][0]["loc"] == ["query", "search_query"]


@pytest.mark.parametrize(
    "headers", [{"host": "evil.example"}, {"origin": "https://evil.example"}, {"x-real-ip": "127.0.0.1"}]
)
@pytest.mark.parametrize("denial", [True, False])
async def test_the_gate_refuses_a_handshake(headers: dict[str, str], denial: bool) -> None:
    async with Socket(Gate(behind), "/v1/runners/r/tunnel", headers=headers, denial=denial) as socket:
        first = await socket.next()

    if denial:
        assert first["type"] == "websocket.http.response.start"
        assert first["status"] in (400, 403)
    else:
        assert first["type"] == "websocket.close"
