"""A login cookie alone neither writes nor opens a socket: a foreign page could make a browser send it."""

from typing import Any

import httpx
import pytest

from omnigent.accounts.gate import Gate
from omnigent.accounts.models import User
from sessions_app.models import Session
from sessions_app.process import Process
from tests.accounts.people import BASE, ORIGIN, bearer, log_in, make_person, token_for
from tests.api_plumbing.asgi_client import Socket
from tests.error_shape import assert_error
from tests.factories import make_session

SENTINEL = {"Origin": "omnigent://internal"}
ROUTES = [
    ("POST", "/v1/sessions"),
    ("PATCH", "/v1/sessions/{session}"),
    ("DELETE", "/v1/sessions/{session}"),
    ("POST", "/v1/sessions/{session}/events"),
    ("POST", "/v1/sessions/{session}/mcp"),
    ("POST", "/v1/tokens"),
    ("DELETE", "/v1/tokens/tok_1"),
    ("POST", "/v1/logout"),
    ("POST", "/new"),
    ("POST", "/c/{session}/messages"),
    ("POST", "/v1/unknown"),
]

pytestmark = pytest.mark.usefixtures("accounts")


@pytest.fixture
async def olga(process: Process) -> User:
    return await process.pool.run(make_person)


@pytest.fixture
async def session(process: Process, olga: User) -> Session:
    return await process.pool.run(lambda: make_session(owner="olga"))


@pytest.mark.parametrize(
    "headers", [{}, SENTINEL, {"X-CSRFToken": "x" * 32}], ids=["bare", "sentinel", "wrong"]
)
@pytest.mark.parametrize(("method", "path"), ROUTES)
async def test_a_cookie_alone_writes_nowhere(
    http: httpx.AsyncClient, session: Session, process: Process, method: str, path: str, headers: Any
) -> None:
    await log_in(http)

    refused = await http.request(method, path.format(session=session.public_id), headers=headers)

    assert_error(refused, 403, "forbidden")
    assert await process.pool.run(Session.objects.filter(pk=session.pk).exists)
    assert (await http.get("/v1/me")).status_code == 200


@pytest.mark.parametrize("path", ["/v1/sessions/{session}", "/v1/tokens/tok_1"])
async def test_a_foreign_page_is_refused_before_anything_is_read(
    http: httpx.AsyncClient, session: Session, path: str
) -> None:
    await log_in(http)

    for origin in ("https://evil.example", "null", "http://127.0.0.1:6768"):
        refused = await http.delete(path.format(session=session.public_id), headers={"Origin": origin})
        assert_error(refused, 403, "forbidden", "Origin not allowed")


@pytest.mark.parametrize("way", ["origin", "token"])
async def test_our_own_pages_and_programs_with_the_token_write(
    http: httpx.AsyncClient, session: Session, way: str
) -> None:
    await log_in(http)
    headers = ORIGIN if way == "origin" else {"X-CSRFToken": http.cookies["csrftoken"]}

    changed = await http.patch(f"/v1/sessions/{session.public_id}", json={"title": "new"}, headers=headers)
    minted = await http.post("/v1/tokens", json={"name": "ci", "scopes": ["read"]}, headers=headers)

    assert (changed.status_code, minted.status_code) == (200, 201)


async def test_a_page_form_needs_its_own_token_as_well(http: httpx.AsyncClient, session: Session) -> None:
    await log_in(http)
    form = {"text": "hello", "key": "k"}

    without = await http.post(f"/c/{session.public_id}/interrupt", data=form, headers=ORIGIN)
    form["csrfmiddlewaretoken"] = http.cookies["csrftoken"]
    with_it = await http.post(f"/c/{session.public_id}/interrupt", data=form, headers=ORIGIN)

    assert (without.status_code, with_it.status_code) == (403, 302)


async def test_reading_by_cookie_needs_no_more(http: httpx.AsyncClient, session: Session) -> None:
    await log_in(http)

    assert (await http.get(f"/v1/sessions/{session.public_id}")).status_code == 200
    assert (await http.head(f"/v1/sessions/{session.public_id}/items")).status_code in (200, 404)


async def test_a_bearer_writes_without_origin_or_token(
    http: httpx.AsyncClient, session: Session, process: Process, olga: User
) -> None:
    secret = await process.pool.run(token_for, olga)

    for headers in ({}, SENTINEL, ORIGIN):
        answer = await http.patch(
            f"/v1/sessions/{session.public_id}", json={"title": "t"}, headers={**bearer(secret), **headers}
        )
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("credential", "origin", "expected"),
    [
        ("cookie", BASE, "accepted"),
        ("cookie", None, 403),
        ("cookie", "omnigent://internal", 403),
        ("cookie", "https://evil.example", 403),
        ("bearer", None, "accepted"),
        ("bearer", "omnigent://internal", "accepted"),
        ("bearer", "https://evil.example", 403),
        ("query", BASE, "accepted"),
        ("query", "https://evil.example", 403),
        ("wrong bearer", "omnigent://internal", 401),
        ("none", BASE, 401),
        ("none", None, 401),
    ],
)
async def test_handshakes(
    http: httpx.AsyncClient,
    app: Gate,
    process: Process,
    olga: User,
    credential: str,
    origin: str | None,
    expected: int | str,
) -> None:
    secret = await process.pool.run(token_for, olga)
    await log_in(http)
    headers = {} if origin is None else {"Origin": origin}
    path = f"/v1/hosts/{'a' * 32}/tunnel"
    match credential:
        case "cookie":
            headers["Cookie"] = f"ap_session={http.cookies['ap_session']}"
        case "bearer":
            headers |= bearer(secret)
        case "wrong bearer":
            headers |= bearer(secret + "x")
        case "query":
            path += f"?token={secret}"

    async with Socket(app, path, headers=headers) as socket:
        first = await socket.next()

    if expected == "accepted":
        assert first["type"] == "websocket.accept"
    else:
        assert (first["type"], first["status"]) == ("websocket.http.response.start", expected)


async def test_a_token_in_the_query_of_a_request_is_not_looked_at(
    http: httpx.AsyncClient, process: Process, olga: User
) -> None:
    secret = await process.pool.run(token_for, olga)

    assert (await http.get(f"/v1/sessions?token={secret}")).status_code == 401
