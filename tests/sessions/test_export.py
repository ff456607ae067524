"""GET /v1/sessions/{id}/export: what an archive and a transcript hold, and who gets them."""

import asyncio
import random
import tracemalloc
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from agents_app.models import Agent
from omnigent.accounts.gate import Gate
from omnigent.accounts.identity import Principal
from omnigent.asgi import Router
from omnigent.errors import OmnigentError
from omnigent.protocol import items
from sessions_app.files.blobs import blob_name
from sessions_app.models import Grant, Item, Session
from sessions_app.process import Process
from sessions_app.services import exporting
from sessions_app.services.export_rows import Export
from tests.api_plumbing.asgi_client import http_scope
from tests.error_shape import assert_error, assert_invalid
from tests.factories import add_item, agent_said, make_child, make_session, user_said
from tests.policies_rest.log import append, new
from tests.sessions.archiving import add_file, exported, lines, members, new_tree

MIB = 1024 * 1024
CONTROL = ("SAVEPOINT", "RELEASE", "BEGIN", "COMMIT", "ROLLBACK")


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """A storage of this test's own."""
    settings.MEDIA_ROOT = tmp_path / "blobs"
    return tmp_path / "blobs"


async def test_an_archive_holds_the_tree_under_names_of_its_own(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    root = await new_tree(process, agent)

    archive = await exported(http, root.public_id)

    found = members(archive)
    assert list(found) == [
        "agents/000001.jsonl",
        "sessions/000001.jsonl",
        "files/000001.jsonl",
        "items/000001.jsonl",
        "comments/000001.jsonl",
        *sorted(name for name in found if name.startswith("blobs/")),
        "manifest.json",
    ]
    sessions = lines(archive, "sessions")
    assert [(row["id"], row["parent"], row["title"], row["items"]) for row in sessions] == [
        ("s1", None, "Wurzel 🌳", 5),
        ("s2", "s1", "helper:one", 1),
        ("s3", "s1", "helper:three", 0),
        ("s4", "s2", "helper:two", 1),
    ]
    assert sessions[0]["labels"] == {"env": "prod", "about": "$ref:s1$"}
    assert sessions[0]["settings"]["reasoning_effort"] == "high"
    assert sessions[0]["usage"]["by_model"] == {"m": {"input_tokens": 3, "total_cost_usd": 0.25}}
    assert [row["archived"] for row in sessions] == [False, False, True, False]
    assert [row["sha256"] for row in lines(archive, "files")[:2]] == [
        name.removeprefix("blobs/") for name in found if found[name] == b"# Notes\n"
    ] * 2
    assert [row["path"] for row in lines(archive, "comments")] == ["a.py"]
    assert [row["builtin_id"] for row in lines(archive, "agents")] == [agent.public_id]


async def test_references_are_names_and_everything_else_is_verbatim(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    root = await new_tree(process, agent)

    archive = await exported(http, root.public_id)

    rows = lines(archive, "items")
    assert [row["id"] for row in rows] == [f"i{number}" for number in range(1, 8)]
    assert rows[0]["data"]["content"][0]["text"] == "look at $ref::i1$ and \u2028 that"
    assert rows[1]["data"]["content"][0]["file_id"] == "$ref:f1$"
    assert rows[1]["data"]["content"][1]["file_id"] == "file_" + "0" * 32
    assert rows[3]["response_id"] == "$ref:s1$"
    assert rows[3]["data"]["output"].startswith("$ref:s2$ said")
    assert rows[4]["data"]["last_item_id"] == "$ref:i1$"
    assert rows[4]["data"]["compacted_messages"] == [{"id": "$ref:i1$"}]
    assert rows[5]["data"]["content"][0]["text"] == "my parent is $ref:s1$, its first item $ref:i1$"
    assert root.public_id.encode() not in b"".join(
        data for name, data in members(archive).items() if name != "manifest.json"
    )


async def test_the_manifest_says_what_there_is(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    root = await new_tree(process, agent)

    manifest = orjson.loads(members(await exported(http, root.public_id))["manifest.json"])

    assert (manifest["format"], manifest["version"]) == ("omnigent.session", 1)
    assert manifest["counts"] == {"agents": 1, "sessions": 4, "files": 3, "items": 7, "comments": 1}
    assert manifest["source_ids"]["s1"] == root.public_id
    assert manifest["missing"] == []


async def test_an_archive_is_the_same_every_time(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    root = await new_tree(process, agent)

    first, second = (
        members(await exported(http, root.public_id)),
        members(await exported(http, root.public_id)),
    )

    del first["manifest.json"], second["manifest.json"]
    assert first == second


async def test_children_stay_behind_when_they_are_not_wanted(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    root = await new_tree(process, agent)

    archive = await exported(http, root.public_id, "?children=false")

    assert [row["id"] for row in lines(archive, "sessions")] == ["s1"]
    child_id = lines(archive, "items")[3]["data"]["output"].split()[0]
    assert child_id.startswith("conv_")


async def test_a_sub_agent_is_exported_as_a_root(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    root = await new_tree(process, agent)
    child = await process.pool.run(lambda: Session.objects.get(parent=root, title="helper:one"))

    archive = await exported(http, child.public_id)

    assert [(row["id"], row["parent"]) for row in lines(archive, "sessions")] == [("s1", None), ("s2", "s1")]
    assert root.public_id in lines(archive, "items")[0]["data"]["content"][0]["text"]


async def test_a_lost_blob_is_told_and_does_not_spoil_the_export(
    http: httpx.AsyncClient, process: Process, agent: Agent, media: Path
) -> None:
    def build() -> Session:
        session = make_session(agent)
        file = add_file(session, "a.txt", b"gone")
        (media / blob_name(file.blob_id)).unlink()
        return session

    session = await process.pool.run(build)

    found = members(await exported(http, session.public_id))

    assert orjson.loads(found["manifest.json"])["missing"] == [
        {"kind": "file", "id": "f1", "name": "a.txt", "reason": "its bytes were not in the store of files"}
    ]
    assert not [name for name in found if name.startswith("blobs/")]


async def test_items_are_cut_into_members_of_a_bounded_size(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    def build() -> Session:
        session = make_session(agent)
        for _ in range(5):
            add_item(session, items.FunctionCallOutput(call_id="c", output="x" * 600_000))
        return session

    session = await process.pool.run(build)

    found = members(await exported(http, session.public_id))

    sizes = [data.count(b"\n") for name, data in found.items() if name.startswith("items/")]
    assert sizes == [2, 2, 1]


async def test_the_transcript_is_markdown_in_which_nobody_can_forge_a_heading(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    def build() -> Session:
        session = make_session(agent, title="Plans *and* more")
        user_said(session, "# I am a heading\n```")
        agent_said(session, "fine")
        add_item(session, items.FunctionCallOutput(call_id="c", output="a ``` b"))
        add_item(session, items.Message(role="user", content=[], is_meta=True))
        agent_said(make_child(session, "helper:one"), "from below")
        add_file(session, "n_b.txt", b"n")
        return session

    session = await process.pool.run(build)

    answer = await http.get(f"/v1/sessions/{session.public_id}/export?format=markdown")

    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.headers["content-disposition"] == (
        f'attachment; filename="omnigent-{session.public_id}.md"'
    )
    text = answer.text
    headings = [line for line in text.splitlines() if line.startswith("#")]
    assert headings == ["# Plans \\*and\\* more", "## Sub-agent: helper:one", "## Files"]
    assert "> # I am a heading\n> ```" in text
    assert "````\na ``` b\n````" in text
    assert "> from below" in text
    assert "n\\_b.txt" in text


async def test_an_unknown_format_is_refused(http: httpx.AsyncClient, process: Process, agent: Agent) -> None:
    session = await process.pool.run(make_session, agent)

    answer = await http.get(f"/v1/sessions/{session.public_id}/export?format=zip")

    assert_invalid(answer, "query", "format")


async def test_an_unknown_session_is_not_found(http: httpx.AsyncClient, process: Process) -> None:
    assert_error(
        await http.get(f"/v1/sessions/conv_{'0' * 32}/export"), 404, "not_found", "Session not found"
    )


async def test_a_runner_gets_only_what_is_bound_to_it(process: Process, agent: Agent) -> None:
    def build() -> list[str]:
        root = make_session(agent, runner_id="r1")
        make_child(root, "a:mine", runner_id="r1")
        make_child(make_child(root, "a:other", runner_id="r2"), "a:below", runner_id="r1")
        runner = Principal(user_id="local", is_admin=False, kind="runner", runner_id="r1")
        plan = exporting.plan(runner, root.public_id, with_children=True)
        return [session.columns["title"] for session in plan.sessions]

    assert await process.pool.run(build) == ["", "a:mine"]


async def test_an_export_reads_as_often_for_many_rows_as_for_few(process: Process, agent: Agent) -> None:
    def statements(size: int) -> int:
        root = make_session(agent)
        for number in range(size):
            child = make_child(root, f"a:{number}")
            user_said(child, f"see {user_said(root, 'x')}")
            add_file(child, f"{number}.txt", b"x")
            append(new(session_id=child.public_id, root_session_id=root.public_id))
        local = Principal(user_id="local", is_admin=True)
        with CaptureQueriesContext(connection) as captured:
            list(Export(exporting.plan(local, root.public_id, with_children=True)).chunks())
        return len([query for query in captured if not query["sql"].startswith(CONTROL)])

    few = await process.pool.run(statements, 3)
    many = await process.pool.run(statements, 60)

    assert few == many
    assert many <= 15


async def test_what_is_appended_meanwhile_is_not_in_the_export(process: Process, agent: Agent) -> None:
    def read() -> tuple[list[str], list[str]]:
        root = make_session(agent)
        child = make_child(root, "a:b")
        for session in (root, root, child):
            user_said(session, "before")
        local = Principal(user_id="local", is_admin=True)
        plan = exporting.plan(local, root.public_id, with_children=True)
        expected = [text for _, text in Export(plan).chunks()]
        for session in (root, child):
            user_said(session, "after")
        return expected, [text for _, text in Export(plan).chunks()]

    expected, found = await process.pool.run(read)

    assert found == expected


class Unread:
    """A client that asks for an export and accepts no byte of it."""

    def __init__(self) -> None:
        self.is_sent_something = asyncio.Event()
        self._is_over = asyncio.Event()
        self._has_asked = False

    async def receive(self) -> Any:
        """The request, and then silence."""
        if not self._has_asked:
            self._has_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self._is_over.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        """Blocks at the first bytes."""
        if message.get("body"):
            self.is_sent_something.set()
            await self._is_over.wait()

    def leave(self) -> None:
        """Go away."""
        self._is_over.set()


async def test_more_unread_exports_than_threads_hold_nobody_up(
    server: Gate, http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    session = await process.pool.run(make_session, agent)
    await process.pool.run(add_file, session, "big.txt", bytes(range(32, 127)) * 40_000)
    scope = http_scope("GET", f"/v1/sessions/{session.public_id}/export", {})
    clients = [Unread() for _ in range(process.pool.size + 4)]
    tasks = [asyncio.ensure_future(server({**scope}, one.receive, one.send)) for one in clients]

    try:
        async with asyncio.timeout(10):
            for one in clients:
                await one.is_sent_something.wait()
            assert (await http.get(f"/v1/sessions/{session.public_id}")).status_code == 200
            assert "blobs/" in "".join(members(await exported(http, session.public_id)))
    finally:
        for one in clients:
            one.leave()
        await asyncio.gather(*tasks)


async def test_a_large_file_is_never_in_memory_as_a_whole(
    server: Gate, process: Process, agent: Agent
) -> None:
    session = await process.pool.run(make_session, agent)
    await process.pool.run(add_file, session, "big.txt", random.Random(1).randbytes(24 * MIB))
    sent: list[int] = []

    async def send(message: Any) -> None:
        sent.append(len(message.get("body", b"")))

    client = Unread()
    scope = http_scope("GET", f"/v1/sessions/{session.public_id}/export", {})
    tracemalloc.start()
    try:
        await server(scope, client.receive, send)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        client.leave()

    assert sum(sent) > 24 * MIB
    assert peak < 6 * MIB


async def test_a_reader_whose_grant_is_withdrawn_gets_no_more(
    process: Process, agent: Agent, settings: Settings
) -> None:
    settings.OMNIGENT_AUTH_MODE = "header"
    settings.OMNIGENT_ACCESS_RECHECK_SECONDS = 0.0
    session = await process.pool.run(make_session, agent, owner="ann")
    await process.pool.run(add_file, session, "big.txt", random.Random(1).randbytes(4 * MIB))
    await process.pool.run(Grant.objects.create, session=session, user_id="bob", level=1)
    sent: list[bytes] = []

    async def send(message: Any) -> None:
        sent.append(message.get("body", b""))
        if len(b"".join(sent)) > MIB:
            await process.pool.run(Grant.objects.filter(user_id="bob").delete)

    client = Unread()
    scope = http_scope("GET", f"/v1/sessions/{session.public_id}/export", {})
    scope["principal"] = Principal(user_id="bob", is_admin=False)
    with pytest.raises(OmnigentError, match="Session not found"):
        await Router()(scope, client.receive, send)
    client.leave()

    assert MIB < len(b"".join(sent)) < 3 * MIB


async def test_an_export_of_a_session_that_goes_away_breaks_off(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    session = await process.pool.run(make_session, agent)
    await process.pool.run(user_said, session, "hello")

    def vanish() -> None:
        Item.objects.filter(session=session).delete()

    await process.pool.run(vanish)

    with pytest.raises(Exception, match="Session not found"):
        await http.get(f"/v1/sessions/{session.public_id}/export")
