"""/v1/users and /v1/password."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from omnigent.accounts.models import User
from sessions_app.process import Process
from tests.accounts.people import (
    ORIGIN,
    PASSWORD,
    bearer,
    client_at,
    log_in,
    make_admin,
    make_person,
    token_for,
)
from tests.error_shape import assert_error, assert_invalid

pytestmark = pytest.mark.usefixtures("accounts")

NEW_PASSWORD = "quite another passphrase"


@pytest.fixture
async def admin(process: Process, http: httpx.AsyncClient) -> httpx.AsyncClient:
    """Ada with a token for administration."""
    http.headers.update(bearer(await process.pool.run(lambda: token_for(make_admin(), "admin"))))
    return http


async def test_users_are_listed_page_by_page_and_the_local_row_is_nobody(
    admin: httpx.AsyncClient, process: Process
) -> None:
    def build() -> None:
        for name in ("olga", "ines@example.org", "local"):
            make_person(name)

    await process.pool.run(build)

    whole = (await admin.get("/v1/users?order=asc")).json()
    assert [row["id"] for row in whole["data"]] == ["ada", "olga", "ines@example.org"]
    assert whole["data"][0] | {"created_at": 0} == {
        "id": "ada", "object": "user", "email": "", "is_active": True, "is_staff": True, "is_auditor": False,
        "has_password": True, "created_at": 0, "last_login_at": None,
    }  # fmt: skip
    seen: list[str] = []
    after = ""
    while True:
        page = (await admin.get("/v1/users", params={"limit": 1, "after": after})).json()
        seen += [row["id"] for row in page["data"]]
        assert len(page["data"]) <= 1
        after = page["last_id"]
        if not page["has_more"]:
            break
    assert seen == ["ines@example.org", "olga", "ada"]
    assert_error(await admin.get("/v1/users?after=local"), 400, "stale_cursor")
    assert_invalid(await admin.get("/v1/users?limit=0"), "query", "limit")


async def test_a_listing_takes_as_many_statements_for_two_as_for_forty(
    admin: httpx.AsyncClient, process: Process
) -> None:
    counts = []
    for number in (1, 40):

        def build(number: int = number) -> None:
            while User.objects.count() <= number:
                make_person(f"name{User.objects.count()}")

        await process.pool.run(build)
        counts.append(await statements(admin, process))
    assert counts[0] == counts[1] <= 3


async def statements(http: httpx.AsyncClient, process: Process) -> int:
    def begin() -> CaptureQueriesContext:
        captured = CaptureQueriesContext(connection)
        captured.__enter__()
        return captured

    captured = await process.pool.run(begin)
    assert (await http.get("/v1/users?limit=1000")).status_code == 200
    await process.pool.run(lambda: captured.__exit__(None, None, None))
    return len(captured)


async def test_an_administrator_locks_out_promotes_and_makes_auditors(
    admin: httpx.AsyncClient, app: Gate, process: Process
) -> None:
    await process.pool.run(make_person)
    async with client_at(app) as olga:
        await log_in(olga)

        locked = await admin.patch("/v1/users/olga", json={"is_active": False})
        assert locked.json()["is_active"] is False
        assert (await olga.get("/v1/me")).status_code == 401
        await admin.patch("/v1/users/olga", json={"is_active": True, "is_staff": True})
        assert (await olga.get("/v1/me")).json()["is_admin"] is True
        both = await admin.patch("/v1/users/olga", json={"is_auditor": True})
        assert_error(both, 400, "invalid_input", "An auditor cannot be an administrator too")
        changed = await admin.patch("/v1/users/olga", json={"is_auditor": True, "is_staff": False})
        assert (changed.json()["is_staff"], changed.json()["is_auditor"]) == (False, True)
        assert (await olga.get("/v1/me")).json()["is_admin"] is False
        assert (await admin.patch("/v1/users/olga", json={})).json() == changed.json()


async def test_nobody_changes_their_own_rights(admin: httpx.AsyncClient, process: Process) -> None:
    for body in ({"is_active": False}, {"is_staff": False}, {"is_auditor": True}):
        assert_error(await admin.patch("/v1/users/ada", json=body), 400, "invalid_input")

    assert (await process.pool.run(User.objects.get)).is_staff


async def test_two_administrators_cannot_lock_each_other_out_at_once(app: Gate, process: Process) -> None:
    headers = {
        name: bearer(await process.pool.run(lambda name=name: token_for(make_admin(name), "admin")))
        for name in ("ada", "bela")
    }

    async with client_at(app) as http:
        answers = await asyncio.gather(
            http.patch("/v1/users/bela", headers=headers["ada"], json={"is_active": False}),
            http.patch("/v1/users/ada", headers=headers["bela"], json={"is_active": False}),
        )

    assert sorted(answer.status_code for answer in answers) in ([200, 401], [200, 403])
    assert await process.pool.run(User.objects.filter(is_active=True, is_staff=True).count) == 1


@pytest.mark.parametrize(
    "body", [{"is_active": "yes"}, {"is_superuser": True}, {"username": "x"}, {"password": "x"}, [], None]
)
async def test_what_is_no_change_is_422(admin: httpx.AsyncClient, process: Process, body: Any) -> None:
    await process.pool.run(make_person)

    assert_invalid(await admin.patch("/v1/users/olga", json=body), "body")


@pytest.mark.parametrize("name", ["nobody", "local", "__public__", "%F0%9F%8E%88"])
async def test_who_does_not_exist_is_404(admin: httpx.AsyncClient, process: Process, name: str) -> None:
    await process.pool.run(lambda: make_person("local"))

    assert_error(await admin.patch(f"/v1/users/{name}", json={"is_active": False}), 404, "not_found")


@pytest.mark.parametrize("role", [{}, {"is_auditor": True}, {"is_staff": True}])
async def test_only_administrators_with_the_scope_see_people(
    http: httpx.AsyncClient, process: Process, role: Mapping[str, bool]
) -> None:
    secret = await process.pool.run(lambda: token_for(make_person(**role), "write"))
    await process.pool.run(make_admin)

    for method, path in (("GET", "/v1/users"), ("PATCH", "/v1/users/ada")):
        assert_error(await http.request(method, path), 401, "unauthorized")
        refused = await http.request(method, path, headers=bearer(secret), json={"is_active": False})
        assert_error(refused, 403, "forbidden")
        assert "ada" not in refused.text


async def test_a_person_changes_their_password(http: httpx.AsyncClient, app: Gate, process: Process) -> None:
    await process.pool.run(make_person)
    await log_in(http)
    async with client_at(app) as elsewhere:
        await log_in(elsewhere)
        body = {"password": PASSWORD, "new_password": NEW_PASSWORD}

        wrong = await http.put("/v1/password", json=body | {"password": "wrong"}, headers=ORIGIN)
        weak = await http.put("/v1/password", json=body | {"new_password": "olga"}, headers=ORIGIN)
        assert_error(wrong, 403, "forbidden")
        assert_error(weak, 400, "invalid_input")
        assert (await elsewhere.get("/v1/me")).status_code == 200
        assert (await http.put("/v1/password", json=body, headers=ORIGIN)).status_code == 204

        assert (await http.get("/v1/me")).status_code == 200
        assert (await elsewhere.get("/v1/me")).status_code == 401
        assert (await log_in(elsewhere, password=NEW_PASSWORD)).status_code == 200


async def test_guessing_the_present_password_is_throttled(
    http: httpx.AsyncClient, process: Process, accounts: Settings
) -> None:
    await process.pool.run(make_person)
    await log_in(http)
    accounts.OMNIGENT_LOGIN_ATTEMPTS = 2
    body = {"password": "wrong", "new_password": NEW_PASSWORD}
    for _ in range(2):
        assert_error(await http.put("/v1/password", json=body, headers=ORIGIN), 403, "forbidden")

    right = await http.put("/v1/password", json=body | {"password": PASSWORD}, headers=ORIGIN)

    assert_error(right, 429, "rate_limited")


async def test_neither_a_token_nor_a_foreign_page_changes_a_password(
    http: httpx.AsyncClient, process: Process
) -> None:
    secret = await process.pool.run(lambda: token_for(make_admin("olga"), "admin"))
    body = {"password": PASSWORD, "new_password": NEW_PASSWORD}

    assert_error(await http.put("/v1/password", json=body), 401, "unauthorized")
    assert_error(await http.put("/v1/password", json=body, headers=bearer(secret)), 403, "forbidden")
    await log_in(http)
    assert_error(await http.put("/v1/password", json=body), 403, "forbidden")
    person = await process.pool.run(User.objects.get)
    assert person.check_password(PASSWORD)


async def test_who_has_no_password_is_told(http: httpx.AsyncClient, process: Process) -> None:
    await process.pool.run(make_person)
    await log_in(http)

    def forget() -> None:
        # The login itself hangs on the stored value, so only its kind changes here.
        User.objects.update(password="!" + "x" * 40)

    await process.pool.run(forget)

    assert (await http.get("/v1/me")).status_code == 401


@pytest.mark.parametrize("mode", ["single-user", "header"])
async def test_elsewhere_there_are_no_users(http: httpx.AsyncClient, accounts: Settings, mode: str) -> None:
    accounts.OMNIGENT_AUTH_MODE = mode
    accounts.OMNIGENT_TRUSTED_PROXIES = ("127.0.0.1",)
    accounts.OMNIGENT_ADMINS = frozenset({"ada@example.org"})
    headers = {"X-Forwarded-Email": "ada@example.org"} if mode == "header" else {}

    assert_error(await http.get("/v1/users", headers=headers), 404, "not_found")
    assert_error(await http.put("/v1/password", headers=headers, json={}), 404, "not_found")
