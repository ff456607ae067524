"""On a server with many people: whose hosts may be looked at, and whose sessions launched, by whom."""

from collections.abc import Mapping

import httpx
import pytest
from pytest_django import Settings

from omnigent.ids import runner_id_for
from sessions_app.models import Grant
from tests.accounts.people import bearer, make_admin, make_person, token_for
from tests.error_shape import assert_error
from tests.factories import make_host, make_runner, make_session
from tests.inputs.rig import Rig

TOKEN = "binding"
RUNNER_HEADER = "X-Omnigent-Runner-Tunnel-Token"

Scene = tuple[str, dict[str, str], dict[str, Mapping[str, str]]]


def build() -> Scene:
    """Olga's session, a host of each of three people, and everybody's headers."""
    cast: dict[str, Mapping[str, str]] = {}
    hosts: dict[str, str] = {}
    for name in ("olga", "rita", "eve"):
        person = make_person(name)
        cast[name] = bearer(token_for(person))
        hosts[name] = make_host(owner=name).public_id
        if name == "olga":
            cast["olgas host"] = bearer(token_for(person, "host"))
    cast["admin"] = bearer(token_for(make_admin(), "admin"))
    session = make_session(owner="olga")
    Grant.objects.create(session=session, user_id="rita", level=2)
    make_runner(TOKEN, owner="olga", host_id=hosts["olga"])
    make_session(owner="olga", runner_id=runner_id_for(TOKEN))
    return session.public_id, hosts, cast


@pytest.fixture
def quick(settings: Settings) -> Settings:
    """A server where people log in."""
    settings.OMNIGENT_AUTH_MODE = "accounts"
    settings.OMNIGENT_OUTBOX_SECONDS = 0.2
    return settings


@pytest.fixture
async def scene(rig: Rig) -> Scene:
    return await rig.run(build)


async def launch(http: httpx.AsyncClient, scene: Scene, who: str, host_of: str) -> httpx.Response:
    session_id, hosts, cast = scene
    body = {"session_id": session_id, "workspace": "/srv"}
    return await http.post(f"/v1/hosts/{hosts[host_of]}/runners", json=body, headers=dict(cast[who]))


async def test_a_session_is_launched_by_its_owner_on_the_owners_host_only(rig: Rig, scene: Scene) -> None:
    assert_error(await launch(rig.http, scene, "eve", "eve"), 404, "not_found", "Session not found")
    assert_error(await launch(rig.http, scene, "rita", "rita"), 403, "forbidden")
    assert_error(await launch(rig.http, scene, "olga", "rita"), 403, "forbidden", "not your host")
    assert_error(await launch(rig.http, scene, "admin", "olga"), 403, "forbidden", "not your host")

    row = await rig.row(scene[0])
    assert (row.runner_id, row.host_id) == ("", "")


@pytest.mark.parametrize("who", ["runner", "olgas host"])
async def test_what_runs_on_a_host_may_not_look_around_on_it(rig: Rig, scene: Scene, who: str) -> None:
    _, hosts, cast = scene
    minted = await rig.http.post(f"/v1/runners/{runner_id_for(TOKEN)}/token", headers={RUNNER_HEADER: TOKEN})
    shown = {**cast, "runner": {**bearer(minted.json()["token"]), RUNNER_HEADER: TOKEN}}[who]
    url = f"/v1/hosts/{hosts['olga']}"

    async def ask(method: str, path: str) -> httpx.Response:
        return await rig.http.request(
            method, url + path, headers=dict(shown), json={} if method == "POST" else None
        )

    assert (await ask("GET", "")).json()["host_id"] == hosts["olga"]
    for method, path in [
        ("GET", "/filesystem"),
        ("GET", "/filesystem/etc"),
        ("GET", "/worktrees?path=/srv"),
        ("GET", "/harnesses/codex/model-options"),
        ("POST", "/directories"),
        ("POST", "/harnesses/refresh"),
        ("POST", "/runners"),
        ("DELETE", ""),
    ]:
        assert_error(await ask(method, path), 403, "forbidden")
