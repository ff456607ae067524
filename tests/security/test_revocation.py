"""When a runner's binding token and its bearers end, and that nobody comes back with them."""

from collections.abc import Callable

import orjson
import pytest

from omnigent.accounts.gate import Gate
from omnigent.accounts.models import User
from sessions_app.models import Runner, Session
from sessions_app.process import Process
from sessions_app.services import fleet, launching
from tests.accounts.people import bearer, make_person, token_for
from tests.api_plumbing.asgi_client import Reply, Socket, call
from tests.factories import make_runner, make_session
from tests.security.people import BINDING, HELLO, HOST, RUNNER, TOKEN_HEADER, runner_tunnel, text_of
from tests.stream.servers import until

REFUSED_AFTER_ACCEPT = ["websocket.accept", "websocket.close"]
MINT = f"/v1/runners/{RUNNER}/token"


def scene(host_id: str = HOST) -> str:
    """Olga's session on a runner, and a token of hers."""
    runner = make_runner(BINDING, owner="olga", host_id=host_id, online=False)
    session = make_session(owner="olga", runner_id=runner.public_id, host_id=HOST)
    Runner.objects.update(session_id=session.pk)
    return token_for(make_person("olga"))


def stop() -> None:
    launching.record_stop(session_pk=Session.objects.get().pk, runner_id=RUNNER)


def report() -> None:
    fleet.runner_exited(runner_id=RUNNER, host_id=HOST, report="exit code 0", had_connected=True)


async def show_binding(app: Gate) -> Reply:
    return await call(app, "POST", MINT, headers={TOKEN_HEADER: BINDING})


async def first_two(socket: Socket) -> list[str]:
    return [(await socket.next())["type"] for _ in range(2)]


@pytest.mark.parametrize("end", [pytest.param(stop, id="stopped"), pytest.param(report, id="exited")])
async def test_the_token_of_a_runner_that_has_ended_is_good_for_nothing(
    process: Process, app: Gate, end: Callable[[], None]
) -> None:
    await process.pool.run(scene)
    minted = await show_binding(app)
    shown = bearer(minted.json["token"])
    session_id = await process.pool.run(lambda: str(Session.objects.get().public_id))
    before = await call(app, "GET", f"/v1/sessions/{session_id}", headers=shown)

    await process.pool.run(end)

    after = await call(app, "GET", f"/v1/sessions/{session_id}", headers=shown)
    again = await show_binding(app)
    assert (before.status, after.status, again.status) == (200, 404, 401)
    assert b"omni_run_" not in again.body
    async with runner_tunnel(app) as socket:
        assert await first_two(socket) == REFUSED_AFTER_ACCEPT
    assert process.tunnels.get("runner", RUNNER) is None


async def test_a_deleted_session_takes_its_runners_token_along(process: Process, app: Gate) -> None:
    secret = await process.pool.run(scene)
    session_id = await process.pool.run(lambda: str(Session.objects.get().public_id))

    deleted = await call(app, "DELETE", f"/v1/sessions/{session_id}", headers=bearer(secret))

    assert deleted.status == 200, deleted.body
    assert (await show_binding(app)).status == 401
    async with runner_tunnel(app) as socket:
        assert await first_two(socket) == REFUSED_AFTER_ACCEPT


async def test_another_hosts_report_revokes_nothing(process: Process, app: Gate) -> None:
    await process.pool.run(lambda: scene(host_id="f" * 32))

    await process.pool.run(report)

    assert (await show_binding(app)).status == 200


async def test_a_runner_started_by_hand_may_come_back_after_a_stop(process: Process, app: Gate) -> None:
    await process.pool.run(lambda: scene(host_id=""))

    await process.pool.run(stop)

    async with runner_tunnel(app) as socket:
        socket.text(text_of(HELLO))
        await until(lambda: process.tunnels.get("runner", RUNNER))


async def test_a_session_that_another_runner_took_is_gone_for_the_first(process: Process, app: Gate) -> None:
    secret = await process.pool.run(scene)
    shown = bearer((await show_binding(app)).json["token"])
    other = await process.pool.run(lambda: make_runner("another", owner="olga", online=False).public_id)
    path = f"/v1/sessions/{await process.pool.run(lambda: str(Session.objects.get().public_id))}"
    headers = {**bearer(secret), "content-type": "application/json"}

    bound = await call(app, "PATCH", path, orjson.dumps({"runner_id": other}), headers)

    assert bound.status == 200, bound.body
    assert (await call(app, "GET", path, headers=shown)).status == 404


async def test_a_runner_is_bound_to_sessions_of_its_owner_only(process: Process, app: Gate) -> None:
    await process.pool.run(scene)

    def of_eve() -> tuple[str, str]:
        session = make_session(owner="eve")
        return token_for(make_person("eve")), str(session.public_id)

    secret, session_id = await process.pool.run(of_eve)
    headers = {**bearer(secret), "content-type": "application/json"}

    taken = await call(
        app, "PATCH", f"/v1/sessions/{session_id}", orjson.dumps({"runner_id": RUNNER}), headers
    )

    assert taken.status == 400, taken.body
    unbound = Session.objects.filter(public_id=session_id).values_list("runner_id", flat=True)
    assert await process.pool.run(unbound.get) == ""


async def test_a_locked_out_owners_runner_gets_nothing(process: Process, app: Gate) -> None:
    await process.pool.run(scene)
    shown = bearer((await show_binding(app)).json["token"])

    await process.pool.run(lambda: User.objects.filter(username="olga").update(is_active=False))

    assert (await call(app, "GET", "/v1/me", headers=shown)).status == 401
    assert (await show_binding(app)).status == 401
    async with runner_tunnel(app) as socket:
        assert (await socket.next())["type"] == "websocket.http.response.start"
