"""The client's methods against a live server, and the sample of the documentation."""

import io
import tarfile
import threading

import pytest

from omnigent_client import (
    NotFoundError,
    OmnigentClient,
    Session,
    StaleCursorError,
    SyncClient,
    ValidationError,
)
from omnigent_client.events import TERMINAL
from omnigent_client.events.session import SessionHeartbeat
from tests.e2e.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]
CONFIG = b"name: mine\nprompt: Be brief.\nexecutor:\n  harness: scripted\n"


async def scripted_agent_id(client: OmnigentClient) -> str:
    """The built-in agent that needs no model."""
    return next(agent.id for agent in await client.agents.list_all() if agent.harness == "scripted")


async def new_session(client: OmnigentClient, title: str | None = None) -> Session:
    """A session on the live host."""
    return await client.sessions.create_from_agent_id(
        await scripted_agent_id(client), host_id="auto", title=title
    )


async def test_the_documented_sample_works(live_stack: Stack) -> None:
    async with OmnigentClient(base_url=live_stack.url) as client:
        created = await new_session(client, "Sample")
        await client.send(created.id, "Count to 1", within=60)

        sessions = await client.sessions.list()
        assert created.id in [row.id for row in sessions]

        session = await client.sessions.get(created.id)
        assert session["title"] == session.title == "Sample"
        response_id = session.items[-1].response_id

        fork_data = await client.sessions.fork(created.id, title="My fork", up_to_response_id=response_id)
        assert fork_data["title"] == "My fork"
        assert [item.text for item in fork_data.items] == [item.text for item in session.items]

        posted = await client.sessions.post_event(
            created.id,
            {
                "type": "message",
                "data": {"role": "user", "content": [{"type": "input_text", "text": "Hello!"}]},
            },
        )
        assert posted.queued and posted["item_id"]

        assert not (await client.sessions.interrupt(created.id)).queued

        updated = await client.sessions.bind_runner(created.id, runner_id=str(session.runner_id))
        assert updated.runner_id == session.runner_id

        items = await client.sessions.list_items(created.id)
        assert [item.id for item in items][: len(session.items)] == [item.id for item in session.items]


async def test_a_session_with_its_own_agent_is_made_from_a_bundle(client: OmnigentClient) -> None:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as tar:
        member = tarfile.TarInfo("config.yaml")
        member.size = len(CONFIG)
        tar.addfile(member, io.BytesIO(CONFIG))

    session = await client.sessions.create(archive.getvalue(), title="Bundled", labels={"env": "test"})

    assert (session.agent_name, session.title, session.labels) == ("mine", "Bundled", {"env": "test"})
    assert (await client.sessions.agent(session.id)).name == "mine"
    assert (await client.sessions.agent_contents(session.id)).startswith(b"\x1f\x8b")
    assert [row.id for row in await client.sessions.list_all(agent_name="mine")] == [session.id]


async def test_a_session_is_changed_and_deleted(client: OmnigentClient) -> None:
    session = await new_session(client)
    await client.sessions.set_title(session.id, "Named")
    await client.sessions.set_labels(session.id, {"a": "1"})
    await client.sessions.set_reasoning_effort(session.id, "high")
    await client.sessions.set_model_override(session.id, "some-model")
    changed = await client.sessions.set_archived(session.id)

    assert (changed.title, changed.reasoning_effort, changed.model_override) == (
        "Named",
        "high",
        "some-model",
    )
    assert changed.archived
    assert (await client.sessions.labels(session.id))["a"] == "1"
    assert session.id not in [row.id for row in await client.sessions.list_all()]
    assert session.id in [row.id for row in await client.sessions.list_all(include_archived=True)]
    assert (await client.sessions.set_model_override(session.id, None)).model_override is None
    assert (await client.sessions.unbind_runner(session.id)).runner_id is None
    assert (await client.sessions.delete(session.id)).deleted
    with pytest.raises(NotFoundError, match="Session not found"):
        await client.sessions.delete(session.id)


async def test_pages_are_walked_to_the_end(client: OmnigentClient) -> None:
    made = [(await new_session(client, f"Walked {n}")).id for n in range(5)]

    walked = [row.id async for row in client.sessions.iter(limit=2, order="asc") if row.id in made]

    assert walked == made
    with pytest.raises(StaleCursorError):
        await client.sessions.list(after="conv_00000000000000000000000000000000")


async def test_a_bad_field_is_named(client: OmnigentClient) -> None:
    with pytest.raises(ValidationError) as raised:
        await client.sessions.set_title((await new_session(client)).id, "x" * 201)

    assert raised.value.problems[0]["loc"] == ["body", "title"]


async def test_the_same_key_makes_one_session(client: OmnigentClient) -> None:
    agent_id = await scripted_agent_id(client)

    twins = [
        await client.sessions.create_from_agent_id(agent_id, title="Once", idempotency_key="a-key-of-mine")
        for _ in range(2)
    ]

    assert twins[0].id == twins[1].id


async def test_the_server_hosts_and_runners_are_told(client: OmnigentClient) -> None:
    session = await new_session(client)
    await client.send(session.id, "Count to 1", within=60)

    assert (await client.server.me()).user_id == "local"
    assert (await client.server.info()).server_version == await client.server.version()
    assert (await client.server.health()).status == "ok"
    assert [host.is_online for host in await client.hosts.list()] == [True]
    snapshot = await client.sessions.get(session.id)
    assert (await client.runners.status(str(snapshot.runner_id))).online
    assert str(snapshot.runner_id) in [runner.runner_id for runner in await client.runners.list()]
    assert snapshot.runner_online is True


async def test_files_comments_grants_and_projects_come_and_go(client: OmnigentClient) -> None:
    session = await new_session(client)

    file = await client.files.upload(session.id, b"hello", filename="notes.txt")
    assert (file.filename, file.bytes) == ("notes.txt", 5)
    assert await client.files.content(session.id, file.id) == b"hello"
    assert [one.id for one in await client.files.list_all(session.id)] == [file.id]
    assert (await client.files.delete(session.id, file.id)).deleted

    comment = await client.comments.create(session.id, path="a.py", body="Why?", start_index=0, end_index=3)
    assert [one.id for one in await client.comments.list(session.id, path="a.py")] == [comment.id]
    sent = await client.comments.send(session.id, [comment.id])
    assert "Why?" in sent.formatted_message
    assert (await client.comments.update(session.id, comment.id, status="draft")).status == "draft"
    assert (await client.comments.delete(session.id, comment.id)).deleted

    assert (await client.permissions.grant(session.id, "ann", 2)).level == 2
    assert "ann" in [grant.user_id for grant in await client.permissions.list(session.id, limit=1)]
    await client.permissions.revoke(session.id, "ann")
    assert "ann" not in [grant.user_id for grant in await client.permissions.list(session.id)]

    project = await client.projects.create("A folder")
    assert (await client.sessions.set_project(session.id, project.id)).project_id == project.id
    assert project.id in [one.id for one in await client.projects.list()]
    assert (await client.projects.set_order("manual", [str(project.id)])).sort_mode == "manual"
    assert (await client.sessions.set_project(session.id, None)).project_id is None
    assert (await client.projects.delete(str(project.id))).deleted


async def test_a_stream_survives_cut_connections_without_gap_or_double(
    live_stack: Stack, client: OmnigentClient
) -> None:
    session = await new_session(client)
    await client.sessions.send_message(session.id, "Count to 30 slowly")
    numbers: list[int] = []

    async with client.stream(session.id, after=0) as stream:
        async for event in stream:
            if event.cursor is not None:
                numbers.append(int(event.cursor.partition(".")[0]))
                if len(numbers) in (5, 9, 14):
                    live_stack.clients.kill_connections()
            if event.type in TERMINAL:
                break

    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 14


async def test_a_deleted_session_ends_its_stream(client: OmnigentClient) -> None:
    session = await new_session(client)
    async with client.stream(session.id) as stream:
        assert isinstance(await anext(stream), SessionHeartbeat)
        await client.sessions.delete(session.id)

        rest = [event.type async for event in stream]

    assert "response.completed" not in rest


def test_the_plain_face_runs_a_turn_and_a_stream_at_once(live_stack: Stack) -> None:
    with SyncClient(base_url=live_stack.url) as client:
        agent = next(agent for agent in client.agents.iter() if agent.harness == "scripted")
        session = client.sessions.create_from_agent_id(agent.id, host_id="auto")
        seen: list[str] = []

        def follow() -> None:
            for event in client.stream(session.id, after=0):
                seen.append(event.type)
                if event.type in TERMINAL:
                    return

        follower = threading.Thread(target=follow)
        follower.start()
        assert client.send(session.id, "Count to 3", within=60).split() == ["1", "2", "3"]
        follower.join(20)

    assert not follower.is_alive()
    assert seen[-1] == "response.completed"
