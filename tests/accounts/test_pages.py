"""The pages of identity, as a browser without scripts uses them."""

import re
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from omnigent.accounts.models import AccessToken, Invitation, User
from omnigent.accounts.services import invitations
from sessions_app.process import Process
from tests.accounts.browsing import follow, submit
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

pytestmark = pytest.mark.usefixtures("accounts")

NEW_PASSWORD = "quite another passphrase"
SECRET = re.compile(r"<code>(omni_pat_[\w-]+)</code>")
LINK = re.compile(r"<code>http://127\.0\.0\.1:6767(/invite/[\w-]+)</code>")


@pytest.fixture
async def olga(process: Process) -> User:
    return await process.pool.run(make_person)


@pytest.fixture
async def admin(process: Process, http: httpx.AsyncClient) -> httpx.AsyncClient:
    """Ada, logged in."""
    await process.pool.run(make_admin)
    await log_in(http, "ada")
    return http


def assert_page(answer: httpx.Response, status: int, *words: str) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("text/html")
    assert answer.headers["cache-control"] == "no-store"
    assert "default-src 'self'" in answer.headers["content-security-policy"]
    for word in words:
        assert word in answer.text, answer.text


async def test_a_login_leads_to_where_one_wanted_to_go(http: httpx.AsyncClient, olga: User) -> None:
    form = await follow(http, "/account?x=1")
    assert_page(form, 200, 'name="password"', 'value="/account?x=1"')

    page = await submit(http, "/login", username="olga", password=PASSWORD, next="/account?x=1")

    assert_page(page, 200, "<h1>olga</h1>", "Member")
    assert str(page.url).endswith("/account?x=1")
    again = await http.get("/login?next=/device")
    assert again.headers["location"] == "/device"


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)",
     "evil", "/%0d%0aSet-Cookie:x=y\r\nX: y", "///evil.example", " //evil.example"],
)  # fmt: skip
async def test_a_login_leads_nowhere_else(http: httpx.AsyncClient, olga: User, target: str) -> None:
    token = (await http.get("/login")).text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    form = {"username": "olga", "password": PASSWORD, "next": target, "csrfmiddlewaretoken": token}

    answer = await http.post("/login", data=form, headers=ORIGIN)

    assert (answer.status_code, answer.headers["location"]) == (302, "/")


async def test_a_wrong_login_says_so_in_the_form(http: httpx.AsyncClient, olga: User) -> None:
    wrong = await submit(http, "/login", username="olga", password="wrong", next="/device")
    unknown = await submit(http, "/login", username="no<b>body", password="wrong")

    assert_page(wrong, 401, "Wrong username or password", 'value="olga"', 'value="/device"')
    assert_page(unknown, 401, "Wrong username or password", "no&lt;b&gt;body")
    assert "ap_session" not in http.cookies


async def test_a_throttled_login_says_so_too(http: httpx.AsyncClient, olga: User, accounts: Settings) -> None:
    accounts.OMNIGENT_LOGIN_ATTEMPTS = 1
    await submit(http, "/login", username="olga", password="wrong")

    blocked = await submit(http, "/login", username="olga", password=PASSWORD)

    assert_page(blocked, 429, "Too many attempts")
    assert blocked.headers["retry-after"] == "300"


async def test_a_logout_needs_the_form_and_ends_the_login(http: httpx.AsyncClient, olga: User) -> None:
    await log_in(http)
    assert (await http.get("/logout")).status_code == 405
    assert (await http.post("/logout", headers=ORIGIN)).status_code == 403
    assert (await http.get("/v1/me")).status_code == 200

    page = await submit(http, "/account", action="/logout")

    assert_page(page, 200, "<h1>Log in</h1>")
    assert (await http.get("/v1/me")).status_code == 401


async def test_the_first_administrator_sets_the_server_up(http: httpx.AsyncClient, process: Process) -> None:
    token = await process.pool.run(invitations.open_setup)
    assert "/setup" in (await http.get("/login")).text

    wrong = await submit(http, "/setup", token="omni_setup_wrong", username="ada", password=PASSWORD)
    weak = await submit(http, "/setup", token=token, username="ada", password="short")
    page = await submit(http, "/setup", token=f" {token} ", username="ada", password=PASSWORD)

    assert_page(wrong, 403, "The setup token is wrong or expired")
    assert_page(weak, 400, "too short", 'value="ada"')
    assert_page(page, 200, "<h1>ada</h1>", "Administrator", 'href="/account/people"')
    assert_page(await http.get("/setup"), 409, "set up already")
    assert "/setup" not in (await http.get("/login")).text


async def test_an_invited_person_comes_in_by_the_link(admin: httpx.AsyncClient, app: Gate) -> None:
    page = await submit(admin, "/account/people", action="/account/invitations", role="auditor")
    link = LINK.findall(page.text)[0]
    assert LINK.search((await admin.get("/account/people")).text) is None

    async with client_at(app) as http:
        form = await http.get(link)
        assert_page(form, 200, "You will be an auditor")
        taken = await submit(http, link, username="ada", password=PASSWORD)
        assert_page(taken, 409, "This username is taken")
        inside = await submit(http, link, username="ines", password=PASSWORD)
        assert_page(inside, 200, 'href="/account"', "ines")
        assert (await http.get("/v1/me")).json() == {"user_id": "ines", "is_admin": False}
        assert_page(await http.get(link), 404, "unknown, used or expired")


async def test_a_withdrawn_invitation_is_void(admin: httpx.AsyncClient, process: Process) -> None:
    page = await submit(admin, "/account/people", action="/account/invitations", role="admin")
    link = LINK.findall(page.text)[0]
    made = await process.pool.run(Invitation.objects.get)
    assert made.is_admin

    await submit(admin, "/account/people", action=f"/account/invitations/{made.public_id}/withdraw")

    assert_page(await admin.get(link), 404, "unknown, used or expired")


async def test_a_token_is_shown_once_and_works_until_it_is_revoked(
    http: httpx.AsyncClient, olga: User, app: Gate, process: Process
) -> None:
    await log_in(http)
    page = await submit(
        http, "/account", action="/account/tokens", name="nightly <b>", scope="read", days="7"
    )
    assert_page(page, 200, "nightly &lt;b&gt;", "cannot be shown again")
    [secret] = SECRET.findall(page.text)
    token = await process.pool.run(AccessToken.objects.get)
    assert token.expires_at is not None
    assert (token.scopes, (token.expires_at - token.created_at).days) == (["read"], 7)
    assert SECRET.search((await http.get("/account")).text) is None
    async with client_at(app) as program:
        assert (await program.get("/v1/sessions", headers=bearer(secret))).status_code == 200

        gone = await submit(http, "/account", action=f"/account/tokens/{token.public_id}/revoke")

        assert "nightly" not in gone.text
        assert (await program.get("/v1/sessions", headers=bearer(secret))).status_code == 401


@pytest.mark.parametrize(
    ("fields", "status", "words"),
    [
        ({"name": " ", "scope": "read"}, 422, "Name:"),
        ({"name": "x"}, 422, "Scopes:"),
        ({"name": "x", "scope": "admin"}, 403, "what you do not have"),
        ({"name": "x", "scope": "root"}, 422, "should be"),
        ({"name": "x", "scope": "read", "days": "8"}, 400, "one of the terms"),
        ({"name": "x\0", "scope": "read"}, 422, "NUL"),
    ],
)
async def test_a_token_that_cannot_be_made_says_why(
    http: httpx.AsyncClient, olga: User, fields: Mapping[str, str], status: int, words: str
) -> None:
    await log_in(http)

    page = await submit(http, "/account", action="/account/tokens", **fields)

    assert_page(page, status, words)


async def test_a_changed_password_ends_the_other_logins_and_keeps_this_one(
    http: httpx.AsyncClient, olga: User, app: Gate
) -> None:
    await log_in(http)
    async with client_at(app) as elsewhere:
        await log_in(elsewhere)
        fields = {"new_password": NEW_PASSWORD, "repeated": NEW_PASSWORD}
        path = "/account/password"

        wrong = await submit(http, "/account", action=path, password="wrong", **fields)
        twice = await submit(
            http, "/account", action=path, password=PASSWORD, new_password=NEW_PASSWORD, repeated="other"
        )
        weak = await submit(
            http, "/account", action=path, password=PASSWORD, new_password="short", repeated="short"
        )
        page = await submit(http, "/account", action=path, password=PASSWORD, **fields)

        assert_page(wrong, 403, "present password")
        assert_page(twice, 400, "typed in two ways")
        assert_page(weak, 400, "too short")
        assert_page(page, 200, "Your password is changed")
        assert (await http.get("/v1/me")).status_code == 200
        assert (await elsewhere.get("/v1/me")).status_code == 401
        assert (await log_in(elsewhere)).status_code == 401
        assert (await log_in(elsewhere, password=NEW_PASSWORD)).status_code == 200


async def test_administrators_change_what_people_may(
    admin: httpx.AsyncClient, olga: User, process: Process
) -> None:
    async def change(name: str, what: str) -> httpx.Response:
        return await submit(admin, "/account/people", action=f"/account/people/{name}/change", change=what)

    async def rights() -> tuple[bool, ...]:
        row = await process.pool.run(lambda: User.objects.get(username="olga"))
        return row.is_active, row.is_staff, row.is_superuser, row.is_auditor

    assert_page(await change("olga", "admin"), 200, "Administrator")
    assert await rights() == (True, True, True, False)
    await change("olga", "auditor")
    assert await rights() == (True, False, False, True)
    await change("olga", "member")
    assert_page(await change("olga", "lock"), 200, "Locked out")
    assert await rights() == (False, False, False, False)
    await change("olga", "unlock")
    assert (await rights())[0]
    assert_page(await change("ada", "member"), 400, "Somebody else has to change your own rights")
    assert_page(await change("nobody", "lock"), 404, "User not found")
    assert_page(await change("olga", "delete"), 400, "Choose what to change")


@pytest.mark.parametrize("role", [{}, {"is_auditor": True}])
async def test_others_see_nothing_of_people(
    http: httpx.AsyncClient, process: Process, role: Mapping[str, bool]
) -> None:
    await process.pool.run(lambda: (make_admin(), make_person(**role)))
    await log_in(http)

    assert_page(await http.get("/account/people"), 403, "Only administrators manage people")
    for path in ("/account/invitations", "/account/people/ada/change"):
        refused = await submit(http, "/account", action=path, change="lock")
        assert_page(refused, 403, "Only administrators manage people")
        assert "ada" not in refused.text
    assert await process.pool.run(User.objects.filter(is_active=True).count) == 2


async def test_auditors_keep_their_own_account(http: httpx.AsyncClient, process: Process) -> None:
    await process.pool.run(lambda: make_person(is_auditor=True))
    await log_in(http)

    page = await submit(http, "/account", action="/account/tokens", name="reports", scope="read")

    assert_page(page, 200, "Auditor", "reports")
    assert 'value="write"' not in page.text
    assert_page(await submit(http, "/account", action="/logout"), 200, "Log in")


async def test_a_token_may_not_manage_tokens_on_the_page(http: httpx.AsyncClient, process: Process) -> None:
    headers = bearer(await process.pool.run(lambda: token_for(make_person())))

    assert 'action="/account/tokens"' not in (await http.get("/account", headers=headers)).text


@pytest.mark.parametrize("mode", ["single-user", "header"])
@pytest.mark.parametrize("path", ["/login", "/setup", "/invite/x", "/account/people"])
async def test_where_nobody_logs_in_there_are_no_such_pages(
    app: Gate, process: Process, request: Any, mode: str, path: str
) -> None:
    settings = request.getfixturevalue("proxied" if mode == "header" else "accounts")
    settings.OMNIGENT_AUTH_MODE = mode
    peer, headers = (
        ("10.1.0.9", {"X-Forwarded-Email": "ada@example.org"}) if mode == "header" else ("127.0.0.1", {})
    )

    async with client_at(app, peer, headers=headers) as http:
        assert (await http.get(path)).status_code == 404


async def test_behind_a_proxy_the_account_has_tokens_and_no_password(
    app: Gate, process: Process, proxied: Settings
) -> None:
    async with client_at(app, "10.1.0.9", headers={"X-Forwarded-Email": "vera@example.org"}) as http:
        page = await submit(http, "/account", action="/account/tokens", name="script", scope="write")

        assert_page(page, 200, "vera@example.org", "script")
        assert "Change password" not in page.text
        assert "Log out" not in page.text
        [secret] = SECRET.findall(page.text)
    async with client_at(app) as program:
        assert (await program.get("/v1/me", headers=bearer(secret))).json()["user_id"] == "vera@example.org"


async def test_in_single_user_mode_no_page_names_a_person(
    http: httpx.AsyncClient, accounts: Settings
) -> None:
    accounts.OMNIGENT_AUTH_MODE = "single-user"

    page = await http.get("/")

    assert "/account" not in page.text
    assert (await http.get("/account")).status_code == 404
