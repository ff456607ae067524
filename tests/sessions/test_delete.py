"""DELETE /v1/sessions/{id}."""

import asyncio

import httpx
import pytest
from django.db.models import Model

from agents_app.models import Agent
from sessions_app.models import Elicitation, Grant, Item, LogEntry, Session, SessionLabel, Turn
from sessions_app.process import Process
from tests.error_shape import assert_error, assert_invalid
from tests.factories import ask, label, make_agent, make_child, make_runner, make_session, user_said

TABLES: tuple[type[Model], ...] = (Session, Item, Grant, SessionLabel, Elicitation, LogEntry, Turn)


def url(session: Session) -> str:
    return f"/v1/sessions/{session.public_id}"


async def test_a_session_goes_once(http: httpx.AsyncClient, process: Process) -> None:
    session = await process.pool.run(make_session)

    answer = await http.delete(url(session))

    assert answer.status_code == 200
    assert answer.json() == {"id": session.public_id, "object": "conversation.deleted", "deleted": True}
    assert_error(await http.delete(url(session)), 404, "not_found", "Session not found")
    assert_error(await http.get(url(session)), 404, "not_found", "Session not found")


async def test_everything_below_goes_too(http: httpx.AsyncClient, process: Process) -> None:
    def build() -> tuple[Session, Session]:
        session, other = make_session(), make_session()
        child = make_child(session, "a:b")
        for one in (session, child, make_child(child, "c:d")):
            user_said(one, "Hello")
            label(one, env="prod")
            ask(one)
        return session, other

    session, other = await process.pool.run(build)
    await http.patch(url(session), json={"title": "logged"})

    await http.delete(url(session))

    left = await process.pool.run(
        lambda: {table.__name__: table._default_manager.count() for table in TABLES}
    )
    assert left == {**dict.fromkeys(left, 0), "Session": 1, "Grant": 1}
    assert (await http.get(url(other))).status_code == 200


async def test_open_streams_end(http: httpx.AsyncClient, process: Process) -> None:
    session = await process.pool.run(make_session)
    child = await process.pool.run(make_child, session, "a:b")

    async with asyncio.timeout(10):
        reading = [asyncio.create_task(http.get(f"{url(one)}/stream")) for one in (session, child)]
        while len(process.broker) < len(reading):
            await asyncio.wait(reading, timeout=0.01)
        await http.delete(url(session))
        streams = [await task for task in reading]

    for stream in streams:
        assert stream.text.startswith("event: session.heartbeat\n")
        assert stream.text.endswith("event: done\ndata: [DONE]\n\n")


async def test_a_sessions_own_agent_goes_with_it(http: httpx.AsyncClient, process: Process) -> None:
    own = await process.pool.run(make_agent, "own", is_builtin=False, created_by="local")
    session = await process.pool.run(make_session, own)
    await process.pool.run(make_child, session, "a:b")

    await http.delete(url(session))

    assert await process.pool.run(Agent.objects.count) == 0


async def test_builtin_agents_stay(http: httpx.AsyncClient, process: Process) -> None:
    session = await process.pool.run(make_session)

    await http.delete(url(session))

    assert await process.pool.run(Agent.objects.count) == 1


async def test_a_branch_that_was_never_made_is_no_obstacle(http: httpx.AsyncClient, process: Process) -> None:
    session = await process.pool.run(make_session)

    assert (await http.delete(f"{url(session)}?delete_branch=true")).status_code == 200


async def test_the_branch_of_an_unreachable_host_keeps_the_session(
    http: httpx.AsyncClient, process: Process
) -> None:
    def build() -> Session:
        session = make_session(host_id="gone", git_branch="b")
        label(session, **{"omnigent.worktree_root": "/repo-worktrees/b"})
        return session

    session = await process.pool.run(build)

    assert_error(await http.delete(f"{url(session)}?delete_branch=true"), 409, "conflict")
    assert (await http.get(url(session))).status_code == 200
    assert (await http.delete(url(session))).status_code == 200


async def test_a_runner_that_does_not_answer_is_no_obstacle(
    http: httpx.AsyncClient, process: Process
) -> None:
    runner = await process.pool.run(make_runner, host_id="gone")
    session = await process.pool.run(make_session, runner_id=runner.public_id, status="running")

    assert (await http.delete(url(session))).status_code == 200


async def test_a_runner_may_not_delete(http: httpx.AsyncClient, process: Process) -> None:
    runner = await process.pool.run(make_runner)
    session = await process.pool.run(make_session, runner_id=runner.public_id)

    answer = await http.delete(url(session), headers={"X-Omnigent-Runner-Tunnel-Token": "secret"})

    assert_error(answer, 403, "forbidden", "Only the session owner can delete this session")


async def test_the_flag_is_a_boolean(http: httpx.AsyncClient, process: Process) -> None:
    session = await process.pool.run(make_session)

    assert_invalid(await http.delete(f"{url(session)}?delete_branch=perhaps"), "query", "delete_branch")


@pytest.mark.parametrize("text", ["a b", "x" * 65])
async def test_what_is_no_id_is_not_found(http: httpx.AsyncClient, text: str) -> None:
    assert_error(await http.delete(f"/v1/sessions/{text}"), 404, "not_found", "Not found.")
