"""POST /v1/sessions/import: what comes back, for whom, and that nothing is left when it fails."""

from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from pytest_django import Settings

from agents_app.models import Agent
from agents_app.services import uploaded
from omnigent.accounts.gate import Gate
from omnigent.accounts.identity import Principal
from omnigent.asgi import Router
from omnigent.spec import bundle
from sessions_app.models import Blob, Comment, File, Grant, Item, Session, SessionLabel, UserDailyCost
from sessions_app.process import Process
from sessions_app.services import agent_rules, spending
from sessions_app.services.sessions import delete_session
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_agent, make_bundled_agent, make_session, user_said
from tests.sessions.archiving import (
    GZIP,
    add_file,
    changed,
    edit,
    exported,
    imported,
    lines,
    new_tree,
    refuse_comments,
    take_comments,
    tree_ids,
    without_provenance,
)
from tests.sessions.uploading import on_disk

TABLES = (Session, Item, File, Blob, Comment, SessionLabel, Grant, Agent)
DOCUMENT = b"name: mine\ndescription: d\nprompt: p\nexecutor:\n  harness: scripted\n"


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """A storage of this test's own."""
    settings.MEDIA_ROOT = tmp_path / "blobs"
    return tmp_path / "blobs"


@pytest.fixture
async def tree(process: Process, agent: Agent) -> Session:
    return await new_tree(process, agent)


async def everything(process: Process, media: Path) -> tuple[int, ...]:
    """How many rows and stored files there are."""
    rows = await process.pool.run(lambda: [table.objects.count() for table in TABLES])  # type: ignore[attr-defined]  # the stubs know no manager of a model in general
    return (*rows, len(on_disk(media)))


async def test_an_import_brings_the_tree_back_under_new_ids(
    http: httpx.AsyncClient, tree: Session, process: Process
) -> None:
    answer = await imported(http, await exported(http, tree.public_id))

    ids = tree_ids(answer)
    report = answer.json()
    assert (report["session_id"], report["item_count"], report["file_count"]) == (ids[0], 7, 3)
    assert report["missing"] == []
    assert [row["archive_id"] for row in report["sessions"]] == ["s1", "s2", "s3", "s4"]
    before = (await http.get(f"/v1/sessions/{tree.public_id}")).json()
    after = (await http.get(f"/v1/sessions/{ids[0]}")).json()
    same = ("title", "agent_id", "created_at", "updated_at", "reasoning_effort", "usage_by_model")
    assert [after[name] for name in same] == [before[name] for name in same]
    assert after["labels"] == {"env": "prod", "about": ids[0]}
    assert (after["status"], after["runner_id"], after["host_id"], after["workspace"]) == (
        "idle",
        *[None] * 3,
    )
    children = (await http.get(f"/v1/sessions/{ids[0]}/child_sessions")).json()["data"]
    assert [(row["id"], row["title"]) for row in children] == [(ids[1], "helper:one")]
    assert (await http.get(f"/v1/sessions/{ids[3]}")).json()["root_conversation_id"] == ids[0]


async def test_pointers_and_files_are_those_of_the_import(http: httpx.AsyncClient, tree: Session) -> None:
    ids = tree_ids(await imported(http, await exported(http, tree.public_id)))

    found = (await http.get(f"/v1/sessions/{ids[0]}/items")).json()["data"]
    files = (await http.get(f"/v1/sessions/{ids[0]}/resources/files?order=asc")).json()["data"]
    assert found[0]["content"][0]["text"] == "look at $ref:i1$ and \u2028 that"
    assert found[1]["content"][0]["file_id"] == files[0]["id"]
    assert found[3]["output"].startswith(f"{ids[1]} said")
    assert found[4]["last_item_id"] == found[0]["id"]
    content = await http.get(f"/v1/sessions/{ids[0]}/resources/files/{files[0]['id']}/content")
    assert content.content == b"# Notes\n"


async def test_the_export_of_an_import_equals_the_first_export(
    http: httpx.AsyncClient, tree: Session, process: Process
) -> None:
    first = await exported(http, tree.public_id)
    ids = tree_ids(await imported(http, first))
    # The copy must stand without its source.
    await process.pool.run(lambda: delete_session(session_pk=tree.pk))

    second = await exported(http, ids[0])

    assert without_provenance(second) == without_provenance(first)
    third = await exported(http, tree_ids(await imported(http, second))[0])
    assert without_provenance(third) == without_provenance(first)


async def test_an_agent_of_its_own_comes_along(http: httpx.AsyncClient, process: Process) -> None:
    def build() -> Session:
        own = uploaded(
            data=bundle.pack({"mine.yaml": DOCUMENT}), created_by="local", check=agent_rules.problems
        )
        own.save()
        return make_session(own)

    session = await process.pool.run(build)
    first = await exported(http, session.public_id)

    ids = tree_ids(await imported(http, first))

    shown = (await http.get(f"/v1/sessions/{ids[0]}")).json()
    assert shown["agent_name"] == "mine"
    assert shown["agent_id"] != session.agent.public_id  # type: ignore[union-attr]  # it has one
    assert (await http.get(f"/v1/sessions/{ids[0]}/agent/contents")).status_code == 200
    assert without_provenance(await exported(http, ids[0])) == without_provenance(first)


async def test_a_multipart_import_is_the_same(
    http: httpx.AsyncClient, tree: Session, process: Process
) -> None:
    archive = await exported(http, tree.public_id)
    other = await process.pool.run(make_agent, "other")

    answer = await http.post(
        "/v1/sessions/import", files={"archive": ("a.tar.gz", archive)}, data={"agent_id": other.public_id}
    )

    assert len(tree_ids(answer)) == 4


async def test_a_missing_agent_is_named_and_can_be_replaced(
    http: httpx.AsyncClient, tree: Session, process: Process, media: Path
) -> None:
    archive = changed(
        await exported(http, tree.public_id), edit("agents", 1, builtin_id="ag_gone", digest="1" * 64)
    )
    other = await process.pool.run(make_agent, "other")
    before = await everything(process, media)

    refused = await imported(http, archive)

    body = assert_error(refused, 409, "conflict")
    assert "'helper' (ag_gone)" in body["error"]["message"]
    assert body["detail"]["missing"] == [
        {"kind": "agent", "id": "a1", "name": "helper", "agent_id": "ag_gone", "digest": "1" * 64}
    ]
    assert await everything(process, media) == before
    answer = await imported(http, archive, f"?agent_id={other.public_id}")
    assert answer.json()["missing"] == [
        {
            "kind": "agent",
            "id": "a1",
            "name": "helper",
            "reason": f"{other.public_id} ('other') stands in for it",
        }
    ]
    shown = (await http.get(f"/v1/sessions/{answer.json()['session_id']}")).json()
    assert shown["agent_id"] == other.public_id
    unknown = await imported(http, archive, "?agent_id=ag_nobody")
    assert_error(unknown, 404, "not_found", "Agent not found: 'ag_nobody'")


async def test_an_agent_is_found_by_name_and_digest_and_another_content_is_told(
    http: httpx.AsyncClient, process: Process
) -> None:
    agent = await process.pool.run(make_bundled_agent, "same")
    session = await process.pool.run(make_session, agent)
    archive = await exported(http, session.public_id)

    renamed = await imported(http, changed(archive, edit("agents", 1, builtin_id="ag_elsewhere")))
    older = await imported(http, changed(archive, edit("agents", 1, digest="2" * 64)))

    assert renamed.json()["missing"] == []
    assert [row["reason"] for row in older.json()["missing"]] == [f"{agent.public_id} has other content here"]


async def test_a_dry_run_tells_the_same_and_stores_nothing(
    http: httpx.AsyncClient, tree: Session, process: Process, media: Path
) -> None:
    archive = await exported(http, tree.public_id)
    before = await everything(process, media)

    dry = await imported(http, archive, "?dry_run=true")

    assert dry.status_code == 200
    assert await everything(process, media) == before
    real = (await imported(http, archive)).json()
    blank = [{**row, "session_id": None} for row in real["sessions"]]
    assert dry.json() == {**real, "session_id": None, "sessions": blank}


async def test_a_misspelt_option_imports_nothing(http: httpx.AsyncClient, tree: Session) -> None:
    archive = await exported(http, tree.public_id)

    assert_invalid(await imported(http, archive, "?dryrun=true"), "query", "dryrun")


async def test_a_retry_under_the_same_key_imports_once(
    http: httpx.AsyncClient, tree: Session, process: Process
) -> None:
    archive = await exported(http, tree.public_id)
    key = {"Idempotency-Key": "once"}

    first = await imported(http, archive, **key)
    again = await imported(http, archive, **key)
    other = await imported(http, changed(archive, edit("sessions", 1, title="Other")), **key)

    assert (again.status_code, again.json()) == (201, first.json())
    assert await process.pool.run(Session.objects.count) == 8
    assert_error(other, 422, "idempotency_mismatch")


async def test_the_importer_owns_the_copy_whoever_made_the_original(
    server: Gate, process: Process, agent: Agent, settings: Settings
) -> None:
    settings.OMNIGENT_AUTH_MODE = "header"
    settings.OMNIGENT_TRUSTED_PROXIES = ("127.0.0.1/32",)
    transport = httpx.ASGITransport(app=server)  # type: ignore[arg-type]  # our ASGI types are narrower than httpx's

    def build() -> Session:
        session = make_session(agent, owner="ann")
        user_said(session, "hello")
        Item.objects.filter(session=session).update(created_by="ann")
        Grant.objects.create(session=session, user_id="bob", level=1)
        return session

    session = await process.pool.run(build)

    def client(name: str) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=transport,
            base_url="http://127.0.0.1:6767",
            headers={settings.OMNIGENT_AUTH_HEADER: name},
        )

    async with client("bob") as bob, client("eve") as eve, client("ann") as ann:
        assert_error(await eve.get(f"/v1/sessions/{session.public_id}/export"), 404, "not_found")
        archive = await exported(bob, session.public_id)
        new_id = tree_ids(await imported(bob, archive))[0]
        assert (await bob.get(f"/v1/sessions/{new_id}/owner")).json()["owner"] == "bob"
        assert (await ann.get(f"/v1/sessions/{new_id}")).status_code == 404
        assert without_provenance(await exported(bob, new_id)) == without_provenance(archive)


async def test_a_runner_cannot_import(tree: Session, http: httpx.AsyncClient) -> None:
    archive = await exported(http, tree.public_id)
    runner = Principal(user_id="local", is_admin=False, kind="runner", runner_id="r1")

    async def as_runner(scope: Any, receive: Any, send: Any) -> None:
        await Router()({**scope, "principal": runner}, receive, send)

    transport = httpx.ASGITransport(app=as_runner)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:6767") as client:
        assert_error(await imported(client, archive), 403, "forbidden", "Only a person can import sessions")


async def test_what_was_spent_elsewhere_is_nobodys_cost_here(
    http: httpx.AsyncClient, tree: Session, process: Process
) -> None:
    archive = await exported(http, tree.public_id)

    def use_below(found: dict[str, bytes]) -> None:
        usage = lines(archive, "sessions")[0]["usage"]
        edit("sessions", 4, usage={**usage, "by_model": {"m": {"total_cost_usd": 2.0}}})(found)

    ids = tree_ids(await imported(http, changed(archive, use_below)))

    shown = (await http.get(f"/v1/sessions/{ids[0]}")).json()
    assert shown["total_cost_usd"] == 2.25
    await process.pool.run(spending.settle)
    assert await process.pool.run(UserDailyCost.objects.count) == 0
    below = await process.pool.run(lambda: Session.objects.get(public_id=ids[0]).usage_below)
    assert below == {"m": {"total_cost_usd": 2.0}}


async def test_a_lost_file_stays_lost_and_its_id_stays_a_gap(
    http: httpx.AsyncClient, process: Process, agent: Agent, media: Path
) -> None:
    def build() -> Session:
        session = make_session(agent)
        file = add_file(session, "a.txt", b"gone")
        user_said(session, f"see {file.public_id}")
        next(path for path in on_disk(media) if path.name == file.blob_id).unlink()
        return session

    session = await process.pool.run(build)

    answer = await imported(http, await exported(http, session.public_id))

    assert answer.json()["file_count"] == 0
    assert [(row["kind"], row["id"]) for row in answer.json()["missing"]] == [("file", "f1")]


async def test_a_failure_half_way_leaves_nothing(
    http: httpx.AsyncClient, tree: Session, process: Process, media: Path
) -> None:
    archive = await exported(http, tree.public_id)
    await process.pool.run(lambda: delete_session(session_pk=tree.pk))
    before = await everything(process, media)

    await process.pool.run(refuse_comments)
    try:
        answer = await imported(http, archive)
    finally:
        await process.pool.run(take_comments)

    assert_error(answer, 500, "internal_error")
    assert await everything(process, media) == before
    assert len(tree_ids(await imported(http, archive))) == 4


async def test_too_large_an_archive_is_413_and_so_is_nothing_else(
    http: httpx.AsyncClient, tree: Session, settings: Settings
) -> None:
    archive = await exported(http, tree.public_id)

    settings.OMNIGENT_IMPORT_LIMIT = 100
    assert_error(
        await imported(http, archive), 413, "payload_too_large", "The archive is larger than 100 bytes"
    )
    settings.OMNIGENT_IMPORT_LIMIT = 10**6
    settings.OMNIGENT_IMPORT_UNPACKED_LIMIT = 4000
    refused = await imported(http, archive)
    assert_error(
        refused, 400, "invalid_input", "The archive is not valid: it unpacks to more than 4000 bytes"
    )


@pytest.mark.parametrize("content_type", ["application/json", "", "application/zip"])
async def test_another_content_type_is_415(http: httpx.AsyncClient, content_type: str) -> None:
    headers = {"Content-Type": content_type} if content_type else {}

    answer = await http.post("/v1/sessions/import", content=b"{}", headers=headers)

    assert_error(answer, 415, "invalid_input")


async def test_a_body_without_the_archive_is_422(http: httpx.AsyncClient) -> None:
    answer = await http.post("/v1/sessions/import", files={"other": ("a", b"x")})

    assert_invalid(answer, "body", "archive", kind="missing")


@pytest.mark.parametrize("body", [b"", b"x", b"\x1f\x8b", b"\x1f\x8b" + b"\0" * 600], ids=repr)
async def test_what_is_no_archive_is_400(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await http.post("/v1/sessions/import", content=body, headers=GZIP)

    assert_error(answer, 400, "invalid_input")


async def test_only_post_is_known_at_the_address_of_imports(http: httpx.AsyncClient) -> None:
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        content = b"{}" if method in ("PUT", "PATCH") else b""
        answer = await http.request(method, "/v1/sessions/import", content=content)
        assert_error(answer, 404, "not_found")
    assert orjson.loads((await http.get("/v1/sessions")).content)["data"] == []
