"""Whoever loses a right loses the connections that it opened, within seconds."""

import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from omnigent.accounts.gate import Gate
from omnigent.accounts.models import AccessToken, User
from sessions_app.models import Session
from sessions_app.process import Process
from tests.accounts.people import ORIGIN, bearer, client_at, log_in, make_admin, make_person, token_for
from tests.accounts.test_tunnels import (
    HEADER,
    HELLO,
    HOST,
    HOST_HELLO,
    RUNNER,
    TOKEN,
    host_tunnel,
    runner_tunnel,
)
from tests.api_plumbing.asgi_client import Socket
from tests.factories import make_runner, make_session
from tests.inputs.waiting import until
from tests.stream.reader import Reader

SECONDS = 5.0
REPLACED = 4000
"""Everybody redials after it; whose credential has ended is refused then."""

pytestmark = pytest.mark.usefixtures("accounts")


@pytest.fixture
async def olga(process: Process) -> User:
    return await process.pool.run(make_person)


@pytest.fixture
async def session(process: Process, olga: User) -> Session:
    return await process.pool.run(lambda: make_session(owner="olga"))


async def close_code(socket: Socket) -> int:
    """The code with which the server closes, soon."""
    async with asyncio.timeout(SECONDS):
        while (message := await socket.next())["type"] != "websocket.close":
            pass
    return int(message["code"])


def deactivate() -> None:
    """As the admin's form does it."""
    person = User.objects.get(username="olga")
    person.is_active = False
    person.save()


def delete() -> None:
    User.objects.get(username="olga").delete()


async def revoke_by_api(app: Gate) -> None:
    async with client_at(app, headers=ORIGIN) as http:
        await log_in(http)
        token = (await http.get("/v1/tokens")).json()["data"][0]
        assert (await http.delete(f"/v1/tokens/{token['id']}")).status_code == 200


async def revoke_by_admin(app: Gate, process: Process) -> None:
    """Through the admin's list of tokens."""
    await process.pool.run(make_admin)
    pk = await process.pool.run(lambda: AccessToken.objects.get(user__username="olga").pk)
    async with client_at(app, headers=ORIGIN) as http:
        await log_in(http, "ada")
        form = {
            "action": "revoke",
            "_selected_action": str(pk),
            "csrfmiddlewaretoken": http.cookies["csrftoken"],
        }
        assert (await http.post("/admin/accounts/accesstoken/", data=form)).status_code == 302
    assert await process.pool.run(lambda: AccessToken.objects.get(pk=pk).revoked_at is not None)


@pytest.mark.parametrize("way", ["api", "admin", "deactivated", "deleted"])
async def test_a_stream_opened_with_a_token_ends(
    app: Gate, process: Process, olga: User, session: Session, way: str
) -> None:
    secret = await process.pool.run(token_for, olga, "read")
    other = await process.pool.run(lambda: token_for(make_admin("root"), "admin"))
    async with (
        Reader(app, session.public_id, headers=bearer(secret)) as reader,
        Reader(app, session.public_id, headers=bearer(other)) as staying,
    ):
        assert reader.status == staying.status == 200

        match way:
            case "api":
                await revoke_by_api(app)
            case "admin":
                await revoke_by_admin(app, process)
            case "deactivated":
                await process.pool.run(deactivate)
            case "deleted":
                await process.pool.run(delete)

        await reader.until(lambda: reader.is_finished, SECONDS)
        assert reader.raw.endswith(b"data: [DONE]\n\n")
        assert not staying.is_finished


async def log_out(http: httpx.AsyncClient, process: Process) -> None:
    assert (await http.post("/v1/logout", headers=ORIGIN)).status_code == 204


async def change_password(http: httpx.AsyncClient, process: Process) -> None:
    def change() -> None:
        person = User.objects.get(username="olga")
        person.set_password("another fine passphrase")
        person.save()

    await process.pool.run(change)


@pytest.mark.parametrize("change", [log_out, change_password])
async def test_a_stream_opened_by_a_login_ends_with_it(
    app: Gate, http: httpx.AsyncClient, process: Process, session: Session, change: Callable[..., Any]
) -> None:
    await log_in(http)
    cookie = {"Cookie": f"ap_session={http.cookies['ap_session']}"}
    async with Reader(app, session.public_id, headers=cookie) as reader:
        assert reader.status == 200

        await change(http, process)

        await reader.until(lambda: reader.is_finished, SECONDS)


async def test_a_lost_bell_costs_one_interval(
    app: Gate, process: Process, olga: User, session: Session, accounts: Any
) -> None:
    accounts.OMNIGENT_ACCESS_RECHECK_SECONDS = 0.2
    accounts.OMNIGENT_HEARTBEAT_SECONDS = 0.1
    secret = await process.pool.run(token_for, olga, "read")
    async with Reader(app, session.public_id, headers=bearer(secret)) as reader:
        await process.pool.run(lambda: User.objects.update(is_active=False))

        await reader.until(lambda: reader.is_finished, SECONDS)


async def test_a_demoted_administrators_stream_ends(app: Gate, process: Process, session: Session) -> None:
    secret = await process.pool.run(lambda: token_for(make_admin(), "admin"))
    async with Reader(app, session.public_id, headers=bearer(secret)) as reader:
        assert reader.status == 200

        def demote() -> None:
            person = User.objects.get(username="ada")
            person.is_staff = False
            person.save()

        await process.pool.run(demote)

        await reader.until(lambda: reader.is_finished, SECONDS)


@pytest.mark.parametrize("change", ["revoked", "deactivated"])
async def test_a_hosts_tunnel_ends_with_its_token_and_does_not_come_back(
    app: Gate, process: Process, olga: User, change: str
) -> None:
    secret = await process.pool.run(token_for, olga, "host")
    async with host_tunnel(app, bearer(secret)) as socket:
        await socket.next()
        socket.text(HOST_HELLO)
        await until(lambda: process.tunnels.get("host", HOST))

        await (revoke_by_api(app) if change == "revoked" else process.pool.run(deactivate))

        assert await close_code(socket) == REPLACED
    async with host_tunnel(app, bearer(secret)) as again:
        assert (await again.next())["status"] == 401


async def test_a_closed_accounts_runners_are_cut_off(app: Gate, process: Process, olga: User) -> None:
    await process.pool.run(lambda: make_runner(TOKEN, owner="olga", host_id=HOST, online=False))
    async with runner_tunnel(app, {HEADER: TOKEN}) as socket:
        await socket.next()
        socket.text(HELLO)
        await until(lambda: process.tunnels.get("runner", RUNNER))

        await process.pool.run(deactivate)

        assert await close_code(socket) == REPLACED
    async with runner_tunnel(app, {HEADER: TOKEN}) as again:
        assert (await again.next())["status"] == 401


async def test_a_login_or_a_use_disturbs_nobody(
    app: Gate, http: httpx.AsyncClient, process: Process, olga: User
) -> None:
    secret = await process.pool.run(token_for, olga, "host")
    async with host_tunnel(app, bearer(secret)) as socket:
        await socket.next()
        socket.text(HOST_HELLO)
        tunnel = await until(lambda: process.tunnels.get("host", HOST))

        await log_in(http)
        await http.get("/v1/me", headers=bearer(secret))
        await process.pool.run(lambda: User.objects.get().save())

        socket.text(orjson.dumps({"kind": "pong", "ts": 1}).decode())
        assert process.tunnels.get("host", HOST) is tunnel
        assert not tunnel.lost.is_set()
