"""Edge cases of the contract that need several people on one server, each by the name of its area."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from omnigent.asgi import Router
from sessions_app.access_table import Who
from sessions_app.models import Comment, File, Grant, Item, Session
from sessions_app.process import Process
from tests.contract.calling import Reply, request
from tests.contract.people import Credentials, Things, child_of, make_people, question
from tests.factories import user_said
from tests.stream.servers import running


class Server:
    """The application and its people."""

    def __init__(self, process: Process, credentials: Credentials) -> None:
        self.app = Gate(Router())
        self.process = process
        self.credentials = credentials
        self.things = Things(self.app, process, credentials)

    async def ask(self, who: Who, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """One request; its status and body."""
        headers = {**self.credentials[who], "Content-Type": "application/json"}
        content = b"" if body is None else json.dumps(body).encode()
        reply: Reply = await request(self.app, method, path, headers=headers, body=content)
        return reply.status, json.loads(reply.content) if reply.content else None


@pytest.fixture
async def server(transactional_db: None, settings: Settings) -> AsyncIterator[Server]:
    """A server where people log in, started on the test's loop."""
    settings.OMNIGENT_AUTH_MODE = "accounts"
    async with running() as process:
        yield Server(process, await process.pool.run(make_people))


@pytest.fixture
async def ids(server: Server) -> Mapping[str, str]:
    """The owner's session with one of everything."""
    return await server.things.prepare()


async def test_list_never_shows_another_users_row_nor_counts_it_in_has_more(
    server: Server, ids: Mapping[str, str]
) -> None:
    _, mine = await server.ask(Who.STRANGER, "POST", "/v1/sessions", {"agent_id": ids["agent_id"]})
    for _ in range(3):
        await server.things.make("")

    status, page = await server.ask(Who.STRANGER, "GET", "/v1/sessions?limit=1")

    assert status == 200
    assert [row["id"] for row in page["data"]] == [mine["id"]]
    assert page["has_more"] is False


async def test_delete_by_an_editor_takes_nothing_and_by_the_owner_everything(
    server: Server, ids: Mapping[str, str]
) -> None:
    path = f"/v1/sessions/{ids['session_id']}"

    def left() -> list[int]:
        rows = (Comment.objects.all(), File.objects.all(), Grant.objects.all(), Item.objects.all())
        return [each.filter(session__public_id=ids["session_id"]).count() for each in rows]

    await server.process.pool.run(user_said, await session_of(server, ids["session_id"]), "Hello")
    before = await server.process.pool.run(left)
    assert (await server.ask(Who.EDITOR, "DELETE", path))[0] == 403
    assert await server.process.pool.run(left) == before == [1, 1, 4, 1]

    assert (await server.ask(Who.OWNER, "DELETE", path))[0] == 200

    assert await server.process.pool.run(left) == [0, 0, 0, 0]
    assert (await server.ask(Who.OWNER, "DELETE", path))[0] == 404


async def test_fork_of_a_fork_says_so_and_a_readers_fork_is_their_own(
    server: Server, ids: Mapping[str, str]
) -> None:
    status, first = await server.ask(Who.READER, "POST", f"/v1/sessions/{ids['session_id']}/fork", {})
    _, second = await server.ask(Who.READER, "POST", f"/v1/sessions/{first['id']}/fork", {})

    assert status == 201
    assert second["title"] == "Fork of Fork of Secret plan"
    assert first["permission_level"] == second["permission_level"] == 4
    assert await server.ask(Who.READER, "GET", f"/v1/sessions/{first['id']}/owner") == (
        200,
        {"owner": "rita"},
    )
    assert (await server.ask(Who.OWNER, "GET", f"/v1/sessions/{first['id']}"))[0] == 404


async def test_children_are_seen_through_their_parents_grant_and_have_names_of_their_own(
    server: Server, ids: Mapping[str, str]
) -> None:
    child = await server.process.pool.run(child_of, ids["session_id"])
    again = {
        "agent_id": ids["agent_id"],
        "parent_session_id": ids["session_id"],
        "title": "helper:one",
        "sub_agent_name": "helper",
    }

    _, page = await server.ask(Who.READER, "GET", f"/v1/sessions/{ids['session_id']}/child_sessions")

    assert [row["id"] for row in page["data"]] == [child]
    assert (await server.ask(Who.READER, "GET", f"/v1/sessions/{child}"))[1]["permission_level"] == 1
    assert (await server.ask(Who.STRANGER, "GET", f"/v1/sessions/{child}"))[0] == 404
    assert (await server.ask(Who.OWNER, "POST", "/v1/sessions", again))[0] == 409


async def test_elicitations_of_a_child_count_on_its_parent_and_a_reader_cannot_settle_them(
    server: Server, ids: Mapping[str, str]
) -> None:
    child = await server.process.pool.run(child_of, ids["session_id"])
    asked = await server.process.pool.run(question, child)
    verdict = f"/v1/sessions/{child}/elicitations/{asked}/resolve"

    _, page = await server.ask(Who.READER, "GET", "/v1/sessions")

    assert page["data"][0]["pending_elicitations_count"] == 2
    assert (await server.ask(Who.READER, "POST", verdict, {"action": "accept"}))[0] == 403
    assert await server.ask(Who.OWNER, "POST", verdict, {"action": "decline"}) == (202, {"queued": False})
    status, second = await server.ask(Who.OWNER, "POST", verdict, {"action": "accept"})
    assert (status, second["resolution"]["action"]) == (202, "decline")


async def test_events_with_a_foreign_author_are_refused_and_not_stored(
    server: Server, ids: Mapping[str, str]
) -> None:
    path = f"/v1/sessions/{ids['session_id']}/events"
    content = [{"type": "input_text", "text": "Hello"}]
    message = {"type": "message", "data": {"role": "user", "content": content}, "created_by": "ada"}

    status, body = await server.ask(Who.EDITOR, "POST", path, message)

    assert (status, body["error"]["code"]) == (403, "forbidden")
    assert (await server.ask(Who.OWNER, "GET", f"/v1/sessions/{ids['session_id']}/items"))[1]["data"] == []


async def session_of(server: Server, session_id: str) -> Session:
    """A session's row."""
    found: Session = await server.process.pool.run(Session.objects.get, public_id=session_id)
    return found
