"""Personal access tokens: minting, scopes, expiry, and the record of their use."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.core import serializers
from django.utils import timezone

from omnigent.accounts.gate import Gate
from omnigent.accounts.models import AccessToken, User
from omnigent.accounts.services import tokens
from sessions_app.models import Session
from sessions_app.process import Process
from tests.accounts.people import (
    ORIGIN,
    bearer,
    client_at,
    log_in,
    make_admin,
    make_person,
    token_for,
)
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_session
from tests.inputs.waiting import eventually

pytestmark = pytest.mark.usefixtures("accounts")


@pytest.fixture
async def olga(process: Process) -> User:
    return await process.pool.run(make_person)


@pytest.fixture
async def ada(process: Process) -> User:
    return await process.pool.run(make_admin)


@pytest.fixture
async def session(process: Process, olga: User) -> Session:
    return await process.pool.run(lambda: make_session(owner="olga"))


async def test_a_token_is_shown_once_and_stored_as_a_digest(
    http: httpx.AsyncClient, olga: User, process: Process
) -> None:
    await log_in(http)

    made = await http.post("/v1/tokens", json={"name": " laptop ", "scopes": ["write"]}, headers=ORIGIN)

    assert made.status_code == 201
    secret = made.json()["token"]
    assert secret.startswith("omni_pat_")
    assert len(secret) >= len("omni_pat_") + 43
    row = made.json()
    del row["token"]
    assert row | {"id": "", "created_at": 0} == {
        "id": "",
        "object": "access_token",
        "name": "laptop",
        "scopes": ["write"],
        "created_at": 0,
        "last_used_at": None,
        "expires_at": None,
    }
    listed = await http.get("/v1/tokens")
    assert listed.json() == {
        "object": "list",
        "data": [row],
        "first_id": row["id"],
        "last_id": row["id"],
        "has_more": False,
    }
    assert secret not in listed.text
    dump = await process.pool.run(lambda: serializers.serialize("json", AccessToken.objects.all()))
    assert secret not in dump
    assert secret.removeprefix("omni_pat_") not in dump
    assert listed.headers["cache-control"] == "no-store"


async def test_the_admin_shows_tokens_without_their_secrets(
    http: httpx.AsyncClient, ada: User, process: Process
) -> None:
    secret = await process.pool.run(token_for, ada, "read")
    token = await process.pool.run(AccessToken.objects.get)
    await log_in(http, "ada")

    page = await http.get(f"/admin/accounts/accesstoken/{token.pk}/change/")

    assert page.status_code == 200
    assert secret not in page.text
    assert token.digest not in page.text
    assert (await http.get("/admin/accounts/accesstoken/add/")).status_code == 403


async def test_a_revoked_token_opens_nothing(http: httpx.AsyncClient, olga: User, app: Gate) -> None:
    await log_in(http)
    made = (await http.post("/v1/tokens", json={"name": "x", "scopes": ["write"]}, headers=ORIGIN)).json()
    async with client_at(app, headers=bearer(made["token"])) as program:
        assert (await program.get("/v1/sessions")).status_code == 200

        gone = await http.delete(f"/v1/tokens/{made['id']}", headers=ORIGIN)

        assert gone.json() == {"id": made["id"], "object": "access_token.deleted", "deleted": True}
        assert_error(await program.get("/v1/sessions"), 401, "unauthorized")
    assert_error(await http.delete(f"/v1/tokens/{made['id']}", headers=ORIGIN), 404, "not_found")
    assert (await http.get("/v1/tokens")).json()["data"] == []


async def test_somebody_elses_token_is_not_there(
    http: httpx.AsyncClient, olga: User, ada: User, process: Process
) -> None:
    await process.pool.run(token_for, ada)
    token = await process.pool.run(AccessToken.objects.get)
    await log_in(http)

    assert_error(await http.delete(f"/v1/tokens/{token.public_id}", headers=ORIGIN), 404, "not_found")
    assert (await http.get("/v1/tokens")).json()["data"] == []
    assert await process.pool.run(AccessToken.objects.filter(revoked_at__isnull=True).exists)


async def test_an_expired_token_opens_nothing(http: httpx.AsyncClient, olga: User, process: Process) -> None:
    secret = await process.pool.run(lambda: token_for(olga, lifetime=timedelta(hours=1)))
    assert (await http.get("/v1/me", headers=bearer(secret))).status_code == 200

    await process.pool.run(lambda: AccessToken.objects.update(expires_at=timezone.now()))

    assert (await http.get("/v1/me", headers=bearer(secret))).status_code == 401


@pytest.mark.parametrize("change", [{"is_active": False}, None])
async def test_a_closed_accounts_tokens_open_nothing(
    http: httpx.AsyncClient, olga: User, process: Process, change: Any
) -> None:
    secret = await process.pool.run(token_for, olga)

    await process.pool.run(lambda: User.objects.update(**change) if change else olga.delete())

    assert (await http.get("/v1/me", headers=bearer(secret))).status_code == 401


@pytest.mark.parametrize(
    "shown", ["", "x", "omni_pat_", "omni_pat_\xff", "omni_run_", "omni_run_a:b:c", "omni_pat_" + "x" * 43]
)
async def test_what_is_no_token_is_nobodys(http: httpx.AsyncClient, olga: User, shown: str) -> None:
    headers = {"Authorization": f"Bearer {shown}".encode("latin-1")}

    assert_error(await http.get("/v1/sessions", headers=headers), 401, "unauthorized")


async def test_two_authorization_headers_are_not_chosen_from(
    http: httpx.AsyncClient, olga: User, process: Process
) -> None:
    secret = await process.pool.run(token_for, olga)
    both = [("Authorization", f"Bearer {secret}"), ("Authorization", "Bearer other")]

    assert (await http.get("/v1/me", headers=both)).status_code == 401


READ, WRITE, HOST, ADMIN = "read", "write", "host", "admin"
SCOPES = {
    # route: what a token of this one scope gets
    ("GET", "/v1/me"): {READ: 200, WRITE: 200, HOST: 200, ADMIN: 200},
    ("GET", "/v1/sessions"): {READ: 200, WRITE: 200, HOST: 403, ADMIN: 200},
    ("GET", "/v1/sessions/{session}"): {READ: 200, WRITE: 200, HOST: 403, ADMIN: 200},
    ("GET", "/v1/agents"): {READ: 200, WRITE: 200, HOST: 403, ADMIN: 200},
    ("GET", "/v1/hosts"): {READ: 200, WRITE: 200, HOST: 200, ADMIN: 200},
    ("PATCH", "/v1/sessions/{session}"): {READ: 403, WRITE: 200, HOST: 403, ADMIN: 200},
    ("POST", "/v1/sessions/{session}/events"): {READ: 403, WRITE: 422, HOST: 403, ADMIN: 422},
    ("DELETE", "/v1/sessions/{session}"): {READ: 403, WRITE: 200, HOST: 403, ADMIN: 200},
    ("GET", "/v1/tokens"): {READ: 200, WRITE: 200, HOST: 403, ADMIN: 200},
    ("POST", "/v1/tokens"): {READ: 403, WRITE: 403, HOST: 403, ADMIN: 201},
    ("DELETE", "/v1/tokens/tok_1"): {READ: 403, WRITE: 403, HOST: 403, ADMIN: 404},
    ("GET", "/v1/invitations"): {READ: 403, WRITE: 403, HOST: 403, ADMIN: 200},
    ("POST", "/v1/invitations"): {READ: 403, WRITE: 403, HOST: 403, ADMIN: 201},
    ("GET", "/admin/"): {READ: 302, WRITE: 302, HOST: 403, ADMIN: 302},
    ("GET", "/"): {READ: 200, WRITE: 200, HOST: 403, ADMIN: 200},
    ("GET", "/v1/info"): {READ: 200, WRITE: 200, HOST: 200, ADMIN: 200},
}
BODIES: dict[tuple[str, str], Any] = {
    ("PATCH", "/v1/sessions/{session}"): {"title": "t"},
    ("POST", "/v1/sessions/{session}/events"): {},
    ("POST", "/v1/tokens"): {"name": "n", "scopes": ["read"]},
    ("POST", "/v1/invitations"): {},
}


@pytest.mark.parametrize("route", SCOPES, ids=" ".join)
async def test_a_scope_reaches_as_far_as_its_name(
    http: httpx.AsyncClient, ada: User, process: Process, route: tuple[str, str]
) -> None:
    method, path = route
    for scope, expected in SCOPES[route].items():
        session = await process.pool.run(lambda: make_session(owner="ada"))
        secret = await process.pool.run(token_for, ada, scope)

        answer = await http.request(
            method,
            path.format(session=session.public_id),
            headers=bearer(secret),
            **({"json": BODIES[route]} if route in BODIES else {}),
        )

        assert answer.status_code == expected, (scope, answer.text)


async def test_a_token_without_the_admin_scope_is_no_administrators(
    http: httpx.AsyncClient, ada: User, session: Session, process: Process
) -> None:
    write = await process.pool.run(token_for, ada, "write")
    admin = await process.pool.run(token_for, ada, "admin")
    path = f"/v1/sessions/{session.public_id}"

    assert (await http.get("/v1/me", headers=bearer(write))).json()["is_admin"] is False
    assert_error(await http.get(path, headers=bearer(write)), 404, "not_found", "Session not found")
    assert (await http.get("/v1/me", headers=bearer(admin))).json()["is_admin"] is True
    assert (await http.get(path, headers=bearer(admin))).status_code == 200


async def test_nobody_gives_what_they_do_not_have(
    http: httpx.AsyncClient, olga: User, ada: User, process: Process
) -> None:
    await log_in(http)
    refused = await http.post("/v1/tokens", json={"name": "n", "scopes": ["admin"]}, headers=ORIGIN)
    assert_error(refused, 403, "forbidden", "You cannot give what you do not have: admin")

    secret = await process.pool.run(token_for, ada, "admin")
    await process.pool.run(lambda: User.objects.filter(username="ada").update(is_staff=False))
    demoted = await http.post(
        "/v1/tokens", json={"name": "n", "scopes": ["write"]}, headers={**bearer(secret), "Cookie": ""}
    )
    assert_error(demoted, 403, "forbidden")
    assert await process.pool.run(AccessToken.objects.count) == 1


@pytest.mark.parametrize(
    ("body", "loc"),
    [
        ({}, ("body", "name")),
        ({"name": "", "scopes": ["read"]}, ("body", "name")),
        ({"name": "  ", "scopes": ["read"]}, ("body", "name")),
        ({"name": "n" * 101, "scopes": ["read"]}, ("body", "name")),
        ({"name": "n", "scopes": []}, ("body", "scopes")),
        ({"name": "n", "scopes": "read"}, ("body", "scopes")),
        ({"name": "n", "scopes": ["root"]}, ("body", "scopes", 0)),
        ({"name": "n", "scopes": ["read"], "expires_in": 0}, ("body", "expires_in")),
        ({"name": "n", "scopes": ["read"], "expires_in": 10**12}, ("body", "expires_in")),
        ({"name": "n", "scopes": ["read"], "expires_in": "1"}, ("body", "expires_in")),
        ({"name": "n", "scopes": ["read"], "expires": 5}, ("body", "expires")),
    ],
)
async def test_what_is_no_token_request_is_422(
    http: httpx.AsyncClient, olga: User, body: Any, loc: tuple[str | int, ...]
) -> None:
    await log_in(http)

    assert_invalid(await http.post("/v1/tokens", json=body, headers=ORIGIN), *loc)


async def test_tokens_are_limited_in_number_also_for_a_burst(
    http: httpx.AsyncClient, olga: User, process: Process
) -> None:
    await log_in(http)
    for _ in range(tokens.MAX_TOKENS - 2):
        await process.pool.run(token_for, olga)

    body = {"name": "n", "scopes": ["read"]}
    answers = await asyncio.gather(*(http.post("/v1/tokens", json=body, headers=ORIGIN) for _ in range(6)))

    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409, 409]


async def test_use_is_noted_once_a_minute_beside_the_request(
    http: httpx.AsyncClient, olga: User, process: Process
) -> None:
    secret = await process.pool.run(token_for, olga)

    def used() -> Any:
        return AccessToken.objects.values_list("last_used_at", flat=True).get()

    assert await process.pool.run(used) is None
    await http.get("/v1/me", headers=bearer(secret))
    await eventually(lambda: process.pool.run(lambda: used() is not None), "the use is noted")
    first = await process.pool.run(used)

    await http.get("/v1/me", headers=bearer(secret))
    assert await process.pool.run(used) == first

    await process.pool.run(lambda: AccessToken.objects.update(last_used_at=first - timedelta(seconds=61)))
    await http.get("/v1/me", headers=bearer(secret))
    await eventually(lambda: process.pool.run(lambda: used() > first), "the use is noted again")


async def test_in_single_user_mode_there_are_none(
    http: httpx.AsyncClient, accounts: Any, process: Process
) -> None:
    accounts.OMNIGENT_AUTH_MODE = "single-user"

    assert (await http.get("/v1/tokens")).json()["data"] == []
    refused = await http.post("/v1/tokens", json={"name": "n", "scopes": ["read"]})
    assert_error(refused, 400, "invalid_input", "Access tokens are not used in single-user mode")
