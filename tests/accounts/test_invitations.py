"""Making accounts: the first administrator, and invitations; each token works once."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.core import serializers
from django.utils import timezone
from pytest_django import Settings

from omnigent import settings as product
from omnigent.accounts.gate import Gate
from omnigent.accounts.models import Invitation, SetupToken, User
from omnigent.accounts.services import invitations
from omnigent.errors import OmnigentError
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


def account(token: str, name: str = "ines", password: str = PASSWORD) -> dict[str, str]:
    return {"token": token, "username": name, "password": password}


@pytest.fixture
async def admin(app: Gate, process: Process) -> Any:
    """An administrator who has logged in."""
    await process.pool.run(make_admin)
    async with client_at(app, headers=ORIGIN) as client:
        await log_in(client, "ada")
        yield client


async def invited(admin: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await admin.post("/v1/invitations", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def test_the_first_administrator_needs_the_printed_token(
    http: httpx.AsyncClient, process: Process
) -> None:
    assert (await http.get("/v1/info")).json()["needs_setup"] is True
    secret = await process.pool.run(invitations.open_setup)
    assert secret is not None

    assert_error(await http.post("/v1/setup", json=account("wrong", "ada")), 403, "forbidden")
    made = await http.post("/v1/setup", json=account(secret, "ada"))

    assert (made.status_code, made.json()["is_admin"]) == (201, True)
    assert (await http.get("/v1/me")).json() == {"user_id": "ada", "is_admin": True}
    assert (await http.get("/v1/info")).json()["needs_setup"] is False
    http.cookies.clear()
    assert_error(await http.post("/v1/setup", json=account(secret, "eve")), 409, "conflict")
    assert await process.pool.run(invitations.open_setup) is None
    assert not await process.pool.run(SetupToken.objects.exists)


async def test_of_two_setups_at_once_one_wins(app: Gate, process: Process) -> None:
    secrets = [await process.pool.run(invitations.open_setup) for _ in range(2)]
    async with client_at(app) as one, client_at(app) as two:
        answers = await asyncio.gather(
            one.post("/v1/setup", json=account(secrets[0] or "", "ada")),
            two.post("/v1/setup", json=account(secrets[1] or "", "eve")),
        )

    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert await process.pool.run(User.objects.count) == 1


async def test_an_old_setup_token_is_void(http: httpx.AsyncClient, process: Process) -> None:
    secret = await process.pool.run(invitations.open_setup)
    await process.pool.run(lambda: SetupToken.objects.update(expires_at=timezone.now()))

    assert_error(await http.post("/v1/setup", json=account(secret or "", "ada")), 403, "forbidden")


async def test_the_settings_may_name_the_first_administrator(
    http: httpx.AsyncClient, process: Process, accounts: Settings
) -> None:
    accounts.OMNIGENT_ACCOUNTS_INIT_ADMIN_USERNAME = "ada"
    accounts.OMNIGENT_ACCOUNTS_INIT_ADMIN_PASSWORD = PASSWORD

    assert await process.pool.run(invitations.first_steps) is None
    accounts.OMNIGENT_ACCOUNTS_INIT_ADMIN_PASSWORD = "something else entirely"
    assert await process.pool.run(invitations.first_steps) is None

    assert (await log_in(http, "ada")).json()["is_admin"] is True


def test_a_weak_initial_password_is_refused(db: None, accounts: Settings) -> None:
    accounts.OMNIGENT_ACCOUNTS_INIT_ADMIN_USERNAME = "ada"
    accounts.OMNIGENT_ACCOUNTS_INIT_ADMIN_PASSWORD = "admin"

    with pytest.raises(OmnigentError, match="too short"):
        invitations.first_steps()


async def test_an_invitation_makes_one_account(
    admin: httpx.AsyncClient, http: httpx.AsyncClient, process: Process
) -> None:
    made = await invited(admin)
    assert made["url"] == f"http://127.0.0.1:6767/invite/{made['token']}"
    listed = (await admin.get("/v1/invitations")).text
    dump = await process.pool.run(lambda: serializers.serialize("json", Invitation.objects.all()))
    assert made["token"] not in listed + dump
    assert made["id"] in listed

    accepted = await http.post("/v1/invitations/accept", json=account(made["token"]))

    assert (accepted.status_code, accepted.json()["user_id"]) == (201, "ines")
    assert (await http.get("/v1/me")).json() == {"user_id": "ines", "is_admin": False}
    http.cookies.clear()
    again = await http.post("/v1/invitations/accept", json=account(made["token"], "eve"))
    assert_error(again, 404, "not_found", "The invitation is unknown, used or expired")
    assert (await admin.get("/v1/invitations")).json()["data"] == []
    stored = await process.pool.run(lambda: User.objects.get(username="ines").password)
    assert PASSWORD not in stored


async def test_of_two_acceptances_at_once_one_wins(
    admin: httpx.AsyncClient, app: Gate, process: Process
) -> None:
    made = await invited(admin)
    async with client_at(app) as one, client_at(app) as two:
        answers = await asyncio.gather(
            one.post("/v1/invitations/accept", json=account(made["token"], "one")),
            two.post("/v1/invitations/accept", json=account(made["token"], "two")),
        )

    assert sorted(answer.status_code for answer in answers) == [201, 404]
    assert await process.pool.run(User.objects.count) == 2


@pytest.mark.parametrize(
    ("name", "password", "status"),
    [
        ("ada", PASSWORD, 409),
        ("local", PASSWORD, 400),
        ("__public__", PASSWORD, 400),
        ("Ines", PASSWORD, 400),
        ("in es", PASSWORD, 400),
        ("ines/x", PASSWORD, 400),
        ("-ines", PASSWORD, 400),
        ("ines", "short", 400),
        ("ines", "password1234", 400),
        ("ines", "1029384756102938", 400),
        ("ines.ibarra", "ines.ibarra", 400),
    ],
)
async def test_a_bad_name_or_password_leaves_the_invitation(
    admin: httpx.AsyncClient, http: httpx.AsyncClient, name: str, password: str, status: int
) -> None:
    made = await invited(admin)

    refused = await http.post("/v1/invitations/accept", json=account(made["token"], name, password))
    accepted = await http.post("/v1/invitations/accept", json=account(made["token"]))

    assert_error(refused, status, "already_exists" if status == 409 else "invalid_input")
    assert accepted.status_code == 201


async def test_an_invitation_expires_and_can_be_withdrawn(
    admin: httpx.AsyncClient, http: httpx.AsyncClient, process: Process
) -> None:
    late, withdrawn = await invited(admin, expires_in=60), await invited(admin)
    assert late["expires_at"] - late["created_at"] == 60
    assert withdrawn["expires_at"] - withdrawn["created_at"] == 72 * 3600
    await process.pool.run(
        lambda: Invitation.objects.filter(public_id=late["id"]).update(
            expires_at=timezone.now() - timedelta(seconds=1)
        )
    )
    assert (await admin.delete(f"/v1/invitations/{withdrawn['id']}")).json()["deleted"] is True

    for made in (late, withdrawn):
        refused = await http.post("/v1/invitations/accept", json=account(made["token"]))
        assert_error(refused, 404, "not_found")
    assert_error(await admin.delete(f"/v1/invitations/{withdrawn['id']}"), 404, "not_found")


@pytest.mark.parametrize("role", ["is_admin", "is_auditor"])
async def test_an_invitation_carries_a_role(
    admin: httpx.AsyncClient, http: httpx.AsyncClient, process: Process, role: str
) -> None:
    made = await invited(admin, **{role: True})

    await http.post("/v1/invitations/accept", json=account(made["token"]))

    user = await process.pool.run(lambda: User.objects.get(username="ines"))
    assert (user.is_staff, user.is_auditor) == (role == "is_admin", role == "is_auditor")


@pytest.mark.parametrize(
    "body", [{"is_admin": True, "is_auditor": True}, {"is_admin": "yes"}, {"expires_in": 0}, {"email": "x"}]
)
async def test_what_is_no_invitation_is_refused(admin: httpx.AsyncClient, body: Any) -> None:
    refused = await admin.post("/v1/invitations", json=body)

    if "is_auditor" in body:
        assert_error(refused, 400, "invalid_input")
    else:
        assert_invalid(refused, "body")


async def test_only_administrators_invite(
    admin: httpx.AsyncClient, http: httpx.AsyncClient, process: Process
) -> None:
    made = await invited(admin)
    olga = await process.pool.run(lambda: token_for(make_person()))

    for method, path in [
        ("GET", "/v1/invitations"),
        ("POST", "/v1/invitations"),
        ("DELETE", f"/v1/invitations/{made['id']}"),
    ]:
        assert_error(await http.request(method, path), 401, "unauthorized")
        refused = await http.request(method, path, headers=bearer(olga), json={})
        assert_error(refused, 403, "forbidden")
        assert made["token"] not in refused.text


async def test_links_name_the_public_address(admin: httpx.AsyncClient, accounts: Settings) -> None:
    accounts.OMNIGENT_ACCOUNTS_BASE_URL = "https://omnigent.example.org/"

    made = await invited(admin)

    assert made["url"] == f"https://omnigent.example.org/invite/{made['token']}"


def test_passwords_are_hashed_with_argon2(db: None, settings: Settings) -> None:
    settings.PASSWORD_HASHERS = product.PASSWORD_HASHERS

    assert make_person().password.startswith("argon2$argon2id$")


@pytest.mark.parametrize("mode", ["single-user", "header"])
@pytest.mark.parametrize("path", ["/v1/setup", "/v1/invitations/accept", "/v1/logout"])
async def test_elsewhere_there_are_no_accounts(
    http: httpx.AsyncClient, accounts: Settings, mode: str, path: str
) -> None:
    accounts.OMNIGENT_AUTH_MODE = mode

    assert_error(await http.post(path, json=account("x")), 404, "not_found")
