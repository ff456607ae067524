"""Who gets which refusal: strangers, readers, auditors, administrators, runners and nobody at all."""

from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from omnigent.accounts.models import User
from omnigent.ids import runner_id_for
from sessions_app.models import Grant, Session
from sessions_app.process import Process
from tests.accounts.people import bearer, make_admin, make_person, token_for
from tests.error_shape import assert_error
from tests.factories import make_child, make_runner, make_session, user_said

TOKEN = "binding"
RUNNER = runner_id_for(TOKEN)
HEADER = "X-Omnigent-Runner-Tunnel-Token"
MISSING = "conv_" + "0" * 32
SECRET = "what only its people may read"

pytestmark = pytest.mark.usefixtures("accounts")

Cast = Mapping[str, Mapping[str, str]]


def build() -> tuple[Session, dict[str, dict[str, str]]]:
    """Olga's session with a runner and a child, and the headers of everybody who may come."""
    make_runner(TOKEN, owner="olga", online=False)
    make_runner("another", owner="olga", online=False)
    session = make_session(owner="olga", title=SECRET, runner_id=RUNNER)
    user_said(session, SECRET)
    make_child(session, "a:b")
    cast = {"anonymous": {}, "runner": {HEADER: TOKEN}, "other runner": {HEADER: "another"}}
    for name in ("olga", "rita", "edgar", "sven"):
        cast[name] = bearer(token_for(make_person(name)))
    cast["ada"] = bearer(token_for(make_admin(), "admin"))
    cast["audrey"] = bearer(token_for(make_person("audrey", is_auditor=True), "write"))
    Grant.objects.create(session=session, user_id="rita", level=1)
    Grant.objects.create(session=session, user_id="edgar", level=2)
    Grant.objects.create(session=session, user_id="audrey", level=4)
    return session, cast


@pytest.fixture
async def scene(process: Process, http: httpx.AsyncClient) -> tuple[Session, dict[str, dict[str, str]]]:
    session, cast = await process.pool.run(build)
    for name, token in (("runner", TOKEN), ("other runner", "another")):
        minted = await http.post(f"/v1/runners/{runner_id_for(token)}/token", headers=cast[name])
        cast[name] |= bearer(minted.json()["token"])
    return session, cast


READ = {
    "anonymous": 401, "sven": 404, "rita": 200, "edgar": 200, "olga": 200, "ada": 200, "audrey": 200,
    "runner": 200, "other runner": 404,
}  # fmt: skip
EDIT = {**READ, "rita": 403, "audrey": 403}
DONE = {**EDIT, "edgar": 202, "olga": 202, "ada": 202, "runner": 202}
OWN = {**EDIT, "edgar": 403, "runner": 403}
TABLE = [
    ("GET", "/v1/sessions/{id}", None, READ),
    ("GET", "/v1/sessions/{id}/items", None, READ),
    ("GET", "/v1/sessions/{id}/child_sessions", None, READ),
    ("GET", "/v1/sessions/{id}/labels", None, READ),
    ("PATCH", "/v1/sessions/{id}", {"title": "t"}, EDIT),
    ("PATCH", "/v1/sessions/{id}", {"archived": True}, OWN),
    ("POST", "/v1/sessions/{id}/events", {"type": "interrupt"}, DONE),
    ("POST", "/v1/sessions/{id}/events", {"type": "stop_session"}, {**OWN, "olga": 202, "ada": 202}),
    ("DELETE", "/v1/sessions/{id}", None, OWN),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body", "expected"), TABLE)
async def test_everybody_gets_what_the_contract_gives_them(
    http: httpx.AsyncClient, scene: Any, method: str, path: str, body: Any, expected: Mapping[str, int]
) -> None:
    session, cast = scene
    weakest_first = sorted(expected, key=lambda name: (expected[name] < 400, name == "olga"))
    for name in weakest_first:
        answer = await http.request(
            method,
            path.format(id=session.public_id),
            headers=cast[name],
            **({} if body is None else {"json": body}),
        )
        if method == "DELETE" and expected[name] == 200 and answer.status_code == 404:
            continue  # somebody earlier in the list has done it
        assert answer.status_code == expected[name], (name, answer.text)
        if answer.status_code >= 400:
            assert SECRET not in answer.text


async def test_a_runner_opens_sessions_below_its_own_only_and_forks_none(
    http: httpx.AsyncClient, scene: Any
) -> None:
    session, cast = scene
    seen = await http.get(f"/v1/sessions/{session.public_id}", headers=cast["olga"])
    asked = {"agent_id": seen.json()["agent_id"]}
    below = {**asked, "parent_session_id": session.public_id, "title": "c:d"}

    async def post(path: str, name: str, body: Mapping[str, Any]) -> httpx.Response:
        return await http.post(path, headers=cast[name], json=body)

    assert_error(await post("/v1/sessions", "runner", asked), 403, "forbidden")
    assert_error(await post("/v1/sessions", "other runner", below), 404, "not_found", "Session not found")
    made = await post("/v1/sessions", "runner", below)
    assert (made.status_code, made.json()["parent_session_id"]) == (201, session.public_id)
    fork = f"/v1/sessions/{session.public_id}/fork"
    assert_error(await post(fork, "runner", {}), 403, "forbidden")
    assert_error(await post(fork, "other runner", {}), 404, "not_found", "Session not found")
    assert (await post(fork, "rita", {})).status_code == 201


@pytest.mark.parametrize("name", ["sven", "other runner"])
async def test_a_foreign_session_looks_like_a_missing_one(
    http: httpx.AsyncClient, scene: Any, name: str
) -> None:
    session, cast = scene
    for suffix in ("", "/items", "/stream", "/labels"):
        foreign = await http.get(f"/v1/sessions/{session.public_id}{suffix}", headers=cast[name])
        missing = await http.get(f"/v1/sessions/{MISSING}{suffix}", headers=cast[name])

        assert_error(foreign, 404, "not_found", "Session not found")
        assert foreign.content == missing.content


async def test_an_auditor_reads_everything_and_changes_nothing(
    http: httpx.AsyncClient, scene: Any, process: Process
) -> None:
    session, cast = scene
    secret = await process.pool.run(lambda: make_session(owner="sven"))
    path = f"/v1/sessions/{session.public_id}"

    seen = await http.get("/v1/sessions?kind=any", headers=cast["audrey"])
    levels = {row["id"]: row["permission_level"] for row in seen.json()["data"]}
    assert {session.public_id, secret.public_id} <= set(levels)
    assert set(levels.values()) == {1}
    assert (await http.get(path, headers=cast["audrey"])).json()["permission_level"] == 1
    for method, route in [
        ("POST", "/v1/sessions"),
        ("PATCH", path),
        ("DELETE", path),
        ("PUT", f"{path}/read-state"),
        ("POST", f"{path}/fork"),
        ("POST", f"{path}/events"),
        ("POST", "/v1/invitations"),
    ]:
        refused = await http.request(method, route, headers=cast["audrey"], json={})
        assert_error(refused, 403, "forbidden", "An auditor may only read")


async def test_the_database_keeps_auditors_and_administrators_apart(
    process: Process, http: httpx.AsyncClient
) -> None:
    def both() -> int:
        person = make_person("x", is_auditor=True)
        return User.objects.filter(pk=person.pk).update(is_staff=True)

    with pytest.raises(Exception, match="auditors_are_not_staff"):
        await process.pool.run(both)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/tokens"),
        ("POST", "/v1/tokens"),
        ("POST", "/v1/invitations"),
        ("GET", "/"),
        ("GET", "/admin/"),
        ("POST", "/v1/agents"),
        ("POST", "/new"),
    ],
)
async def test_a_runner_reaches_only_what_runners_call(
    http: httpx.AsyncClient, scene: Any, method: str, path: str
) -> None:
    _, cast = scene

    refused = await http.request(method, path, headers=cast["runner"], json={})

    assert_error(refused, 403, "forbidden", "A runner may not do that")


async def test_a_binding_token_alone_opens_nothing_but_its_bearer(
    http: httpx.AsyncClient, scene: Any
) -> None:
    session, _ = scene

    for path in ("/v1/sessions", f"/v1/sessions/{session.public_id}", "/v1/agents", "/v1/runners"):
        assert_error(await http.get(path, headers={HEADER: TOKEN}), 401, "unauthorized")
    assert (await http.get("/v1/me", headers={HEADER: TOKEN})).status_code == 401
    assert (await http.get("/v1/info", headers={HEADER: TOKEN})).status_code == 200


async def test_a_runner_with_its_owners_token_is_still_only_a_runner(
    http: httpx.AsyncClient, scene: Any
) -> None:
    session, cast = scene
    as_runner = {**cast["olga"], HEADER: "self-started"}

    refused = await http.get(f"/v1/sessions/{session.public_id}", headers=as_runner)

    assert_error(refused, 404, "not_found", "Session not found")
    assert_error(await http.get("/v1/tokens", headers=as_runner), 403, "forbidden")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/sessions"),
        ("GET", "/v1/unknown"),
        ("POST", "/v1/sessions"),
        ("GET", "/internal"),
        ("PUT", "/v1/me/x"),
    ],
)
async def test_nobody_learns_which_routes_there_are(http: httpx.AsyncClient, method: str, path: str) -> None:
    assert_error(await http.request(method, path), 401, "unauthorized", "Authentication required")


@pytest.mark.parametrize(
    "path",
    ["/health", "/api/version", "/v1/info", "/.well-known/omnigent.json", "/static/admin/css/base.css"],
)
async def test_some_things_are_for_everybody(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).status_code == 200
    assert (await http.get(path, headers=bearer("omni_pat_wrong"))).status_code == 200


@pytest.mark.parametrize(
    ("mode", "facts"),
    [
        (
            "single-user",
            {"accounts_enabled": False, "single_user": True, "needs_setup": False, "login_url": None},
        ),
        (
            "header",
            {"accounts_enabled": False, "single_user": False, "needs_setup": False, "login_url": None},
        ),
        (
            "accounts",
            {"accounts_enabled": True, "single_user": False, "needs_setup": True, "login_url": "/login"},
        ),
    ],
)
async def test_the_server_says_how_to_get_in(
    http: httpx.AsyncClient, accounts: Any, mode: str, facts: Mapping[str, Any]
) -> None:
    accounts.OMNIGENT_AUTH_MODE = mode

    for path in ("/v1/info", "/.well-known/omnigent.json"):
        body = (await http.get(path)).json()
        assert {**facts, "auth_mode": mode}.items() <= body.items()


async def test_me_says_where_to_log_in(http: httpx.AsyncClient) -> None:
    answer = await http.get("/v1/me")

    assert (answer.status_code, answer.json()) == (401, {"user_id": None, "login_url": "/login"})
