"""Hosts and runners outside single-user mode: whose credential opens a tunnel, and what a runner may do."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest
from django.core import signing

from omnigent.accounts import bearers
from omnigent.accounts.gate import Gate
from omnigent.accounts.models import AccessToken, User
from omnigent.ids import runner_id_for
from omnigent.protocol.frames import ORIGIN as SENTINEL
from sessions_app.models import Host, Runner, Session
from sessions_app.process import Process
from tests.accounts.people import bearer, make_person, token_for
from tests.api_plumbing.asgi_client import Socket
from tests.error_shape import assert_error
from tests.factories import make_host, make_runner, make_session
from tests.inputs.waiting import eventually, until

HOST = "0123456789abcdef0123456789abcdef"
HEADER = "X-Omnigent-Runner-Tunnel-Token"
TOKEN = "a binding token that a launch minted"
RUNNER = runner_id_for(TOKEN)
HELLO = orjson.dumps(
    {"kind": "hello", "runner_version": "0.19.0", "frame_protocol_version": 1, "harnesses": ["codex"]}
).decode()
HOST_HELLO = orjson.dumps(
    {"kind": "host.hello", "version": "0.19.0", "frame_protocol_version": 1, "name": "vm", "runners": []}
).decode()

pytestmark = pytest.mark.usefixtures("accounts")


def dial(app: Gate, path: str, headers: Mapping[str, str], *, denial: bool = True) -> Socket:
    return Socket(app, path, headers={"Origin": SENTINEL, **headers}, denial=denial)


def host_tunnel(app: Gate, headers: Mapping[str, str], **options: Any) -> Socket:
    return dial(app, f"/v1/hosts/{HOST}/tunnel", headers, **options)


def runner_tunnel(app: Gate, headers: Mapping[str, str], name: str = RUNNER) -> Socket:
    return dial(app, f"/v1/runners/{name}/tunnel", headers)


async def outcome(socket: Socket) -> tuple[str, int]:
    """(accepted, 0), (closed, code after acceptance) or (refused, status)."""
    async with socket:
        first = await socket.next()
        if first["type"] == "websocket.http.response.start":
            return "refused", first["status"]
        if first["type"] == "websocket.close":
            return "refused", first["code"]
        socket.text("not a hello")
        while (message := await socket.next())["type"] == "websocket.send":
            continue  # a host is told why
        return ("accepted", 0) if message["code"] == 4001 else ("closed", message["code"])


@pytest.fixture
async def olga(process: Process) -> User:
    return await process.pool.run(make_person)


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        (("host",), ("accepted", 0)),
        (("write",), ("accepted", 0)),
        (("read", "host"), ("accepted", 0)),
        (("read",), ("refused", 403)),
    ],
    ids=str,
)
async def test_a_host_dials_in_with_its_owners_token(
    app: Gate, process: Process, olga: User, scopes: tuple[str, ...], expected: tuple[str, int]
) -> None:
    secret = await process.pool.run(token_for, olga, *scopes)

    assert await outcome(host_tunnel(app, bearer(secret))) == expected


async def test_a_host_belongs_to_whose_token_it_showed(app: Gate, process: Process, olga: User) -> None:
    secret = await process.pool.run(token_for, olga, "host")
    async with host_tunnel(app, bearer(secret)) as socket:
        assert (await socket.next())["type"] == "websocket.accept"
        socket.text(HOST_HELLO)
        await until(lambda: process.tunnels.get("host", HOST))

        assert await process.pool.run(lambda: Host.objects.get().owner) == "olga"


@pytest.mark.parametrize(
    "headers", [{}, bearer("omni_pat_wrong"), {HEADER: TOKEN}, {"X-Forwarded-Email": "olga"}], ids=str
)
async def test_a_host_without_a_credential_is_refused(
    app: Gate, process: Process, olga: User, headers: Mapping[str, str]
) -> None:
    assert await outcome(host_tunnel(app, headers)) == ("refused", 401)
    assert not await process.pool.run(Host.objects.exists)


async def test_a_host_id_cannot_be_taken_over(app: Gate, process: Process, olga: User) -> None:
    eve = await process.pool.run(make_person, "eve")
    secret = await process.pool.run(token_for, eve, "host")
    await process.pool.run(lambda: make_host(public_id=HOST, owner="olga", online=False))

    assert await outcome(host_tunnel(app, bearer(secret))) == ("refused", 409)
    assert await outcome(host_tunnel(app, bearer(secret), denial=False)) == ("closed", 4009)
    assert await process.pool.run(lambda: Host.objects.get().owner) == "olga"


async def test_an_auditor_runs_no_host(app: Gate, process: Process) -> None:
    secret = await process.pool.run(lambda: token_for(make_person("aud", is_auditor=True), "host"))

    assert await outcome(host_tunnel(app, bearer(secret))) == ("refused", 403)


async def test_a_launched_runner_dials_in_with_its_binding_token(
    app: Gate, process: Process, olga: User
) -> None:
    await process.pool.run(
        lambda: make_runner(TOKEN, owner="olga", host_id=HOST, online=False, said_hello_at=None)
    )
    async with runner_tunnel(app, {HEADER: TOKEN}) as socket:
        assert (await socket.next())["type"] == "websocket.accept"
        socket.text(HELLO)
        await until(lambda: process.tunnels.get("runner", RUNNER))

    assert await process.pool.run(lambda: Runner.objects.get().owner) == "olga"


@pytest.mark.parametrize(
    ("headers", "name", "expected"),
    [
        ({}, RUNNER, ("refused", 401)),
        ({}, "runner_1", ("refused", 401)),
        ({HEADER: "wrong"}, RUNNER, ("closed", 4004)),
        ({HEADER: "wrong"}, runner_id_for("wrong"), ("refused", 401)),
        ({HEADER: TOKEN}, "runner_1", ("closed", 4004)),
    ],
    ids=["nothing", "nothing, own id", "another's token", "a token nobody minted", "another id"],
)
async def test_other_runners_are_turned_away(
    app: Gate,
    process: Process,
    olga: User,
    headers: Mapping[str, str],
    name: str,
    expected: tuple[str, int],
) -> None:
    await process.pool.run(lambda: make_runner(TOKEN, owner="olga", host_id=HOST, online=False))

    assert await outcome(runner_tunnel(app, headers, name)) in (expected, ("closed", 4004))
    assert await process.pool.run(Runner.objects.count) == 1


@pytest.mark.parametrize("owner", ["gone", "local", "nobody", "aud"])
async def test_a_runner_whose_owner_may_not_run_any_is_refused(
    app: Gate, http: httpx.AsyncClient, process: Process, owner: str
) -> None:
    def prepare() -> None:
        make_person("gone", is_active=False)
        make_person("aud", is_auditor=True)
        make_runner(TOKEN, owner=owner, online=False)

    await process.pool.run(prepare)

    assert await outcome(runner_tunnel(app, {HEADER: TOKEN})) == ("refused", 401)
    refused = await http.post(f"/v1/runners/{RUNNER}/token", headers={HEADER: TOKEN})
    assert_error(refused, 401, "unauthorized")


async def test_somebody_starts_a_runner_of_their_own(app: Gate, process: Process, olga: User) -> None:
    secret = await process.pool.run(token_for, olga, "host")
    async with runner_tunnel(app, {**bearer(secret), HEADER: TOKEN}) as socket:
        assert (await socket.next())["type"] == "websocket.accept"
        socket.text(HELLO)
        await until(lambda: process.tunnels.get("runner", RUNNER))

    eve = await process.pool.run(lambda: token_for(make_person("eve"), "host"))
    assert await process.pool.run(lambda: Runner.objects.get().owner) == "olga"
    assert await outcome(runner_tunnel(app, {**bearer(eve), HEADER: TOKEN})) == ("refused", 401)


async def test_the_binding_token_gets_a_bearer_for_the_runners_own_sessions(
    http: httpx.AsyncClient, process: Process, olga: User
) -> None:
    def prepare() -> tuple[Session, Session]:
        make_runner(TOKEN, owner="olga", host_id=HOST, online=False)
        return make_session(owner="olga", runner_id=RUNNER), make_session(owner="olga")

    bound, other = await process.pool.run(prepare)

    answer = await http.post(f"/v1/runners/{RUNNER}/token", headers={HEADER: TOKEN})

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert abs(answer.json()["expires_at"] - time.time() - 1800) < 30
    runner = bearer(answer.json()["token"])
    for headers in (runner, {**runner, HEADER: TOKEN}):
        assert (await http.get(f"/v1/sessions/{bound.public_id}", headers=headers)).status_code == 200
        assert_error(await http.get(f"/v1/sessions/{other.public_id}", headers=headers), 404, "not_found")
        me = await http.get("/v1/me", headers=headers)
        assert me.json() == {"user_id": "olga", "is_admin": False}
    mixed = await http.get("/v1/me", headers={**runner, HEADER: "another"})
    assert mixed.status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [({}, 401), ({HEADER: "another"}, 403), ({HEADER: ""}, 401)],
    ids=["nothing", "another", "empty"],
)
async def test_nobody_else_gets_that_bearer(
    http: httpx.AsyncClient, process: Process, olga: User, headers: Mapping[str, str], status: int
) -> None:
    await process.pool.run(lambda: make_runner(TOKEN, owner="olga", online=False))

    refused = await http.post(f"/v1/runners/{RUNNER}/token", headers=headers)

    assert refused.status_code == status
    assert "omni_run_" not in refused.text


async def test_not_even_the_owner_without_the_binding_token(
    http: httpx.AsyncClient, process: Process, olga: User
) -> None:
    await process.pool.run(lambda: make_runner(TOKEN, owner="olga", online=False))
    secret = await process.pool.run(token_for, olga)

    refused = await http.post(f"/v1/runners/{RUNNER}/token", headers=bearer(secret))

    assert_error(refused, 403, "forbidden")


async def test_a_runners_bearer_cannot_be_made_up_or_outlive_its_term(
    http: httpx.AsyncClient, process: Process, olga: User
) -> None:
    await process.pool.run(lambda: make_session(owner="olga", runner_id=RUNNER))
    held = {"runner": RUNNER, "owner": "olga"}
    good = bearers.runner_bearer(runner_id=RUNNER, owner="olga").token
    signer = signing.TimestampSigner(salt=bearers.RUNNER_SALT)
    body, _, _ = signer.unsign(good.removeprefix(bearers.RUNNER_PREFIX)).partition(":")

    class Earlier(signing.TimestampSigner):
        def timestamp(self) -> str:
            return signing.b62_encode(int(time.time()) - bearers.RUNNER_SECONDS - 1)

    forged = [
        bearers.RUNNER_PREFIX + signing.dumps(held, salt="another"),
        bearers.RUNNER_PREFIX + signing.dumps(held, key="another key", salt=bearers.RUNNER_SALT),
        bearers.RUNNER_PREFIX + Earlier(salt=bearers.RUNNER_SALT).sign(body),
        good[:-1] + ("A" if good[-1] != "A" else "B"),
    ]

    assert (await http.get("/v1/sessions", headers=bearer(good))).status_code == 200
    for secret in forged:
        assert_error(await http.get("/v1/sessions", headers=bearer(secret)), 401, "unauthorized")


async def test_in_single_user_mode_no_bearer_is_needed(http: httpx.AsyncClient, accounts: Any) -> None:
    accounts.OMNIGENT_AUTH_MODE = "single-user"

    answer = await http.post(f"/v1/runners/{RUNNER}/token", headers={HEADER: TOKEN})

    assert_error(answer, 400, "invalid_input")


async def test_a_host_is_cut_off_when_its_token_has_expired(
    app: Gate, process: Process, olga: User, accounts: Any
) -> None:
    accounts.OMNIGENT_ACCESS_RECHECK_SECONDS = 0.05
    secret = await process.pool.run(lambda: token_for(olga, "host", lifetime=timedelta(hours=1)))
    async with host_tunnel(app, bearer(secret)) as socket:
        await socket.next()
        socket.text(HOST_HELLO)
        await until(lambda: process.tunnels.get("host", HOST))
        await process.pool.run(
            lambda: AccessToken.objects.update(expires_at=AccessToken.objects.get().created_at)
        )

        async def is_closed() -> bool:
            socket.text('{"kind":"pong","ts":1}')
            return socket.outgoing.qsize() > 0 and (await socket.next())["type"] == "websocket.close"

        await eventually(is_closed, "the tunnel is closed")
