"""A first frame says what a runner or a host can do, and nothing about whose it is or what it may do."""

from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from omnigent.ids import runner_id_for
from sessions_app.models import Grant, Host, Lease, Runner, Session
from sessions_app.process import Process
from tests.accounts.people import bearer, make_person, token_for
from tests.api_plumbing.asgi_client import call
from tests.factories import make_host, make_runner, make_session
from tests.security.people import (
    BINDING,
    HELLO,
    HOST,
    HOST_HELLO,
    OTHER_HOST,
    RUNNER,
    TOKEN_HEADER,
    host_tunnel,
    runner_tunnel,
    text_of,
)
from tests.stream.servers import until

VICTIM = runner_id_for("the binding token of somebody else's runner")
CLAIMS: list[tuple[str, dict[str, Any]]] = [
    ("owner", {"owner": "eve"}),
    ("user_id", {"user_id": "eve", "principal": {"user_id": "eve", "is_admin": True}}),
    ("is_admin", {"is_admin": True, "scopes": ["admin", "write"], "kind_of": "user"}),
    ("runner_id", {"runner_id": VICTIM, "id": VICTIM, "public_id": VICTIM, "name": VICTIM}),
    ("host_id", {"host_id": OTHER_HOST, "session_id": "conv_1", "sessions": ["conv_1"]}),
    ("process_id of another", {"process_id": "process of the victim"}),
    ("capabilities", {"capabilities": ["admin", "owner:eve", "event-ack-v1", "session-event-ingest-v1"]}),
    ("revoked_at", {"revoked_at": None, "exited_at": None, "generation": 10**9}),
]


def scene() -> None:
    """Olga's runner and host, eve's, and a session on each, at work."""
    for name in ("olga", "eve"):
        make_person(name)
    make_runner(BINDING, owner="olga", host_id=HOST, online=False)
    make_runner(
        "the binding token of somebody else's runner",
        owner="eve",
        host_id=OTHER_HOST,
        process_id="process of the victim",
    )
    make_host(public_id=OTHER_HOST, owner="eve", name="eve's", online=False)
    make_session(owner="olga", runner_id=RUNNER)
    make_session(owner="eve", runner_id=VICTIM, status="running")


def belongings() -> list[Any]:
    """Whose everything is, and all that there is of eve."""
    own = ("public_id", "owner", "host_id", "session_id")
    return [
        list(Runner.objects.order_by("pk").values_list(*own)),
        list(Runner.objects.filter(owner="eve").values()),
        list(Host.objects.filter(owner="eve").values()),
        list(Session.objects.filter(runner_id=VICTIM).values()),
        list(Session.objects.order_by("pk").values_list("public_id", "runner_id", "host_id", "created_by")),
        list(Grant.objects.order_by("pk").values_list("session", "user_id", "level")),
        list(Lease.objects.filter(name=VICTIM).values("generation", "holder", "closed_at")),
    ]


@pytest.mark.parametrize("claim", [pytest.param(claim, id=name) for name, claim in CLAIMS])
async def test_what_a_runner_claims_of_itself_gives_it_nothing(
    process: Process, app: Gate, claim: dict[str, Any]
) -> None:
    await process.pool.run(scene)
    before = await process.pool.run(belongings)

    async with runner_tunnel(app) as socket:
        socket.text(text_of(HELLO, **claim))
        await until(lambda: process.tunnels.get("runner", RUNNER))

        assert process.tunnels.get("runner", VICTIM) is None
        minted = await call(app, "POST", f"/v1/runners/{RUNNER}/token", headers={TOKEN_HEADER: BINDING})
        headers = {**bearer(minted.json["token"]), TOKEN_HEADER: BINDING}
        me = await call(app, "GET", "/v1/me", headers=headers)
        listed = await call(app, "GET", "/v1/sessions", headers=headers)
        users = await call(app, "GET", "/v1/users", headers=headers)

    assert me.json == {"user_id": "olga", "is_admin": False}
    assert {one["runner_id"] for one in listed.json["data"]} == {RUNNER}
    assert users.status == 403
    assert await process.pool.run(belongings) == before


async def test_a_runner_that_began_anew_fails_its_own_work_only(process: Process, app: Gate) -> None:
    def busy() -> None:
        scene()
        Session.objects.filter(runner_id=RUNNER).update(status="running")
        Runner.objects.filter(public_id=RUNNER).update(process_id="an earlier one")

    await process.pool.run(busy)
    async with runner_tunnel(app) as socket:
        socket.text(text_of(HELLO, process_id="process of the victim"))
        await until(lambda: process.pool.run(statuses_are, RUNNER, ["failed"]))

    assert await process.pool.run(statuses_are, VICTIM, ["running"])


def statuses_are(runner_id: str, wanted: list[str]) -> bool:
    return list(Session.objects.filter(runner_id=runner_id).values_list("status", flat=True)) == wanted


HOST_CLAIMS: list[tuple[str, dict[str, Any]]] = [
    ("owner", {"owner": "eve", "user_id": "eve", "is_admin": True}),
    ("host_id", {"host_id": OTHER_HOST, "id": OTHER_HOST, "public_id": OTHER_HOST}),
    ("runners of another host", {"runners": [VICTIM]}),
    ("name of another host", {"name": "eve's"}),
    ("capabilities", {"capabilities": ["admin", "owner:eve"]}),
]


@pytest.mark.parametrize("claim", [pytest.param(claim, id=name) for name, claim in HOST_CLAIMS])
async def test_what_a_host_claims_of_itself_gives_it_nothing(
    process: Process, app: Gate, claim: dict[str, Any]
) -> None:
    def prepare() -> str:
        scene()
        from_olga = make_person("olga's other self")
        return token_for(from_olga, "host")

    secret = await process.pool.run(prepare)
    before = await process.pool.run(belongings)

    async with host_tunnel(app, bearer(secret)) as socket:
        socket.text(text_of(HOST_HELLO, **claim))
        await until(lambda: process.tunnels.get("host", HOST))
        assert process.tunnels.get("host", OTHER_HOST) is None
        exited = {"kind": "host.runner_exited", "runner_id": VICTIM, "error": "gone", "had_connected": True}
        socket.text(text_of(exited, host_id=OTHER_HOST))
        # Frames are taken in order: once this one has its effect, the one before has had its own.
        socket.text(text_of({"kind": "host.harness_readiness", "configured_harnesses": {"pi": True}}))
        await until(lambda: process.pool.run(is_ready, HOST))

    host = await process.pool.run(lambda: Host.objects.get(public_id=HOST))
    assert host.owner == "olga's other self"
    assert await process.pool.run(belongings) == before


def is_ready(host_id: str) -> bool:
    return Host.objects.filter(public_id=host_id, configured_harnesses={"pi": True}).exists()


@pytest.mark.parametrize(
    "header",
    ["X-Omnigent-Host-Token", "X-Forwarded-Email", "X-Forwarded-User", "X-Omnigent-User", "X-Remote-User"],
)
async def test_no_header_makes_somebody_known(process: Process, app: Gate, header: str) -> None:
    await process.pool.run(scene)

    me = await call(app, "GET", "/v1/sessions", headers={header: "olga"})
    async with host_tunnel(app, {header: "olga"}) as socket:
        first = await socket.next()

    assert me.status == 401
    assert (first["type"], first["status"]) == ("websocket.http.response.start", 401)
