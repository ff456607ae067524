"""Mode `accounts`: logging in, staying logged in, and logging out."""

import asyncio
from typing import Any

import httpx
import pytest
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from omnigent.accounts.models import LoginSession, LoginThrottle, User
from sessions_app.process import Process
from tests.accounts.hashers import Counting
from tests.accounts.people import BASE, ORIGIN, PASSWORD, client_at, log_in, make_admin, make_person
from tests.error_shape import assert_error, assert_invalid

pytestmark = pytest.mark.usefixtures("accounts")


@pytest.fixture
async def olga(process: Process) -> User:
    return await process.pool.run(make_person)


async def test_a_login_gives_a_cookie_that_no_script_can_read(http: httpx.AsyncClient, olga: User) -> None:
    answer = await log_in(http)

    assert answer.json() == {"user_id": "olga", "is_admin": False, "expires_in": 8 * 3600}
    cookie = next(each for each in answer.headers.get_list("set-cookie") if each.startswith("ap_session="))
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert answer.headers["cache-control"] == "no-store"
    assert (await http.get("/v1/me")).json() == {"user_id": "olga", "is_admin": False}
    assert (await http.get("/v1/sessions")).status_code == 200


async def test_a_logout_ends_it_on_the_server_too(http: httpx.AsyncClient, olga: User, app: Gate) -> None:
    await log_in(http)
    stolen = dict(http.cookies)

    assert (await http.post("/v1/logout", headers=ORIGIN)).status_code == 204

    async with client_at(app, cookies=stolen) as thief:
        assert_error(await thief.get("/v1/sessions"), 401, "unauthorized")


async def test_an_unknown_name_a_wrong_password_and_a_closed_account_answer_alike(
    http: httpx.AsyncClient, olga: User, process: Process
) -> None:
    await process.pool.run(make_person, "gone", is_active=False)

    answers = [
        await log_in(http, "nobody"),
        await log_in(http, "olga", "wrong"),
        await log_in(http, "gone"),
        await log_in(http, "local", "wrong"),
    ]

    assert len({answer.content for answer in answers}) == 1
    assert_error(answers[0], 401, "unauthorized", "Wrong username or password")
    assert all("set-cookie" not in answer.headers for answer in answers)


async def test_an_unknown_name_costs_a_password_hash_as_a_known_one_does(
    accounts: Settings, process: Process, olga: User, http: httpx.AsyncClient
) -> None:
    accounts.PASSWORD_HASHERS = ["tests.accounts.hashers.Counting"]
    await process.pool.run(make_person, "vera")

    Counting.calls = 0
    await log_in(http, "vera", "wrong")
    known, Counting.calls = Counting.calls, 0
    await log_in(http, "nobody", "wrong")

    assert Counting.calls == known == 1


@pytest.mark.parametrize(
    "body",
    [
        {"username": "olga"},
        {"username": "olga", "password": 1},
        {"username": "olga", "password": ""},
        {"username": "olga", "password": "x" * 1025},
        {"username": "x" * 151, "password": "x"},
        {"username": "olga", "password": "x", "remember": True},
        {"username": "o\0", "password": "x"},
        [],
        None,
    ],
)
async def test_what_is_no_login_is_422(http: httpx.AsyncClient, body: object) -> None:
    assert_invalid(await http.post("/v1/login", json=body), "body")


async def test_a_changed_password_ends_every_login(
    http: httpx.AsyncClient, olga: User, process: Process
) -> None:
    await log_in(http)
    assert (await http.get("/v1/me")).status_code == 200

    def change() -> None:
        olga.set_password("another fine passphrase")
        olga.save()

    await process.pool.run(change)

    assert (await http.get("/v1/me")).status_code == 401


@pytest.mark.parametrize("change", [{"is_active": False}, {"username": "local"}])
async def test_a_closed_account_is_out_at_once(
    http: httpx.AsyncClient, olga: User, process: Process, change: dict[str, Any]
) -> None:
    await log_in(http)

    await process.pool.run(lambda: User.objects.update(**change))

    assert (await http.get("/v1/me")).status_code == 401


async def test_an_expired_or_forged_cookie_is_nobodys(
    http: httpx.AsyncClient, olga: User, process: Process
) -> None:
    await log_in(http)
    key = http.cookies["ap_session"]
    await process.pool.run(lambda: LoginSession.objects.update(session_data="forged"))
    assert (await http.get("/v1/me")).status_code == 401

    for cookie in ("", "x", key + "x", f"{key}; ap_session={key}", "é"):
        answer = await http.get("/v1/sessions", headers={"Cookie": f"ap_session={cookie}".encode("latin-1")})
        assert answer.status_code == 401


async def test_what_is_stored_of_a_login_logs_nobody_in(
    http: httpx.AsyncClient, olga: User, process: Process, app: Gate
) -> None:
    await log_in(http)
    row = await process.pool.run(LoginSession.objects.get)

    assert http.cookies["ap_session"] not in str(vars(row))
    async with client_at(app, cookies={"ap_session": row.session_key}) as thief:
        assert_error(await thief.get("/v1/sessions"), 401, "unauthorized")
    assert (await http.get("/v1/sessions")).status_code == 200


async def test_two_cookies_of_one_name_are_not_chosen_from(
    http: httpx.AsyncClient, olga: User, app: Gate
) -> None:
    await log_in(http)
    key = http.cookies["ap_session"]
    async with client_at(app) as other:
        once = await other.get("/v1/me", headers={"Cookie": f"ap_session={key}"})
        twice = await other.get("/v1/me", headers={"Cookie": f"ap_session={key}; ap_session={key}"})

    assert (once.status_code, twice.status_code) == (200, 401)


async def test_a_bearer_that_fails_is_not_rescued_by_the_cookie(http: httpx.AsyncClient, olga: User) -> None:
    await log_in(http)

    for shown in ("Bearer omni_pat_wrong", "Bearer ", "Basic b2xnYTp4", "Bearer other"):
        assert (await http.get("/v1/sessions", headers={"Authorization": shown})).status_code == 401


async def test_pages_lead_to_the_login_and_the_api_does_not(http: httpx.AsyncClient) -> None:
    page = await http.get("/c/conv_1?x=1")
    admin = await http.get("/admin/")

    assert (page.status_code, page.headers["location"]) == (302, "/login?next=%2Fc%2Fconv_1%3Fx%3D1")
    assert (admin.status_code, admin.headers["location"]) == (302, "/admin/login/?next=%2Fadmin%2F")
    refused = await http.get("/v1/sessions")
    assert_error(refused, 401, "unauthorized", "Authentication required")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert_error(await http.post("/new", data={}), 401, "unauthorized")


async def test_an_account_is_throttled_and_recovers(
    http: httpx.AsyncClient, olga: User, accounts: Settings, process: Process
) -> None:
    accounts.OMNIGENT_LOGIN_ATTEMPTS = 3
    for _ in range(3):
        assert (await log_in(http, "olga", "wrong")).status_code == 401

    blocked = await log_in(http)
    assert_error(blocked, 429, "rate_limited")
    assert blocked.headers["retry-after"] == "300"

    accounts.OMNIGENT_LOGIN_WINDOW_SECONDS = 0.0
    assert (await log_in(http)).status_code == 200
    assert not await process.pool.run(LoginThrottle.objects.filter(key__startswith="account:").exists)


async def test_an_unknown_account_is_throttled_alike(http: httpx.AsyncClient, accounts: Settings) -> None:
    accounts.OMNIGENT_LOGIN_ATTEMPTS = 1
    assert (await log_in(http, "nobody")).status_code == 401

    assert (await log_in(http, "NOBODY")).status_code == 429


async def test_an_address_is_throttled_over_all_accounts(app: Gate, olga: User, accounts: Settings) -> None:
    accounts.OMNIGENT_LOGIN_ADDRESS_ATTEMPTS = 3
    async with client_at(app, "192.0.2.9") as attacker, client_at(app, "192.0.2.10") as other:
        for number in range(3):
            assert (await log_in(attacker, f"name{number}")).status_code == 401
        assert (await log_in(attacker)).status_code == 429

        assert (await log_in(other)).status_code == 200


async def test_a_proxys_clients_are_told_apart_and_cannot_choose_their_address(
    app: Gate, accounts: Settings
) -> None:
    accounts.OMNIGENT_LOGIN_ADDRESS_ATTEMPTS = 1
    accounts.OMNIGENT_TRUSTED_PROXIES = ("10.0.0.1",)

    async def attempt(peer: str, forwarded: str) -> int:
        async with client_at(app, peer, headers={"X-Forwarded-For": forwarded}) as http:
            return (await log_in(http, forwarded)).status_code

    assert await attempt("10.0.0.1", "192.0.2.1") == 401
    assert await attempt("10.0.0.1", "192.0.2.2") == 401
    assert await attempt("10.0.0.1", "8.8.8.8, 192.0.2.2") == 429
    assert await attempt("10.0.0.2", "192.0.2.3") == 401
    assert await attempt("10.0.0.2", "192.0.2.4") == 429


async def test_many_attempts_at_once_are_counted_one_by_one(
    app: Gate, olga: User, accounts: Settings
) -> None:
    accounts.OMNIGENT_LOGIN_ATTEMPTS = 4
    async with client_at(app) as http:
        answers = await asyncio.gather(*(log_in(http, "olga", "wrong") for _ in range(12)))

    assert sorted(answer.status_code for answer in answers) == [401] * 4 + [429] * 8


async def test_successful_logins_do_not_fill_the_counters(
    http: httpx.AsyncClient, olga: User, accounts: Settings
) -> None:
    accounts.OMNIGENT_LOGIN_ATTEMPTS = accounts.OMNIGENT_LOGIN_ADDRESS_ATTEMPTS = 2

    for _ in range(4):
        http.cookies.clear()
        assert (await log_in(http)).status_code == 200


async def test_the_admin_sites_form_is_behind_the_same_throttle(
    http: httpx.AsyncClient, process: Process, accounts: Settings
) -> None:
    accounts.OMNIGENT_LOGIN_ATTEMPTS = 2
    await process.pool.run(make_admin)

    async def attempt(password: str) -> int:
        await http.get("/admin/login/")
        form = {"username": "ada", "password": password, "csrfmiddlewaretoken": http.cookies["csrftoken"]}
        return (await http.post("/admin/login/", data=form, headers={"Referer": BASE})).status_code

    assert [await attempt("wrong"), await attempt("wrong"), await attempt(PASSWORD)] == [200, 200, 200]
    assert (await http.get("/v1/me")).status_code == 401
    accounts.OMNIGENT_LOGIN_WINDOW_SECONDS = 0.0
    assert await attempt(PASSWORD) == 302
    assert (await http.get("/admin/")).status_code == 200


@pytest.mark.parametrize("mode", ["single-user", "header"])
async def test_elsewhere_nobody_logs_in(
    http: httpx.AsyncClient, olga: User, accounts: Settings, mode: str
) -> None:
    accounts.OMNIGENT_AUTH_MODE = mode

    assert_error(await log_in(http), 404, "not_found")
