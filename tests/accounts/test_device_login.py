"""Device logins: a program without a browser gets a token once a person lets it in."""

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.apps import apps
from django.core import serializers
from django.utils import timezone
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from omnigent.accounts.models import AccessToken, DeviceLogin, User
from sessions_app.process import Process
from tests.accounts.browsing import follow, form_token, submit
from tests.accounts.people import BASE, ORIGIN, bearer, client_at, log_in, make_person, token_for
from tests.error_shape import assert_error, assert_invalid

pytestmark = pytest.mark.usefixtures("accounts")


@pytest.fixture
async def olga(process: Process, http: httpx.AsyncClient) -> User:
    """Olga, logged in with the client `http`."""
    person = await process.pool.run(make_person)
    await log_in(http)
    return person


@pytest.fixture
async def program(app: Gate) -> Any:
    """A client that is nobody, elsewhere."""
    async with client_at(app, "192.0.2.7") as client:
        yield client


async def begin(program: httpx.AsyncClient, **body: Any) -> dict[str, Any]:
    answer = await program.post("/v1/device/code", json={"client_name": "omnigent on laptop", **body})
    assert answer.status_code == 200, answer.text
    begun: dict[str, Any] = answer.json()
    return begun


async def poll(program: httpx.AsyncClient, begun: Mapping[str, Any]) -> httpx.Response:
    """Ask as a program does that has waited for its interval."""
    config: Any = apps.get_app_config("sessions_app")
    await config.process.pool.run(DeviceLogin.objects.update, polled_at=None)
    return await program.post("/v1/device/token", json={"device_code": begun["device_code"]})


def assert_refused(answer: httpx.Response, word: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["error"]) == (400, word), body
    assert body["detail"] == {"code": word, "message": body["error_description"]}
    assert body["error_description"]
    assert answer.headers["cache-control"] == "no-store"


async def decide(http: httpx.AsyncClient, user_code: str, decision: str = "approve") -> httpx.Response:
    return await submit(http, f"/device?user_code={user_code}", decision=decision, user_code=user_code)


async def test_a_program_gets_a_token_when_a_person_lets_it_in(
    http: httpx.AsyncClient, program: httpx.AsyncClient, olga: User, process: Process
) -> None:
    begun = await begin(program)
    assert re.fullmatch("[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}", begun["user_code"])
    assert begun["verification_uri"] == f"{BASE}/device"
    assert begun["verification_uri_complete"] == f"{BASE}/device?user_code={begun['user_code']}"
    assert (begun["expires_in"], begun["interval"]) == (600, 5)
    assert_refused(await poll(program, begun), "authorization_pending")

    page = await follow(http, f"/device?user_code={begun['user_code']}")
    assert "omnigent on laptop" in page.text
    assert "192.0.2.7" in page.text
    done = await decide(http, begun["user_code"])
    assert done.status_code == 200
    assert "omnigent on laptop" in done.text

    got = await poll(program, begun)
    assert got.headers["cache-control"] == "no-store"
    body = got.json()
    secret = body.pop("access_token")
    assert body == {"token_type": "Bearer", "scope": "write", "expires_in": 90 * 86400}
    assert (await program.get("/v1/me", headers=bearer(secret))).json()["user_id"] == "olga"
    token = await process.pool.run(AccessToken.objects.get)
    assert (token.name, token.scopes) == ("omnigent on laptop", ["write"])
    assert_refused(await poll(program, begun), "expired_token")


async def test_no_code_and_no_secret_is_stored(
    http: httpx.AsyncClient, program: httpx.AsyncClient, olga: User, process: Process
) -> None:
    begun = await begin(program)
    await decide(http, begun["user_code"])
    secret = (await poll(program, begun)).json()["access_token"]

    dump = await process.pool.run(
        lambda: serializers.serialize("json", [*DeviceLogin.objects.all(), *AccessToken.objects.all()])
    )

    for word in (begun["device_code"], begun["user_code"], begun["user_code"].replace("-", ""), secret):
        assert word not in dump


async def test_a_refused_program_gets_nothing(
    http: httpx.AsyncClient, program: httpx.AsyncClient, olga: User, process: Process
) -> None:
    begun = await begin(program)

    await decide(http, begun["user_code"], "deny")

    assert_refused(await poll(program, begun), "access_denied")
    assert not await process.pool.run(AccessToken.objects.exists)


async def test_a_decision_is_made_once(
    http: httpx.AsyncClient, program: httpx.AsyncClient, olga: User
) -> None:
    begun = await begin(program)
    await decide(http, begun["user_code"], "deny")

    again = await http.get(f"/device?user_code={begun['user_code']}")

    assert "unknown, used or expired" in again.text
    assert_refused(await poll(program, begun), "access_denied")


async def test_of_two_collectors_at_once_one_gets_the_token(
    http: httpx.AsyncClient, program: httpx.AsyncClient, olga: User, process: Process
) -> None:
    begun = await begin(program)
    await decide(http, begun["user_code"])

    body = {"device_code": begun["device_code"]}
    answers = await asyncio.gather(*(program.post("/v1/device/token", json=body) for _ in range(4)))

    assert sorted(answer.status_code for answer in answers) == [200, 400, 400, 400]
    assert await process.pool.run(AccessToken.objects.count) == 1


async def test_who_asks_too_often_is_told_to_slow_down(
    http: httpx.AsyncClient, program: httpx.AsyncClient, olga: User, process: Process
) -> None:
    begun = await begin(program)
    body = {"device_code": begun["device_code"]}
    assert_refused(await program.post("/v1/device/token", json=body), "authorization_pending")

    assert_refused(await program.post("/v1/device/token", json=body), "slow_down")

    assert (await process.pool.run(DeviceLogin.objects.get)).interval == 10
    assert_refused(await poll(program, begun), "authorization_pending")


@pytest.mark.parametrize("when", ["before the decision", "after it"])
async def test_codes_expire(
    http: httpx.AsyncClient, program: httpx.AsyncClient, olga: User, process: Process, when: str
) -> None:
    begun = await begin(program)
    if when == "after it":
        await decide(http, begun["user_code"])
    past = timezone.now() - timedelta(seconds=1)
    await process.pool.run(lambda: DeviceLogin.objects.update(expires_at=past))

    assert_refused(await poll(program, begun), "expired_token")
    assert "unknown, used or expired" in (await http.get(f"/device?user_code={begun['user_code']}")).text
    await begin(program)
    assert await process.pool.run(DeviceLogin.objects.count) == 1


async def test_a_person_who_is_locked_out_meanwhile_lets_nobody_in(
    http: httpx.AsyncClient, program: httpx.AsyncClient, olga: User, process: Process
) -> None:
    begun = await begin(program)
    await decide(http, begun["user_code"])
    await process.pool.run(lambda: User.objects.update(is_active=False))

    assert_refused(await poll(program, begun), "access_denied")
    assert not await process.pool.run(AccessToken.objects.exists)


async def test_a_code_is_read_however_it_is_typed(
    http: httpx.AsyncClient, program: httpx.AsyncClient, olga: User
) -> None:
    begun = await begin(program)
    typed = f" {begun['user_code'].replace('-', ' ').lower()} "

    assert "omnigent on laptop" in (await http.get("/device", params={"user_code": typed})).text


async def test_guessing_codes_is_throttled_and_own_codes_do_not_help(
    http: httpx.AsyncClient, program: httpx.AsyncClient, olga: User, accounts: Settings
) -> None:
    accounts.OMNIGENT_LOGIN_ATTEMPTS = 3
    own = await begin(program)

    for guess in ("BBBBBBBB", "CCCCCCCC"):
        assert (await http.get(f"/device?user_code={guess}")).status_code == 404
        assert (await http.get(f"/device?user_code={own['user_code']}")).status_code == 200
    assert (await http.get("/device?user_code=DDDDDDDD")).status_code == 404
    blocked = await http.get(f"/device?user_code={own['user_code']}")

    assert blocked.status_code == 429
    assert blocked.headers["retry-after"] == "300"


async def test_beginning_is_throttled_by_address(
    program: httpx.AsyncClient, app: Gate, accounts: Settings
) -> None:
    accounts.OMNIGENT_LOGIN_ADDRESS_ATTEMPTS = 2
    for _ in range(2):
        await begin(program)

    blocked = await program.post("/v1/device/code", json={})

    assert_error(blocked, 429, "rate_limited")
    assert blocked.headers["retry-after"] == "300"
    async with client_at(app, "192.0.2.8") as other:
        await begin(other)


async def test_an_approval_needs_the_forms_own_token(
    http: httpx.AsyncClient, program: httpx.AsyncClient, olga: User
) -> None:
    begun = await begin(program)
    form = {"user_code": begun["user_code"], "decision": "approve"}
    foreign = {"Origin": "https://elsewhere.example"}

    assert (await http.post("/device", data=form, headers=ORIGIN)).status_code == 403
    token = form_token((await http.get(f"/device?user_code={begun['user_code']}")).text)
    crossed = await http.post("/device", data={**form, "csrfmiddlewaretoken": token}, headers=foreign)
    assert crossed.status_code == 403
    assert_refused(await poll(program, begun), "authorization_pending")


async def test_neither_nobody_nor_a_token_decides(
    app: Gate, program: httpx.AsyncClient, process: Process
) -> None:
    secret = await process.pool.run(lambda: token_for(make_person("sven"), "write"))
    begun = await begin(program)

    lost = await program.get(f"/device?user_code={begun['user_code']}")
    assert lost.status_code == 302
    assert lost.headers["location"].startswith("/login?next=%2Fdevice%3Fuser_code")
    assert (await program.get("/device?user_code=BBBBBBBB", headers=bearer(secret))).status_code == 403
    assert_refused(await poll(program, begun), "authorization_pending")


async def test_an_auditors_program_only_reads(
    http: httpx.AsyncClient, program: httpx.AsyncClient, process: Process
) -> None:
    await process.pool.run(lambda: make_person("audrey", is_auditor=True))
    await log_in(http, "audrey")
    begun = await begin(program)
    await decide(http, begun["user_code"])

    headers = bearer((await poll(program, begun)).json()["access_token"])

    assert (await program.get("/v1/sessions", headers=headers)).status_code == 200
    assert_error(await program.post("/v1/sessions", headers=headers, json={}), 403, "forbidden")


async def test_an_uncollected_approval_can_be_withdrawn_and_a_collected_one_revoked(
    http: httpx.AsyncClient, program: httpx.AsyncClient, olga: User
) -> None:
    waiting, collected = await begin(program, client_name="waiting"), await begin(program, client_name="kept")
    await decide(http, waiting["user_code"])
    await decide(http, collected["user_code"])
    secret = (await poll(program, collected)).json()["access_token"]

    page = await http.get("/account")
    assert "waiting" in page.text
    assert "kept" in page.text
    for action in re.findall(r'action="(/account/(?:devices|tokens)/[^"]+)"', page.text):
        await submit(http, "/account", action=action)

    assert_refused(await poll(program, waiting), "access_denied")
    assert (await program.get("/v1/me", headers=bearer(secret))).status_code == 401
    assert "kept" not in (await http.get("/account")).text


async def test_by_a_proxy_people_let_programs_in_too(
    proxied: Settings, app: Gate, program: httpx.AsyncClient
) -> None:
    begun = await begin(program)
    async with client_at(app, "10.1.0.9", headers={"X-Forwarded-Email": "vera@example.org"}) as vera:
        done = await decide(vera, begun["user_code"])

    assert done.status_code == 200
    secret = (await poll(program, begun)).json()["access_token"]
    assert (await program.get("/v1/me", headers=bearer(secret))).json()["user_id"] == "vera@example.org"


@pytest.mark.parametrize("path", ["/v1/device/code", "/v1/device/token"])
async def test_in_single_user_mode_no_login_is_needed(
    http: httpx.AsyncClient, accounts: Settings, path: str
) -> None:
    accounts.OMNIGENT_AUTH_MODE = "single-user"

    answer = await http.post(path, json={"device_code": "x"})

    assert_error(answer, 400, "invalid_input", "No login is needed in single-user mode")
    assert (await http.get("/device")).status_code == 404


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/device/code", {"client_name": ""}),
        ("/v1/device/code", {"client_name": "x" * 101}),
        ("/v1/device/code", {"client_name": "nice\u202eeman"}),
        ("/v1/device/code", {"client_name": "a\nb"}),
        ("/v1/device/code", {"client_name": 1}),
        ("/v1/device/code", {"scope": "admin"}),
        ("/v1/device/token", {}),
        ("/v1/device/token", {"device_code": 1}),
        ("/v1/device/token", []),
    ],
)
async def test_what_is_no_device_login_is_422(program: httpx.AsyncClient, path: str, body: object) -> None:
    assert_invalid(await program.post(path, json=body), "body")
