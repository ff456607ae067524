"""The one-hop handler, driven in process; what needs a real client stands in test_servers.py."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.core.signals import request_finished, request_started

from omnigent.accounts.gate import Gate
from omnigent.api.asgi import Application
from omnigent.api.handler import PooledHandler
from omnigent.api.pool import DatabasePool
from tests.api_plumbing import views
from tests.api_plumbing.asgi_client import call, http_scope

pytestmark = pytest.mark.urls("tests.api_plumbing.views")
MIB = 1024 * 1024
MULTIPART = "multipart/form-data; boundary=x"


@pytest.fixture
def app(pool: DatabasePool) -> Application:
    return Gate(PooledHandler(pool))


def multipart(size: int) -> bytes:
    head = b'--x\r\nContent-Disposition: form-data; name="bundle"; filename="b"\r\n\r\n'
    return head + b"u" * size + b"\r\n--x--\r\n"


async def test_a_view_runs_on_a_pool_thread_with_its_database(app: Application) -> None:
    reply = await call(app, "GET", "/v1/users")

    assert reply.status == 200
    assert reply.json["users"] == 0
    assert reply.json["thread"].startswith("database-")
    assert reply.headers["content-length"] == str(len(reply.body))


async def test_method_query_body_and_cookies_pass_through(app: Application) -> None:
    reply = await call(app, "PUT", "/v1/echo?a=1&b=%C3%BC", b"\x00\xffbody")

    assert reply.body == b"\x00\xffbody"
    assert reply.headers["x-method"] == "PUT"
    assert reply.headers["x-query"] == "a=1&b=%C3%BC"
    cookies = [value for name, value in reply.messages[0]["headers"] if name == b"set-cookie"]
    assert [cookie.split(b";")[0] for cookie in cookies] == [b"one=1", b"two=2"]


@pytest.mark.parametrize("parts", [[b"a", b"b", b"", b"c"], [b"x" * MIB, b"y" * MIB, b"z"], [b"", b""]])
async def test_a_body_in_parts_arrives_whole(app: Application, parts: list[bytes]) -> None:
    assert (await call(app, "POST", "/v1/echo", parts)).body == b"".join(parts)


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("path", ["/v1/echo", "/v1/nothing/here"])
async def test_a_body_over_the_cap_is_400_with_a_string_detail(
    app: Application, path: str, declared: bool
) -> None:
    body = [b"x" * MIB] * 11
    headers = {"content-length": str(11 * MIB)} if declared else {}

    reply = await call(app, "POST", path, body, headers)

    assert reply.status == 400
    assert isinstance(reply.json["detail"], str)
    assert reply.json["error"]["code"] == "invalid_input"


async def test_a_body_of_exactly_the_cap_is_taken(app: Application) -> None:
    assert len((await call(app, "POST", "/v1/echo", [b"x" * MIB] * 10)).body) == 10 * MIB


async def test_an_upload_may_be_larger_than_json(app: Application) -> None:
    reply = await call(app, "POST", "/v1/upload", multipart(12 * MIB), {"content-type": MULTIPART})

    assert reply.json == {"bundle": 12 * MIB}


async def test_a_body_that_stops_arriving_is_given_up(app: Application, settings: Any) -> None:
    settings.OMNIGENT_BODY_SECONDS = 0.1
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    incoming.put_nowait({"type": "http.request", "body": b"half", "more_body": True})
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await asyncio.wait_for(app(http_scope("POST", "/v1/echo", {}), incoming.get, send), 30)

    assert sent[0]["status"] == 408


async def test_a_client_that_leaves_while_sending_reaches_no_view(app: Application) -> None:
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    incoming.put_nowait({"type": "http.request", "body": b"half", "more_body": True})
    incoming.put_nowait({"type": "http.disconnect"})
    sent: list[Any] = []
    started: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    def on_start(**kwargs: Any) -> None:
        started.append(kwargs)

    request_started.connect(on_start)
    try:
        await asyncio.wait_for(app(http_scope("POST", "/v1/echo", {}), incoming.get, send), 30)
    finally:
        request_started.disconnect(on_start)

    assert sent == started == []


@pytest.fixture
def signals() -> Iterator[list[str]]:
    seen: list[str] = []

    def started(**kwargs: Any) -> None:
        seen.append(f"started {threading.current_thread().name.split('-')[0]}")

    def finished(**kwargs: Any) -> None:
        seen.append(f"finished {threading.current_thread().name.split('-')[0]}")

    request_started.connect(started)
    request_finished.connect(finished)
    yield seen
    request_started.disconnect(started)
    request_finished.disconnect(finished)


@pytest.mark.parametrize("path", ["/hello", "/ticking", "/download", "/v1/failing", "/nothing/here/x"])
async def test_signals_frame_every_request_once(app: Application, signals: list[str], path: str) -> None:
    if path.startswith("/nothing"):
        path = "/v1" + path
    await call(app, "GET", path)

    assert signals == ["started database", "finished database"]


async def test_an_exception_is_the_500_envelope_and_nothing_more(app: Application) -> None:
    reply = await call(app, "GET", "/v1/failing")

    assert reply.status == 500
    assert reply.json == {"error": {"code": "internal_error", "message": "An internal error occurred."}}


async def test_an_omnigent_error_carries_detail_and_headers(app: Application) -> None:
    reply = await call(app, "GET", "/v1/refusing")

    assert reply.status == 409
    assert reply.json == {"error": {"code": "conflict", "message": "busy"}, "detail": "later"}
    assert reply.headers["retry-after"] == "3"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/unknown"),
        ("GET", "/v1"),
        ("GET", "/v1/"),
        ("PUT", "/v1/notes"),
        ("GET", "/v1/missing"),
        ("POST", "/api/x"),
    ],
)
async def test_unknown_paths_and_methods_are_404_in_json(app: Application, method: str, path: str) -> None:
    reply = await call(app, method, path)

    assert reply.status == 404
    assert reply.json == {"error": {"code": "not_found", "message": "Not found"}}


@pytest.mark.parametrize("query", ["a=\xff", "\xed\xa0\x80"])
async def test_a_query_that_is_no_text_is_400(app: Application, query: str) -> None:
    reply = await call(app, "GET", f"/hello?{query}")

    assert reply.status == 400
    assert reply.json["error"]["code"] == "invalid_input"


async def test_bad_json_reaches_the_client_as_a_422_list(app: Application) -> None:
    reply = await call(app, "POST", "/v1/notes", b'{"title":', {"content-type": "application/json"})

    assert reply.status == 422
    assert reply.json["detail"][0]["type"] == "json_invalid"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/hello"),
        ("PUT", "/v1/echo?a=1"),
        ("GET", "/download"),
        ("GET", "/ticking"),
        ("GET", "/c/conv_1"),
        ("GET", "/v1/refusing"),
        ("GET", "/v1/failing"),
        ("GET", "/v1/unknown"),
        ("POST", "/v1/notes"),
        ("GET", "/v1/me"),
    ],
)
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
async def test_answers_are_those_of_djangos_own_handler(app: Application, method: str, path: str) -> None:
    ours = await call(app, method, path, b"{}")
    stock = await call(Gate(ASGIHandler()), method, path, b"{}")

    assert (ours.status, ours.body) == (stock.status, stock.body)
    assert {**ours.headers, "content-length": ""} == {
        **{name.lower(): value for name, value in stock.headers.items()},
        "content-length": "",
    }


async def test_a_file_is_streamed_whole(app: Application) -> None:
    reply = await call(app, "GET", "/download")

    assert reply.body == Path(views.__file__).read_bytes()
    assert "attachment" in reply.headers["content-disposition"]


async def test_an_asynchronous_stream_is_sent_part_by_part(app: Application) -> None:
    reply = await call(app, "GET", "/ticking")

    assert [message.get("body") for message in reply.messages[1:]] == [
        b"tick 0\n",
        b"tick 1\n",
        b"tick 2\n",
        b"",
    ]


async def test_a_stream_that_breaks_off_does_not_end_well(app: Application) -> None:
    sent: list[Any] = []
    incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    incoming.put_nowait({"type": "http.request", "body": b"", "more_body": False})

    async def send(message: Any) -> None:
        sent.append(message)

    with pytest.raises(RuntimeError, match="broke off"):
        await asyncio.wait_for(app(http_scope("GET", "/breaking", {}), incoming.get, send), 30)

    assert sent[-1] == {"type": "http.response.body", "body": b"first", "more_body": True}


async def test_a_view_cannot_leave_its_language_or_transaction_behind(app: Application) -> None:
    for _ in range(3):
        await call(app, "GET", "/v1/leaking")

    replies = [await call(app, "GET", "/v1/language") for _ in range(4)]

    assert {reply.body for reply in replies} == {b"en True"}


async def test_the_caller_is_known_to_views(app: Application) -> None:
    user = await call(app, "GET", "/v1/whoami")
    runner = await call(app, "GET", "/v1/whoami", headers={"x-omnigent-runner-tunnel-token": "t"})

    assert user.json == {"user": "local", "runner": None}
    assert runner.json["runner"].startswith("runner_token_")


async def test_a_runner_is_no_administrator(app: Application) -> None:
    runner = {"x-omnigent-runner-tunnel-token": "t"}

    assert (await call(app, "POST", "/v1/operators")).status == 200
    assert (await call(app, "GET", "/v1/operators", headers=runner)).status == 200
    refused = await call(app, "POST", "/v1/operators", headers=runner)
    assert refused.status == 403
    assert refused.json["error"]["code"] == "forbidden"
