"""Mode `header`: a trusted proxy says who is calling, and nobody else can."""

from typing import Any

import pytest
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from omnigent.accounts.identity import identify
from omnigent.accounts.models import User
from sessions_app.process import Process
from tests.accounts.people import bearer, client_at, make_person, token_for
from tests.error_shape import assert_error

PROXY = "10.1.2.3"
NAME = "X-Forwarded-Email"

pytestmark = pytest.mark.usefixtures("proxied")


async def me(app: Gate, peer: str, **headers: str) -> Any:
    async with client_at(app, peer) as http:
        return await http.get(
            "/v1/me", headers={key.replace("_", "-"): value for key, value in headers.items()}
        )


@pytest.mark.parametrize("peer", [PROXY, "::ffff:10.1.2.3", "2001:db8::7"])
async def test_a_trusted_proxy_names_the_caller(app: Gate, peer: str) -> None:
    answer = await me(app, peer, **{NAME: "Olga@example.org"})

    assert (answer.status_code, answer.json()) == (200, {"user_id": "Olga@example.org", "is_admin": False})


@pytest.mark.parametrize("peer", ["127.0.0.1", "10.2.0.1", "192.0.2.1", "2001:db8::8", "", "unix"])
async def test_a_header_from_anybody_else_says_nothing(app: Gate, peer: str) -> None:
    async with client_at(app, peer) as http:
        answer = await http.get("/v1/sessions", headers={NAME: "olga@example.org"})

    assert_error(answer, 401, "unauthorized", "Authentication required")


async def test_without_the_header_nobody_is_known(app: Gate) -> None:
    async with client_at(app, PROXY) as http:
        assert_error(await http.get("/v1/sessions"), 401, "unauthorized")
        answer = await http.get("/v1/me")

    assert (answer.status_code, answer.json()) == (401, {"user_id": None, "login_url": None})


@pytest.mark.parametrize(
    "value",
    ["", " ", "local", "__public__", "a" * 151, "a,b", "a\x01b", "\xff\xfe"],
    ids=["empty", "blank", "local", "public", "long", "joined", "control", "not UTF-8"],
)
def test_what_is_no_name_is_nobody(db: None, value: str) -> None:
    headers = [(NAME.lower().encode(), value.encode("latin-1"))]

    assert identify(headers, (PROXY, 1)) is None


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-forwarded-email", b"olga"), (b"x-forwarded-email", b"ada@example.org")],
        [(b"x_forwarded_email", b"olga")],
        [(b"x-forwarded-email ", b"olga")],
    ],
    ids=["twice", "underscores", "trailing blank"],
)
def test_a_header_that_a_proxy_may_have_missed_says_nothing(db: None, headers: Any) -> None:
    assert identify(headers, (PROXY, 1)) is None


def test_another_header_and_a_prefix_can_be_set(db: None, proxied: Settings) -> None:
    proxied.OMNIGENT_AUTH_HEADER = "X-Goog-Authenticated-User-Email"
    proxied.OMNIGENT_AUTH_HEADER_STRIP_PREFIX = "accounts.google.com:"
    named = [(b"x-goog-authenticated-user-email", b"accounts.google.com:olga@example.org")]

    found = identify(named, (PROXY, 1))

    assert found is not None
    assert found.user_id == "olga@example.org"
    assert identify([(b"x-forwarded-email", b"olga")], (PROXY, 1)) is None
    assert identify([(named[0][0], b"accounts.google.com:")], (PROXY, 1)) is None


@pytest.mark.parametrize("name", ["ada@example.org", "ADA@Example.org"])
async def test_listed_people_are_administrators_whatever_the_case(app: Gate, name: str) -> None:
    assert (await me(app, PROXY, **{NAME: name})).json()["is_admin"] is True


async def test_a_row_makes_an_administrator_or_locks_somebody_out(app: Gate, process: Process) -> None:
    await process.pool.run(make_person, "boss", is_staff=True)
    await process.pool.run(make_person, "gone", is_active=False)

    assert (await me(app, PROXY, **{NAME: "boss"})).json()["is_admin"] is True
    assert (await me(app, PROXY, **{NAME: "gone"})).status_code == 401


async def test_passwords_and_login_cookies_mean_nothing(app: Gate, process: Process) -> None:
    await process.pool.run(make_person, "olga")
    async with client_at(app, PROXY) as http:
        refused = await http.post("/v1/login", json={"username": "olga", "password": "x"})
        page = await http.get("/admin/login/")

    assert_error(refused, 404, "not_found")
    assert page.status_code == 200


@pytest.mark.parametrize(("name", "status"), [("ada@example.org", 200), ("olga", 302)])
async def test_the_admin_site_opens_for_administrators_only(app: Gate, name: str, status: int) -> None:
    async with client_at(app, PROXY) as http:
        answer = await http.get("/admin/", headers={NAME: name})

    assert answer.status_code == status


async def test_rights_from_the_list_are_not_stored(app: Gate, process: Process) -> None:
    async with client_at(app, PROXY) as http:
        await http.get("/admin/", headers={NAME: "ada@example.org"})

    row = await process.pool.run(lambda: User.objects.get(username="ada@example.org"))
    assert not row.is_staff
    assert not row.is_superuser


async def test_a_token_works_beside_the_proxy_and_before_its_header(app: Gate, process: Process) -> None:
    secret = token_for_olga = await process.pool.run(lambda: token_for(make_person("olga"), "read"))

    assert (await me(app, "192.0.2.1", **bearer(secret))).json()["user_id"] == "olga"
    both = await me(app, PROXY, **{**bearer(token_for_olga), NAME: "ada@example.org"})
    assert both.json() == {"user_id": "olga", "is_admin": False}


async def test_a_proxys_own_authorization_is_left_to_it(app: Gate) -> None:
    answer = await me(app, PROXY, **{NAME: "olga", "Authorization": "Bearer eyJhbGciOi.of.another"})

    assert answer.json()["user_id"] == "olga"
