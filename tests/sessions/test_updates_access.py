"""WS /v1/sessions/updates: who is let in, whose rows they are, and what a change of rights does at once."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from omnigent.accounts.gate import Gate
from omnigent.accounts.models import AccessToken, User
from omnigent.accounts.services.revocation import revoke_token
from sessions_app.models import Grant, Session
from sessions_app.process import Process
from tests.accounts.people import ORIGIN, bearer, client_at, log_in, make_admin, make_person, token_for
from tests.factories import label, make_child, make_session
from tests.sessions.updates_client import PATH, Follower
from tests.stream.servers import until

SECONDS = 5.0


@pytest.fixture(autouse=True)
def many_users(settings: Any) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"
    settings.OMNIGENT_UPDATES_RESCAN_SECONDS = 3600.0


@pytest.fixture
async def olga(process: Process) -> dict[str, str]:
    """The headers of somebody who owns sessions."""
    return bearer(await process.pool.run(lambda: token_for(make_person("olga"))))


@pytest.fixture
async def rosa(process: Process) -> dict[str, str]:
    """The headers of somebody else, whose token may only read."""
    return bearer(await process.pool.run(lambda: token_for(make_person("rosa"), "read")))


@pytest.fixture
async def session(process: Process) -> Session:
    return await process.pool.run(lambda: make_session(owner="olga", title="Mine"))


def share(session: Session, who: str = "rosa", level: int = 1) -> Callable[[], Grant]:
    return lambda: Grant.objects.create(session=session, user_id=who, level=level)


@pytest.mark.parametrize("headers", [{}, bearer("omni_pat_wrong"), {"Cookie": "ap_session=wrong"}])
async def test_nobody_is_turned_away(server: Gate, headers: dict[str, str]) -> None:
    async with Follower(server, headers) as client:
        assert client.close_code == 1008
        assert not client.frames
    async with Follower(server, headers, denial=True) as client:
        assert client.messages[0]["status"] == 401


async def test_a_foreign_page_is_turned_away(server: Gate, olga: dict[str, str]) -> None:
    async with Follower(server, {**olga, "Origin": "https://evil.example"}, denial=True) as client:
        assert client.messages[0]["status"] == 403


async def test_a_token_for_hosts_does_not_open_it(server: Gate, process: Process) -> None:
    headers = bearer(await process.pool.run(lambda: token_for(make_person("hugo"), "host")))
    async with Follower(server, headers, denial=True) as client:
        assert client.messages[0]["status"] == 403


async def test_a_login_cookie_opens_it_for_our_own_pages(
    server: Gate, process: Process, session: Session
) -> None:
    await process.pool.run(make_person)
    async with client_at(server, headers=ORIGIN) as http:
        await log_in(http)
        cookie = {"Cookie": f"ap_session={http.cookies['ap_session']}"}
    async with Follower(server, {**cookie, **ORIGIN}) as client:
        assert set(await client.watch([session.public_id])) == {session.public_id}


async def test_everybody_sees_their_own_row(
    server: Gate, process: Process, session: Session, olga: dict[str, str], rosa: dict[str, str]
) -> None:
    await process.pool.run(share(session))
    pins = {"omnigent.pinned.olga": "1", "env": "prod"}
    await process.pool.run(lambda: label(session, **pins))
    async with Follower(server, olga) as owner, Follower(server, rosa) as reader:
        mine = (await owner.watch([session.public_id]))[session.public_id]
        theirs = (await reader.watch([session.public_id]))[session.public_id]

    assert (mine["permission_level"], theirs["permission_level"]) == (4, 1)
    assert mine["labels"] == {"omnigent.pinned": "1", "env": "prod"}
    assert theirs["labels"] == {"env": "prod"}
    assert theirs["owner"] == "olga"


async def test_a_strangers_sessions_look_like_none(
    server: Gate, process: Process, session: Session, rosa: dict[str, str]
) -> None:
    child = await process.pool.run(make_child, session, "a:b")
    ids = [session.public_id, child.public_id, "conv_" + "0" * 32]
    async with Follower(server, rosa) as client:
        assert await client.watch(ids) == {}
        assert (await client.expect("removed"))["ids"] == ids


async def test_a_grant_and_its_end_act_at_once(
    server: Gate, process: Process, session: Session, olga: dict[str, str], rosa: dict[str, str]
) -> None:
    child = await process.pool.run(make_child, session, "a:b")
    path = f"/v1/sessions/{session.public_id}/permissions"
    async with Follower(server, rosa) as client, client_at(server, headers=olga) as http:
        await client.watch([session.public_id, child.public_id])
        await client.expect("removed")

        assert (await http.put(path, json={"user_id": "rosa", "level": 1})).status_code == 200
        rows = (await client.expect("changed", SECONDS))["items"]
        assert {row["id"] for row in rows} == {session.public_id, child.public_id}
        assert next(row for row in rows if row["id"] == session.public_id)["permission_level"] == 1

        assert (await http.delete(f"{path}/rosa")).status_code == 204
        removed = await client.expect("removed", SECONDS)
        assert set(removed["ids"]) == {session.public_id, child.public_id}

        await http.patch(f"/v1/sessions/{session.public_id}", json={"title": "secret"})
        await http.put(path, json={"user_id": "rosa", "level": 2})
        rows = (await client.expect("changed", SECONDS))["items"]
        assert {row["title"] for row in rows} == {"secret", "a:b"}


async def test_a_session_that_is_shared_appears_unwatched(
    server: Gate, process: Process, session: Session, olga: dict[str, str], rosa: dict[str, str]
) -> None:
    async with Follower(server, rosa) as client, client_at(server, headers=olga) as http:
        path = f"/v1/sessions/{session.public_id}/permissions"
        assert (await http.put(path, json={"user_id": "rosa", "level": 1})).status_code == 200

        assert (await client.changed())["id"] == session.public_id


async def test_new_sessions_are_pushed_to_their_readers_only(
    server: Gate, process: Process, olga: dict[str, str], rosa: dict[str, str], http: httpx.AsyncClient
) -> None:
    auditor = bearer(await process.pool.run(lambda: token_for(make_person("ida", is_auditor=True), "read")))
    agent_id = (await process.pool.run(lambda: make_session(owner="nobody"))).agent.public_id  # type: ignore[union-attr]  # it has one
    async with (
        Follower(server, olga) as owner,
        Follower(server, rosa) as stranger,
        Follower(server, auditor) as sees_all,
    ):
        made = (await http.post("/v1/sessions", json={"agent_id": agent_id}, headers=olga)).json()
        assert (await owner.changed())["id"] == made["id"]
        assert (await sees_all.changed())["id"] == made["id"]

        path = f"/v1/sessions/{made['id']}/permissions"
        await http.put(path, json={"user_id": "__public__", "level": 1}, headers=olga)
        assert (await stranger.changed())["permission_level"] == 1
        assert len(stranger.frames) == 1


def revoke() -> None:
    assert revoke_token(AccessToken.objects.get(user__username="rosa"))


def deactivate() -> None:
    person = User.objects.get(username="rosa")
    person.is_active = False
    person.save()


@pytest.mark.parametrize("change", [revoke, deactivate])
async def test_whoever_is_let_in_no_more_is_closed(
    server: Gate, process: Process, olga: dict[str, str], rosa: dict[str, str], change: Callable[[], None]
) -> None:
    async with Follower(server, rosa) as client, Follower(server, olga) as other:
        await process.pool.run(change)

        await client.until(lambda: client.close_code == 1008, SECONDS)
        assert await other.watch([]) == {}


async def test_a_demoted_administrator_has_to_come_again(server: Gate, process: Process) -> None:
    headers = bearer(await process.pool.run(lambda: token_for(make_admin("root"), "admin")))

    def demote() -> None:
        person = User.objects.get(username="root")
        person.is_staff = person.is_superuser = False
        person.save()

    async with Follower(server, headers) as client:
        await process.pool.run(demote)

        await client.until(lambda: client.close_code == 1008, SECONDS)


async def test_a_lost_bell_costs_one_interval(
    server: Gate, process: Process, rosa: dict[str, str], settings: Any
) -> None:
    settings.OMNIGENT_ACCESS_RECHECK_SECONDS = 0.2
    async with Follower(server, rosa) as client:
        await process.pool.run(lambda: User.objects.update(is_active=False))

        await client.until(lambda: client.close_code == 1008, SECONDS)


async def test_a_stop_of_the_server_says_so(server: Gate, process: Process, olga: dict[str, str]) -> None:
    async with Follower(server, olga) as client:
        await process.drain()

        await client.until(lambda: client.close_code == 1012, SECONDS)
    await until(lambda: not len(process.watcher))


async def test_a_plain_request_does_not_open_it(http: httpx.AsyncClient, olga: dict[str, str]) -> None:
    assert (await http.get(PATH, headers=olga)).status_code == 404
