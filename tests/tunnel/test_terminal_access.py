"""Who may see a session's terminals, look at one, and type: on a server with many users."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from omnigent.accounts.models import AccessToken
from omnigent.accounts.services.revocation import revoke_token
from sessions_app.models import Grant, Session
from sessions_app.process import Process
from tests.accounts.people import ORIGIN, bearer, client_at, log_in
from tests.api_plumbing.asgi_client import call
from tests.stream.servers import until
from tests.tunnel.fake_runner import FakeRunner
from tests.tunnel.shared_session import headers_of, owners_runner, shared_session
from tests.tunnel.viewing import TERMINAL_ID, Screen, Viewer, path_of

LOOKS = "?read_only=true"


@pytest.fixture(autouse=True)
def many_users(settings: Any) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"
    settings.OMNIGENT_ACCESS_RECHECK_SECONDS = 3600.0


@pytest.fixture
async def runner(process: Process, app: Gate) -> AsyncIterator[FakeRunner]:
    async with owners_runner(process, app) as runner:
        yield runner


@pytest.fixture
async def session(process: Process, runner: FakeRunner) -> Session:
    return await shared_session(process, runner)


@pytest.mark.parametrize(
    ("name", "reads", "writes", "types"),
    [
        ("sven", 404, 404, 404),
        ("rita", 200, 403, 403),
        ("edgar", 200, 200, 403),
        ("mona", 200, 200, 403),
        ("olga", 200, 200, 101),
    ],
)
async def test_levels_decide(
    process: Process,
    app: Gate,
    runner: FakeRunner,
    session: Session,
    name: str,
    reads: int,
    writes: int,
    types: int,
) -> None:
    headers = await headers_of(process, name)
    runner.answers = {"terminals": (200, {"data": []}), TERMINAL_ID: (200, {})}
    body, ends = b'{"terminal":"shell"}', ("", f"/{TERMINAL_ID}")

    for end in ends:
        assert (await call(app, "GET", path_of(session, end), headers=headers)).status == reads
    posted = await call(app, "POST", path_of(session), body, {**headers, "content-type": "application/json"})
    deleted = await call(app, "DELETE", path_of(session, ends[1]), headers=headers)
    assert (posted.status, deleted.status) == (writes, writes)
    async with Viewer(app, session, query=LOOKS, headers=headers) as viewer:
        assert await viewer.until_decided() == (101 if reads == 200 else reads)
    async with Viewer(app, session, headers=headers) as viewer:
        assert await viewer.until_decided() == types


async def test_strangers_pages_and_tokens_are_turned_away_before_anything_is_opened(
    process: Process, app: Gate, runner: FakeRunner, session: Session
) -> None:
    owner = await headers_of(process, "olga")
    hosts = await headers_of(process, "hugo", "host")
    cases = [
        ({}, 401),
        (bearer("omni_pat_wrong"), 401),
        (hosts, 403),
        ({**owner, "Origin": "https://evil.example"}, 403),
    ]

    for headers, status in cases:
        async with Viewer(app, session, headers=headers) as viewer:
            assert await viewer.until_decided() == status
        async with Viewer(app, session, headers=headers, denial=False) as viewer:
            assert (await viewer.until_closed())[0] == 1008
    assert not runner.channels


async def test_a_login_cookie_needs_the_servers_own_origin(
    process: Process, app: Gate, runner: FakeRunner, session: Session
) -> None:
    async with client_at(app, headers=ORIGIN) as http:
        await log_in(http, "olga")
        cookie = {"Cookie": f"ap_session={http.cookies['ap_session']}"}

    async with Viewer(app, session, headers={**cookie, **ORIGIN}) as viewer:
        assert await viewer.until_decided() == 101
    async with Viewer(app, session, headers=cookie) as viewer:
        assert await viewer.until_decided() == 403


async def test_who_may_no_longer_look_is_shown_no_more_at_once(
    process: Process, app: Gate, runner: FakeRunner, session: Session
) -> None:
    screen = Screen(runner)
    rita, edgar = await headers_of(process, "rita"), await headers_of(process, "edgar")
    owner = await headers_of(process, "olga")
    async with (
        Viewer(app, session, query=LOOKS, headers=rita) as first,
        Viewer(app, session, query=LOOKS, headers=edgar) as second,
        Viewer(app, session, headers=owner) as third,
    ):
        channels = [await screen.until_opened(count) for count in (1, 2, 3)]
        path = f"/v1/sessions/{session.public_id}/permissions/rita"
        assert (await call(app, "DELETE", path, headers=owner)).status < 300
        assert (await first.until_closed())[0] == 1008
        await process.pool.run(lambda: revoke_token(AccessToken.objects.get(user__username="edgar")))
        assert (await second.until_closed())[0] == 1008

        await until(lambda: len(screen.closed) == 2)
        third.type(b"still")
        [left] = set(channels) - set(screen.closed)
        await until(lambda: screen.typed(left) == [b"still"])


async def test_lost_news_of_access_is_noticed_later(
    process: Process, app: Gate, runner: FakeRunner, session: Session, settings: Any
) -> None:
    settings.OMNIGENT_ACCESS_RECHECK_SECONDS = 0.1
    async with Viewer(app, session, query=LOOKS, headers=await headers_of(process, "rita")) as viewer:
        assert await viewer.until_decided() == 101
        await process.pool.run(lambda: Grant.objects.filter(user_id="rita").delete())

        assert (await viewer.until_closed())[0] == 1008
