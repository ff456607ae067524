"""WS /v1/sessions/updates: what a client is told, of what it watches and of what is new."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from agents_app.models import Agent
from omnigent.accounts.gate import Gate
from omnigent.ids import mint
from omnigent.protocol import events
from sessions_app.models import Session
from sessions_app.process import Process
from sessions_app.services import watching
from sessions_app.session_rows import Viewer
from sessions_app.watching.feed import MAX_OFFERS
from tests.factories import agent_said, ask, label, make_child, make_host, make_session
from tests.sessions.updates_client import Follower
from tests.stream.scene import append, begun, completed, delta, idle, relayed, running, silently
from tests.stream.servers import application
from tests.stream.servers import running as started

FAR = 3600.0


@pytest.fixture(autouse=True)
def bells_only(settings: Any) -> None:
    """Nothing is found by looking again and again."""
    settings.OMNIGENT_UPDATES_RESCAN_SECONDS = FAR


@pytest.fixture
async def session(process: Process) -> Session:
    return await process.pool.run(lambda: make_session(title="First"))


@pytest.fixture
async def other(process: Process) -> Session:
    return await process.pool.run(lambda: make_session(title="Other"))


async def test_the_snapshot_holds_whole_rows(
    server: Gate, http: httpx.AsyncClient, session: Session, other: Session
) -> None:
    async with Follower(server) as client:
        rows = await client.watch([session.public_id])

    listed = (await http.get("/v1/sessions")).json()["data"]
    row = rows[session.public_id]
    plain = next(each for each in listed if each["id"] == session.public_id)
    assert set(rows) == {session.public_id}
    assert {key: value for key, value in row.items() if value is not None} == plain
    assert {key for key, value in row.items() if value is None} == {
        *("runner_id", "runner_online", "host_id", "host_online", "workspace", "git_branch", "project_id"),
        *("reasoning_effort", "external_session_id", "parent_session_id", "permission_level"),
        *("comments_updated_at", "viewer_last_seen", "viewer_unread"),
    }


async def test_a_watch_replaces_the_one_before(
    server: Gate, http: httpx.AsyncClient, session: Session, other: Session
) -> None:
    async with Follower(server) as client:
        await client.watch([session.public_id])
        assert set(await client.watch([other.public_id])) == {other.public_id}

        await http.patch(f"/v1/sessions/{session.public_id}", json={"title": "unseen"})
        await http.patch(f"/v1/sessions/{other.public_id}", json={"title": "seen"})

        assert (await client.changed())["title"] == "seen"
        assert await client.watch([]) == {}


async def test_an_id_may_be_bare_hex(server: Gate, http: httpx.AsyncClient, session: Session) -> None:
    bare = session.public_id.removeprefix("conv_")
    async with Follower(server) as client:
        assert set(await client.watch([bare, bare])) == {session.public_id}
        await http.delete(f"/v1/sessions/{session.public_id}")

        assert (await client.expect("removed"))["ids"] == [bare]


Change = Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]]


def patch(**fields: Any) -> Change:
    return lambda http, path: http.patch(path, json=fields)


@pytest.mark.parametrize(
    ("change", "shown"),
    [
        pytest.param(patch(title="New"), {"title": "New"}, id="title"),
        pytest.param(patch(title=""), {"title": None}, id="no title"),
        pytest.param(patch(labels={"env": "prod"}), {"labels": {"env": "prod"}}, id="label"),
        pytest.param(patch(labels={"omnigent.pinned": "1"}), {"labels": {"omnigent.pinned": "1"}}, id="pin"),
        pytest.param(patch(archived=True), {"archived": True}, id="archived"),
        pytest.param(patch(reasoning_effort="high"), {"reasoning_effort": "high"}, id="effort"),
        pytest.param(
            lambda http, path: http.put(f"{path}/read-state", json={"last_seen": 7, "unread": True}),
            {"viewer_last_seen": 7, "viewer_unread": True},
            id="read state",
        ),
        pytest.param(
            lambda http, path: http.post(
                f"{path}/comments",
                json={"path": "a.py", "start_index": 0, "end_index": 1, "body": "hm"},
            ),
            {"comments_count": 1},
            id="comment",
        ),
    ],
)
async def test_a_change_over_http_is_pushed(
    server: Gate, http: httpx.AsyncClient, session: Session, change: Change, shown: dict[str, Any]
) -> None:
    async with Follower(server) as client:
        await client.watch([session.public_id])

        answer = await change(http, f"/v1/sessions/{session.public_id}")
        assert answer.status_code < 300, answer.text

        row = await client.changed()
        assert {key: row[key] for key in shown} == shown


async def test_a_turn_is_pushed_but_not_its_text(server: Gate, process: Process, session: Session) -> None:
    async with Follower(server) as client:
        await client.watch([session.public_id])

        await process.pool.run(relayed, session.pk, [running(), begun()])
        assert (await client.changed())["status"] == "running"
        for _ in range(30):
            await process.pool.run(append, session.pk, [delta("word ")])
        await process.pool.run(relayed, session.pk, [completed(), idle()])

        # What the text might have brought would have come before this.
        row = await client.changed()
        assert row["status"] == "idle"
        assert not client.unseen


async def test_what_leaves_the_row_as_it_is_is_not_pushed(
    server: Gate, process: Process, session: Session, other: Session
) -> None:
    async with Follower(server) as client:
        await client.watch([session.public_id, other.public_id])

        same = events.SessionTitle(conversation_id=session.public_id, title="First")
        await process.pool.run(append, session.pk, [same])
        await process.pool.run(agent_said, other, "Done.")
        await process.pool.run(lambda: Session.objects.filter(pk=other.pk).update(title="Second"))

        frame = await client.expect("changed")
        assert [row["id"] for row in frame["items"]] == [other.public_id]


async def test_new_sessions_are_pushed_unwatched(
    server: Gate, http: httpx.AsyncClient, process: Process, agent: Agent, session: Session
) -> None:
    async with Follower(server) as client:
        await client.watch([session.public_id])
        made = (await http.post("/v1/sessions", json={"agent_id": agent.public_id, "title": "Born"})).json()

        assert (await client.changed())["id"] == made["id"]
        body = {"agent_id": agent.public_id, "parent_session_id": made["id"], "title": "helper:one"}
        child = (await http.post("/v1/sessions", json=body)).json()
        pushed: list[dict[str, Any]] = []
        while child["id"] not in {row["id"] for row in pushed}:
            pushed += (await client.expect("changed"))["items"]

        row = next(row for row in pushed if row["id"] == child["id"])
        assert row["parent_session_id"] == made["id"]
        fork = (await http.post(f"/v1/sessions/{made['id']}/fork", json={})).json()
        assert (await client.changed())["id"] == fork["id"]


async def test_deleted_sessions_are_removed_with_their_children(
    server: Gate, http: httpx.AsyncClient, process: Process, session: Session
) -> None:
    child = await process.pool.run(make_child, session, "a:b")
    async with Follower(server) as client:
        await client.watch([session.public_id, child.public_id])

        await http.delete(f"/v1/sessions/{session.public_id}")

        assert set((await client.expect("removed"))["ids"]) == {session.public_id, child.public_id}


async def test_a_parent_shows_that_its_child_runs(server: Gate, process: Process, session: Session) -> None:
    child = await process.pool.run(make_child, session, "a:b")
    async with Follower(server) as client:
        await client.watch([session.public_id])

        await process.pool.run(relayed, child.pk, [running()])

        assert (await client.changed())["status"] == "running"


async def test_questions_below_are_counted_above(server: Gate, process: Process, session: Session) -> None:
    child = await process.pool.run(make_child, session, "a:b")
    grandchild = await process.pool.run(make_child, child, "a:c")
    async with Follower(server) as client:
        await client.watch([session.public_id])

        await process.pool.run(ask, grandchild)
        await process.pool.run(append, grandchild.pk, [events.SessionTitle(conversation_id="", title="")])

        assert (await client.changed())["pending_elicitations_count"] == 1


async def test_unknown_ids_are_removed_and_ignored(server: Gate, session: Session) -> None:
    strange = [mint("conv"), "nonsense id", "é", '"', "../x"]
    async with Follower(server) as client:
        rows = await client.watch([*strange, session.public_id, 7, None, {}, "x" * 5000])

        assert set(rows) == {session.public_id}
        assert (await client.expect("removed"))["ids"] == strange


async def test_no_more_than_500_are_watched(server: Gate, process: Process, session: Session) -> None:
    ids = [mint("conv") for _ in range(500)]
    async with Follower(server) as client:
        assert await client.watch([*ids, session.public_id]) == {}
        assert (await client.expect("removed"))["ids"] == ids
        assert set(await client.watch([session.public_id, *ids])) == {session.public_id}


@pytest.mark.parametrize(
    "text",
    [
        "", "hello", "[]", "null", "7", '"watch"', "{}", '{"type":"watch"}', "[" * 100_000,
        '{"type":"look","session_ids":[]}', '{"type":["watch"],"session_ids":[]}',
        '{"type":"watch","session_ids":{}}', '{"type":"watch","session_ids":"conv_1"}',
        '{"type":"watch","session_ids":["\\ud800"]}',
        '{"type":"watch","session_ids":["' + "x" * 3_000_000 + '"]}',
    ],
)  # fmt: skip
async def test_frames_that_mean_nothing_change_nothing(
    server: Gate, http: httpx.AsyncClient, session: Session, text: str
) -> None:
    async with Follower(server) as client:
        await client.watch([session.public_id])
        client.send(text)
        client.socket.incoming.put_nowait({"type": "websocket.receive", "bytes": b"\x00\xff"})
        await http.patch(f"/v1/sessions/{session.public_id}", json={"title": "New"})

        assert (await client.changed())["title"] == "New"


async def test_a_nul_in_an_id_is_no_id(server: Gate) -> None:
    async with Follower(server) as client:
        assert await client.watch(["conv_\x00"]) == {}
        assert (await client.expect("removed"))["ids"] == ["conv_\x00"]


async def test_a_quiet_connection_is_kept_alive(server: Gate, settings: Any, process: Process) -> None:
    settings.OMNIGENT_UPDATES_HEARTBEAT_SECONDS = 0.05
    async with Follower(server) as client:
        await client.expect("heartbeat")
        await client.expect("heartbeat")


async def test_hosts_and_projects_are_noticed(
    server: Gate, http: httpx.AsyncClient, process: Process
) -> None:
    async with Follower(server) as client:
        await http.post("/v1/projects", json={"name": "Garden"})
        await client.expect("projects_changed")

        await process.pool.run(make_host)
        process.announcer.bell("tunnel", ("host", "somebody"))
        await client.expect("hosts_changed")

        process.announcer.bell("tunnel", ("host", "somebody"))
        await http.post("/v1/projects", json={"name": "Kitchen"})
        await client.expect("projects_changed")
        assert not client.unseen


async def test_a_client_that_does_not_read_gets_the_newest_rows(
    server: Gate, http: httpx.AsyncClient, process: Process, session: Session
) -> None:
    async with Follower(server) as client, Follower(server) as reading:
        await client.watch([session.public_id])
        await reading.watch([session.public_id])
        client.pause()
        for number in range(5):
            await http.patch(f"/v1/sessions/{session.public_id}", json={"title": str(number)})
            assert (await reading.changed())["title"] == str(number)
        client.resume()

        await client.until(lambda: client.unseen and client.unseen[-1]["items"][0]["title"] == "4")
        assert len(client.unseen) <= 2


async def test_lost_bells_are_healed(settings: Any, transactional_db: None) -> None:
    settings.OMNIGENT_UPDATES_RESCAN_SECONDS = 0.1
    async with started() as process, Follower(application()) as client:
        session = await process.pool.run(lambda: make_session(title="First"))
        await client.watch([session.public_id])

        title = events.SessionTitle(conversation_id="", title="Second")
        await process.pool.run(silently, process, session.pk, [title])
        await process.pool.run(lambda: Session.objects.filter(pk=session.pk).update(title="Second"))
        assert (await client.changed())["title"] == "Second"

        born = await process.pool.run(lambda: make_session(title="Born"))
        assert (await client.changed())["id"] == born.public_id
        await process.pool.run(lambda: Session.objects.filter(pk=session.pk).delete())
        assert (await client.expect("removed"))["ids"] == [session.public_id]


async def test_a_client_that_never_reads_is_dropped(server: Gate, process: Process, session: Session) -> None:
    def make(count: int) -> list[str]:
        made = Session.objects.bulk_create([Session(agent=session.agent) for _ in range(count)])
        return [str(each.pk) for each in made]

    async with Follower(server) as client, Follower(server) as reading:
        client.pause()
        for count, wanted in ((1, 1), (MAX_OFFERS + 1, MAX_OFFERS + 2)):
            process.announcer.bell("shown", await process.pool.run(make, count))
            await reading.until(lambda: len(shown_to(reading)) == wanted)  # noqa: B023 - awaited in its round
        client.resume()

        await client.until(lambda: client.close_code == 1013)
        assert reading.close_code is None


def shown_to(client: Follower) -> set[str]:
    """The sessions that a client was told of."""
    return {row["id"] for frame in client.frames for row in frame.get("items", ())}


async def test_the_statements_do_not_grow_with_the_rows(process: Process, settings: Any) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"
    viewer = Viewer(user_id="local", sees_all=False, shows_level=True)

    def count(size: int) -> int:
        made = [make_session() for _ in range(size)]
        for each in made:
            label(each, env="prod")
            make_child(each, "a:b")
        keys, ids = [each.pk for each in made], [each.public_id for each in made]
        with CaptureQueriesContext(connection) as captured:
            found = watching.look(viewer, keys, ids, {})
            assert len(found.rows) == size
            watching.reach(keys, keys, ["local"])
        return len(captured)

    assert await process.pool.run(count, 2) == await process.pool.run(count, 30) <= 6
