"""Logging in by another service: a real server of ours, and a real provider, over HTTP."""

import os
import re
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
from django.core.checks import run_checks
from django.urls import reverse

from tests.accounts import issuer
from tests.accounts.browsing import form_token
from tests.accounts.issuer import CLIENT_ID, CLIENT_SECRET, Provider, running_provider
from tests.accounts.people import PASSWORD
from tests.api_plumbing.test_server_command import refused, running

ADMINS = "omnigent-admins"
ROOT = Path(__file__).resolve().parent.parent.parent


@contextmanager
def own_database() -> Iterator[dict[str, str]]:
    """On PostgreSQL a database of the server's own; SQLite has its file in the data directory."""
    url = os.environ.get("TEST_DATABASE_URL")
    if not url:
        yield {}
        return
    name = f"sso_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]  # a name of ours
        try:
            yield {"DATABASE_URL": urlsplit(url)._replace(path=f"/{name}").geturl()}
        finally:
            admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')  # type: ignore[call-overload]  # likewise


def settings_for(provider: Provider) -> dict[str, str]:
    return {
        "OMNIGENT_AUTH_MODE": "accounts",
        "OMNIGENT_OIDC_ISSUER": provider.url,
        "OMNIGENT_OIDC_CLIENT_ID": CLIENT_ID,
        "OMNIGENT_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OMNIGENT_OIDC_NAME": "Example",
        "OMNIGENT_OIDC_ALLOWED_DOMAINS": "example.org",
        "OMNIGENT_OIDC_ADMIN_GROUPS": ADMINS,
        "OMNIGENT_ACCOUNTS_INIT_ADMIN_USERNAME": "ada",
        "OMNIGENT_ACCOUNTS_INIT_ADMIN_PASSWORD": PASSWORD,
        "OMNIGENT_LOGIN_ADDRESS_ATTEMPTS": "1000",
    }


@pytest.fixture(scope="module")
def known() -> Iterator[Provider]:
    with running_provider() as running_one:
        yield running_one


@pytest.fixture(scope="module")
def server(known: Provider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that lets people of example.org in by the provider."""
    with own_database() as database:
        directory = tmp_path_factory.mktemp("sso")
        with running(directory, **settings_for(known), **database) as (_, url):
            yield url


@pytest.fixture
def provider(known: Provider) -> Provider:
    """An honest one with a person whom no other test has used."""
    known.reset()
    name = f"p{uuid.uuid4().hex[:10]}"
    known.person = {"sub": name, "email": f"{name}@example.org", "email_verified": True}
    return known


@pytest.fixture
def browser(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, timeout=20) as client:
        yield client


def go(browser: httpx.Client, path: str = "/oidc/login") -> httpx.Response:
    """Follow every redirect, there and back."""
    return browser.get(path, follow_redirects=True)


def log_in(browser: httpx.Client) -> dict[str, Any]:
    """A whole login; who one is then."""
    answer = go(browser)
    assert answer.status_code == 200, answer.text
    me: dict[str, Any] = browser.get("/v1/me").json()
    return me


def assert_turned_away(browser: httpx.Client, answer: httpx.Response, words: str, status: int = 403) -> None:
    assert answer.status_code == status, answer.text
    assert words in answer.text
    assert answer.headers["cache-control"] == "no-store"
    assert browser.get("/v1/me").status_code == 401


def people(server: str) -> set[str]:
    """Who has an account, as Ada sees it."""
    with httpx.Client(base_url=server) as ada:
        assert ada.post("/v1/login", json={"username": "ada", "password": PASSWORD}).status_code == 200
        return {row["id"] for row in ada.get("/v1/users?limit=1000").json()["data"]}


def test_a_first_login_makes_an_account_and_the_next_one_finds_it(
    provider: Provider, browser: httpx.Client, server: str
) -> None:
    assert 'href="/oidc/login?"' in browser.get("/login").text
    assert "Log in with Example" in browser.get("/login").text
    email = provider.person["email"]

    assert log_in(browser) == {"user_id": email, "is_admin": False}
    assert browser.get("/v1/sessions").json()["data"] == []
    provider.person["email"] = "renamed@example.org"
    with httpx.Client(base_url=server) as again:
        assert log_in(again)["user_id"] == email
    assert "renamed@example.org" not in people(server)


def test_the_exchange_uses_state_nonce_and_pkce_and_leads_to_where_one_wanted_to_go(
    provider: Provider, browser: httpx.Client, server: str
) -> None:
    first = browser.get("/oidc/login?next=/account")
    query = parse_qs(urlsplit(first.headers["location"]).query)
    assert query["redirect_uri"] == [f"{server}/oidc/callback"]
    assert set(query["scope"][0].split()) == {"openid", "email", "profile"}
    assert {"state", "nonce", "code_challenge"} <= set(query)

    landed = go(browser, "/oidc/login?next=/account")
    assert landed.url.path == "/account"
    assert "Change password" not in landed.text
    with httpx.Client(base_url=server) as other:
        assert go(other, "/oidc/login?next=https://evil.example/").url.host == "127.0.0.1"


def test_a_person_without_a_password_cannot_log_in_with_one_and_can_log_out(
    provider: Provider, browser: httpx.Client, server: str
) -> None:
    email = log_in(browser)["user_id"]
    for password in ("", "!", PASSWORD):
        body = {"username": email, "password": password}
        assert httpx.post(f"{server}/v1/login", json=body).status_code in (401, 422)
    changed = browser.put(
        "/v1/password", json={"password": "x", "new_password": PASSWORD}, headers={"Origin": server}
    )
    assert changed.status_code == 409

    token = form_token(browser.get("/account").text)
    browser.post("/logout", data={"csrfmiddlewaretoken": token}, headers={"Origin": server})

    assert browser.get("/v1/me").status_code == 401


@pytest.mark.parametrize(
    "sign",
    [
        issuer.signed_by_another,
        issuer.signed_by_an_unknown_key,
        issuer.not_signed,
        issuer.signed_with_the_client_secret,
        issuer.changed_afterwards,
        issuer.without_a_key_id,
        issuer.nonsense,
    ],
)
def test_a_token_that_is_not_signed_by_the_provider_is_refused(
    provider: Provider, browser: httpx.Client, sign: Callable[[Provider, issuer.Claims], str]
) -> None:
    provider.sign = sign

    assert_turned_away(browser, go(browser), "no answer that could be trusted")


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": "another-client"},
        {"aud": None},
        {"aud": [CLIENT_ID, "another"], "azp": "another"},
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"nonce": "another-login"},
        {"nonce": None},
        {"exp": 946_684_800},
        {"exp": None},
        {"exp": "soon"},
        {"iat": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 500},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_this_login_is_refused(
    provider: Provider, browser: httpx.Client, server: str, changes: dict[str, Any]
) -> None:
    provider.changes = changes

    assert_turned_away(browser, go(browser), "no answer that could be trusted")
    assert provider.person["email"] not in people(server)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"email_verified": False}, "not verified"),
        ({"email_verified": None}, "not verified"),
        ({"email_verified": "false"}, "not verified"),
        ({"email_verified": 1}, "not verified"),
        ({"email": "mallory@evil.example"}, "domain"),
        ({"email": "mallory@example.org.evil.example"}, "domain"),
        ({"email": "mallory@evil.example, x@example.org"}, "cannot be a username"),
        ({"email": "example.org"}, "which e-mail address"),
        ({"email": ["a@example.org"]}, "which e-mail address"),
        ({"email": "a\u0000b@example.org"}, "cannot be a username"),
        ({"email": "ada@example.org" + " " * 9 + "\u202e@example.org"}, "cannot be a username"),
    ],
    ids=str,
)
def test_a_person_who_is_not_allowed_gets_no_account(
    provider: Provider, browser: httpx.Client, server: str, changes: dict[str, Any], words: str
) -> None:
    before = people(server)
    provider.changes = changes

    assert_turned_away(browser, go(browser), words)
    assert people(server) == before


def test_an_account_is_only_open_while_the_person_is_allowed(
    provider: Provider, browser: httpx.Client, server: str
) -> None:
    email = log_in(browser)["user_id"]
    with httpx.Client(base_url=server) as later:
        provider.changes = {"email": "moved@evil.example"}
        assert_turned_away(later, go(later), "domain")
    provider.changes = {}
    with httpx.Client(base_url=server) as ada, httpx.Client(base_url=server) as locked:
        ada.post("/v1/login", json={"username": "ada", "password": PASSWORD})
        change = ada.patch(f"/v1/users/{email}", json={"is_active": False}, headers={"Origin": server})
        assert change.status_code == 200
        assert_turned_away(locked, go(locked), "Your account is locked")
    assert browser.get("/v1/me").status_code == 401


def test_an_account_with_a_password_is_not_taken_over_by_its_name(
    provider: Provider, browser: httpx.Client, server: str
) -> None:
    email = provider.person["email"]
    with httpx.Client(base_url=server) as ada:
        ada.post("/v1/login", json={"username": "ada", "password": PASSWORD})
        made = ada.post("/v1/invitations", json={}, headers={"Origin": server}).json()
    body = {"token": made["token"], "username": email, "password": PASSWORD}
    assert httpx.post(f"{server}/v1/invitations/accept", json=body).status_code == 201

    assert_turned_away(browser, go(browser), "exists already")


def test_another_subject_does_not_inherit_an_address(
    provider: Provider, browser: httpx.Client, server: str
) -> None:
    log_in(browser)
    provider.person["sub"] += "-successor"

    with httpx.Client(base_url=server) as successor:
        assert_turned_away(successor, go(successor), "exists already")


def test_a_group_makes_administrators_and_unmakes_them(
    provider: Provider, browser: httpx.Client, server: str
) -> None:
    provider.person["groups"] = ["staff", ADMINS]
    assert log_in(browser)["is_admin"] is True
    provider.person["groups"] = ["staff"]
    with httpx.Client(base_url=server) as later:
        assert log_in(later)["is_admin"] is False
    assert browser.get("/v1/me").json()["is_admin"] is False


def test_a_short_id_token_is_completed_by_the_user_information(
    provider: Provider, browser: httpx.Client, server: str
) -> None:
    whole = dict(provider.person)
    provider.person = {"sub": whole["sub"]}
    provider.userinfo = {**whole, "sub": "somebody-else"}
    assert_turned_away(browser, go(browser), "no answer that could be trusted")

    provider.userinfo = whole
    assert log_in(browser)["user_id"] == whole["email"]


def test_a_callback_without_its_login_is_refused(
    provider: Provider, browser: httpx.Client, server: str
) -> None:
    there = browser.get("/oidc/login").headers["location"]
    back = httpx.get(there).headers["location"]

    with httpx.Client(base_url=server) as victim:
        assert_turned_away(victim, victim.get(back), "no answer that could be trusted")
    for path in ("/oidc/callback", "/oidc/callback?state=x&code=y", "/oidc/callback?code=y&state=x&state=z"):
        assert_turned_away(browser, browser.get(path), "no answer that could be trusted")
    assert go(browser, back).status_code == 200
    with httpx.Client(base_url=server, cookies=dict(browser.cookies)) as replay:
        assert replay.get(back).status_code == 403


def test_a_cancelled_login_and_a_broken_provider_are_told_apart(
    provider: Provider, browser: httpx.Client
) -> None:
    provider.error = "access_denied"
    assert_turned_away(browser, go(browser), "The login was cancelled")
    provider.error = "server_error"
    assert_turned_away(browser, go(browser), "no answer that could be trusted")
    provider.error = ""
    back = httpx.get(browser.get("/oidc/login").headers["location"]).headers["location"]
    provider.is_broken = True
    assert_turned_away(browser, browser.get(back), "no answer that could be trusted")


@contextmanager
def installation(directory: Path, provider: Provider) -> Iterator[httpx.Client]:
    """A browser at a server of its own."""
    with (
        own_database() as database,
        running(directory, **settings_for(provider), **database) as (_, url),
        httpx.Client(base_url=url, timeout=20) as browser,
    ):
        yield browser


def test_nothing_of_a_login_is_written_to_the_log(known: Provider, tmp_path: Path) -> None:
    known.reset()
    known.person["email"] = "nobody@evil.example"
    with installation(tmp_path, known) as browser:
        there = browser.get("/oidc/login").headers["location"]
        back = httpx.get(there).headers["location"]
        assert_turned_away(browser, browser.get(back), "domain")
    log = (tmp_path / "stderr").read_text()

    assert "oidc_refused" in log
    secrets = re.findall(r"(?:code|state)=([\w-]+)", back)
    assert len(secrets) == 2
    for secret in (CLIENT_SECRET, "nobody@evil.example", *secrets):
        assert secret not in log


def test_a_provider_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    with running_provider() as gone:
        gone.reset()
    with installation(tmp_path, gone) as browser:
        assert_turned_away(browser, browser.get("/oidc/login"), "cannot be reached now", 503)
        answer = browser.post("/v1/login", json={"username": "ada", "password": PASSWORD})
        assert answer.status_code == 200


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"OMNIGENT_OIDC_CLIENT_ID": ""}, "CLIENT_ID"),
        ({"OMNIGENT_OIDC_CLIENT_SECRET": ""}, "CLIENT_SECRET"),
        ({"OMNIGENT_OIDC_ISSUER": ""}, "ISSUER"),
        ({"OMNIGENT_OIDC_ISSUER": "http://id.example.org"}, "ISSUER"),
        ({"OMNIGENT_OIDC_ISSUER": "id.example.org"}, "ISSUER"),
        ({"OMNIGENT_OIDC_ALLOWED_DOMAINS": frozenset()}, "ALLOWED_DOMAINS"),
        ({"OMNIGENT_OIDC_SCOPES": ("email",)}, "SCOPES"),
        ({"OMNIGENT_AUTH_MODE": "single-user"}, "ISSUER"),
    ],
    ids=str,
)
def test_half_a_configuration_is_an_error(settings: Any, changes: dict[str, Any], word: str) -> None:
    reverse("me")  # the addresses are those of a server without a provider
    whole = {
        "OMNIGENT_AUTH_MODE": "accounts",
        "OMNIGENT_OIDC_ISSUER": "https://id.example.org",
        "OMNIGENT_OIDC_CLIENT_ID": CLIENT_ID,
        "OMNIGENT_OIDC_CLIENT_SECRET": CLIENT_SECRET,
        "OMNIGENT_OIDC_ALLOWED_DOMAINS": frozenset({"example.org"}),
    }
    for name, value in whole.items():
        setattr(settings, name, value)
    assert [each for each in run_checks() if each.id == "omnigent.E008"] == []
    for name, value in changes.items():
        setattr(settings, name, value)

    [found] = [each for each in run_checks() if each.id == "omnigent.E008"]

    assert f"OMNIGENT_OIDC_{word} " in str(found.msg)
    assert found.hint


def test_a_server_with_half_a_configuration_does_not_start(tmp_path: Path) -> None:
    message = refused(tmp_path, OMNIGENT_AUTH_MODE="accounts", OMNIGENT_OIDC_ISSUER="https://id.example.org")

    assert "omnigent.E008" in message


def test_without_a_provider_nothing_of_it_is_loaded(tmp_path: Path) -> None:
    program = (
        "import django, sys; django.setup(); from django.urls import reverse; reverse('me');"
        "print([name for name in sys.modules if name.split('.')[0] in ('allauth', 'jwt', 'oauthlib')])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"DJANGO_SETTINGS_MODULE": "omnigent.settings", "DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout.strip() == "[]"
