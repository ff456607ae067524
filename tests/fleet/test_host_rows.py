"""What is shown of hosts and runners, what that costs, and forgetting a host."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from omnigent.ids import runner_id_for
from sessions_app.models import Host, Lease, Runner, Worktree
from sessions_app.services import fleet
from tests.error_shape import assert_error
from tests.factories import make_host, make_lease, make_runner, make_session
from tests.inputs.rig import Rig
from tests.inputs.waiting import eventually
from tests.sessions.fake_host import HOST, FakeHost, connected, default_handlers
from tests.sessions.updates_client import Follower
from tests.statements import CONTROL


@pytest.fixture
def reader(db: None) -> Client:
    """A client of what Django answers."""
    return Client(headers={"host": "127.0.0.1:6767"})


@pytest.mark.parametrize("path", ["/v1/hosts", "/v1/runners", f"/v1/hosts/{HOST}/runners"])
def test_lists_cost_as_much_however_many_there_are(reader: Client, path: str) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert reader.get(path).status_code == 200
        return len([one for one in seen.captured_queries if not one["sql"].startswith(CONTROL)])

    make_host()
    make_runner("first", host_id="a" * 32)
    make_host(public_id="a" * 32)
    first = cost()
    for number in range(12):
        make_host(online=bool(number % 2))
        make_runner(f"{number}", host_id="a" * 32, online=bool(number % 2))

    assert first == cost() <= 2


def test_a_host_tells_when_it_was_last_heard_of(reader: Client) -> None:
    host, never = make_host(online=False), make_host(online=False)
    heard = timezone.now() - timedelta(hours=3)
    make_lease("host", host.public_id, renewed_at=heard)

    rows = {row["host_id"]: row for row in reader.get("/v1/hosts").json()["hosts"]}

    assert rows[host.public_id]["last_seen_at"] == int(heard.timestamp())
    assert (rows[host.public_id]["status"], rows[never.public_id]["last_seen_at"]) == ("offline", None)


def test_the_runners_of_a_host_are_listed_while_online(reader: Client) -> None:
    host, foreign = make_host(online=False), make_host(owner="somebody")
    here = make_runner("here", host_id=host.public_id)
    make_runner("gone", host_id=host.public_id, online=False)
    make_runner("elsewhere", host_id="b" * 32)

    found = reader.get(f"/v1/hosts/{host.public_id}/runners").json()

    assert found == {"data": [{"runner_id": here.public_id, "online": True, "harnesses": ["scripted"]}]}
    assert_error(reader.get(f"/v1/hosts/{foreign.public_id}/runners"), 403, "forbidden")
    assert_error(reader.get(f"/v1/hosts/{'0' * 32}/runners"), 404, "not_found")


def test_an_exit_report_is_shown_with_the_end_of_its_log(reader: Client) -> None:
    tail = "\n".join(f"line {number} of a log" for number in range(150))
    report = f"runner exited with status 1\n--- runner log tail ---\n{tail}"
    runner = make_runner("it", online=False, exited_at=timezone.now(), exit_report=report)

    assert reader.get(f"/v1/runners/{runner.public_id}/status").json()["error"] == report


def test_a_host_that_is_away_is_forgotten(reader: Client) -> None:
    host, other = make_host(online=False), make_host(online=False)
    runner = make_runner("it", online=False, host_id=host.public_id)
    Worktree.objects.create(
        request_id="r", session_id="s", host_id=host.public_id, repository="/r", branch="b"
    )

    answer = reader.delete(f"/v1/hosts/{host.public_id}")

    assert (answer.status_code, answer.json()) == (
        200,
        {"id": host.public_id, "object": "host.deleted", "deleted": True},
    )
    assert [one["host_id"] for one in reader.get("/v1/hosts").json()["hosts"]] == [other.public_id]
    assert Runner.objects.get(pk=runner.pk).host_id == ""
    assert not Worktree.objects.exists()
    assert_error(reader.delete(f"/v1/hosts/{host.public_id}"), 404, "not_found")


def test_a_host_that_is_needed_is_kept(reader: Client) -> None:
    online, used, foreign = make_host(), make_host(online=False), make_host(online=False, owner="somebody")
    make_session(host_id=used.public_id)

    assert_error(reader.delete(f"/v1/hosts/{online.public_id}"), 409, "conflict")
    body = assert_error(reader.delete(f"/v1/hosts/{used.public_id}"), 409, "conflict")
    assert_error(reader.delete(f"/v1/hosts/{foreign.public_id}"), 403, "forbidden")

    assert "1 sessions" in body["error"]["message"]
    assert Host.objects.count() == 3


def test_forgetting_under_one_key_is_answered_alike(reader: Client) -> None:
    host = make_host(online=False)

    def forget() -> Any:
        return reader.delete(f"/v1/hosts/{host.public_id}", headers={"Idempotency-Key": "k"})

    assert forget().content == forget().content


async def test_a_forgotten_host_may_come_back_and_followers_are_told(rig: Rig) -> None:
    async def status() -> str:
        return str((await rig.http.get(f"/v1/hosts/{HOST}")).json().get("status", "unknown"))

    async def becomes(word: str) -> None:
        async def is_it() -> bool:
            return await status() == word

        await eventually(is_it, word)

    async with connected(rig.door, FakeHost(HOST, default_handlers())):
        await becomes("online")
    await becomes("offline")
    generation = await rig.run(lambda: Lease.objects.get(name=HOST).generation)
    async with Follower(rig.door) as follower:
        assert (await rig.http.delete(f"/v1/hosts/{HOST}")).status_code == 200
        await follower.until(lambda: {"type": "hosts_changed"} in follower.frames)
    assert await status() == "unknown"
    async with connected(rig.door, FakeHost(HOST, default_handlers())):
        await becomes("online")

    assert await rig.run(lambda: Lease.objects.get(name=HOST).generation) > generation


async def test_who_registers_a_forgotten_id_reports_nothing_of_before(rig: Rig) -> None:
    """The id of a host may be known to readers of its sessions."""

    def scene() -> str:
        make_host(public_id=HOST, online=False, owner="local")
        make_runner("theirs", online=False, host_id=HOST, owner="local")
        return make_session(runner_id=runner_id_for("theirs"), status="running").public_id

    session_id = await rig.run(scene)
    assert (await rig.http.delete(f"/v1/hosts/{HOST}")).status_code == 200

    await rig.run(
        fleet.runner_exited,
        runner_id=runner_id_for("theirs"),
        host_id=HOST,
        report="made up",
        had_connected=True,
    )

    assert await rig.status(session_id) == "running"
