"""GET /health with a question about sessions."""

from typing import Any

import httpx
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from sessions_app.models import Grant, Session
from sessions_app.process import Process
from tests.accounts.people import bearer, make_person, token_for
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_host, make_runner, make_session

OFFLINE = {"runner_online": False, "host_online": None, "host_version": None}


def on_host(**more: Any) -> Session:
    """A session whose host and runner are connected."""
    host, runner = make_host(version="0.19.0"), make_runner()
    return make_session(host_id=host.public_id, runner_id=runner.public_id, **more)


def test_a_bare_probe_says_nothing_of_sessions(reader: Client) -> None:
    for path in ("/health", "/health?", "/health?x=1"):
        assert reader.get(path).json() == {"status": "ok"}


def test_one_session(reader: Client) -> None:
    session = on_host()

    answer = reader.get(f"/health?session_id={session.public_id}").json()

    live = {"runner_online": True, "host_online": True, "host_version": "0.19.0"}
    assert answer == {"status": "ok", "session": {"id": session.public_id, **live}}


def test_several_sessions(reader: Client) -> None:
    live, idle = on_host(), make_session()
    away = make_host(online=False, version="0.18.0")
    gone = make_session(host_id=away.public_id, runner_id="runner_gone")
    bare = live.public_id.removeprefix("conv_")

    path = f"/health?session_ids={idle.public_id},{bare},,{gone.public_id},conv_none"
    answer = reader.get(path).json()

    assert answer["sessions"] == {
        idle.public_id: {"id": idle.public_id, **OFFLINE},
        bare: {"id": bare, "runner_online": True, "host_online": True, "host_version": "0.19.0"},
        gone.public_id: {
            "id": gone.public_id,
            "runner_online": False,
            "host_online": False,
            "host_version": "0.18.0",
        },
        "conv_none": {"id": "conv_none", **OFFLINE},
    }
    assert reader.get("/health?session_ids=").json()["sessions"] == {}


@pytest.mark.parametrize("bad", ["%C3%A9", "..%2F..", "%ff", "x" * 3000, "' OR 1=1", "%20", "conv_%0a"])
def test_bad_ids_are_offline(reader: Client, db: None, bad: str) -> None:
    answer = reader.get(f"/health?session_id={bad}&session_ids={bad}")

    assert answer.status_code == 200
    assert {**answer.json()["session"], "id": ""} == {**OFFLINE, "id": ""}


def test_more_than_500_are_refused(reader: Client, db: None) -> None:
    assert reader.get("/health?session_ids=" + ",".join(["conv_1"] * 500)).status_code == 200
    many = ",".join(["c"] * 501)
    assert_invalid(reader.get(f"/health?session_ids={many}"), "query", "session_ids", kind="too_long")
    assert reader.get("/health?session_ids=%00").status_code == 422


@pytest.mark.django_db
def test_the_statements_do_not_grow_with_the_sessions(reader: Client) -> None:
    ids = [make_session(runner_id="runner_1", host_id="host_1").public_id for _ in range(30)]

    def count(some: list[str]) -> int:
        with CaptureQueriesContext(connection) as captured:
            assert len(reader.get("/health?session_ids=" + ",".join(some)).json()["sessions"]) == len(some)
        return len(captured)

    assert count(ids[:2]) == count(ids) <= 4


class TestManyUsers:
    """Where people have accounts."""

    @pytest.fixture(autouse=True)
    def accounts(self, settings: Any) -> None:
        settings.OMNIGENT_AUTH_MODE = "accounts"

    @pytest.fixture
    async def session(self, process: Process) -> Session:
        return await process.pool.run(lambda: on_host(owner="olga"))

    async def live(self, http: httpx.AsyncClient, session: Session, headers: dict[str, str]) -> Any:
        path = f"/health?session_id={session.public_id}"
        return (await http.get(path, headers=headers)).json()["session"]["runner_online"]

    async def test_sessions_are_for_whoever_may_read_them(
        self, http: httpx.AsyncClient, process: Process, session: Session
    ) -> None:
        olga, rosa = [
            bearer(await process.pool.run(lambda name=name: token_for(make_person(name), "read")))
            for name in ("olga", "rosa")
        ]
        assert await self.live(http, session, olga) is True
        assert await self.live(http, session, rosa) is False
        await process.pool.run(lambda: Grant.objects.create(session=session, user_id="rosa", level=1))
        assert await self.live(http, session, rosa) is True

    async def test_nobody_learns_anything(
        self, http: httpx.AsyncClient, process: Process, session: Session
    ) -> None:
        path = f"/health?session_ids={session.public_id}"
        assert (await http.get("/health")).json() == {"status": "ok"}
        assert (await http.get("/health?probe=1")).json() == {"status": "ok"}
        assert_error(await http.get(path), 401, "unauthorized", "Authentication required")
        assert_error(await http.get(path, headers=bearer("omni_pat_wrong")), 401, "unauthorized")
        hugo = bearer(await process.pool.run(lambda: token_for(make_person("hugo"), "host")))
        assert_error(await http.get(path, headers=hugo), 403, "forbidden")
