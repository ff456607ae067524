"""Policies in archives: they come along, they come back as they were, and what cannot be applied denies."""

from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from pytest_django import Settings

from agents_app.models import Agent
from policies_app.models import PolicyVersion
from sessions_app.models import PolicyMemory, Session, SessionPolicy
from sessions_app.process import Process
from tests.error_shape import assert_error
from tests.factories import make_bundled_agent, make_child, make_session
from tests.sessions.archiving import (
    Members,
    changed,
    exported,
    imported,
    lines,
    members,
    tree_ids,
    without_provenance,
)

LIMIT = "omnigent.policies.builtins.safety.max_tool_calls_per_session"
ASK = "omnigent.policies.ask_on_os_tools"
CAP: dict[str, Any] = {"name": "cap", "type": "python", "handler": LIMIT, "factory_params": {"limit": 3}}
CARE: dict[str, Any] = {"name": "care", "type": "python", "handler": ASK}
MEMBER = "policies/000001.jsonl"


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """A storage of this test's own."""
    settings.MEDIA_ROOT = tmp_path / "blobs"
    return tmp_path / "blobs"


@pytest.fixture
async def agent(process: Process) -> Agent:
    """A built-in agent whose policies can be read: it has none."""
    return await process.pool.run(make_bundled_agent)


@pytest.fixture
async def root(http: httpx.AsyncClient, process: Process, agent: Agent) -> Session:
    """A session with two policies, the second one switched off, and a sub-agent with one."""
    made: Session = await process.pool.run(make_session, agent)
    child = await process.pool.run(make_child, made, "helper:one")
    note = {"name": made.public_id, "type": "url", "handler": "https://policies.example.com/judge"}
    for session, body in ((made, CAP), (made, {**CARE, "enabled": False, "quorum": 2}), (child, note)):
        answer = await http.post(f"/v1/sessions/{session.public_id}/policies", json=body)
        assert answer.status_code == 200, answer.text
    return made


async def own(http: httpx.AsyncClient, session_id: str) -> list[dict[str, Any]]:
    return [
        row
        for row in (await http.get(f"/v1/sessions/{session_id}/policies")).json()["data"]
        if row["source"] == "session"
    ]


async def judged(http: httpx.AsyncClient, session_id: str) -> str:
    """What the chain says of a harmless call."""
    question = {"event": {"type": "PHASE_TOOL_CALL", "data": {"name": "note", "arguments": {}}}}
    answer = await http.post(f"/v1/sessions/{session_id}/policies/evaluate", json=question)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["result"])


async def test_an_archive_holds_policies_behind_the_comments(http: httpx.AsyncClient, root: Session) -> None:
    archive = await exported(http, root.public_id)

    rows = lines(archive, "policies")
    assert [(row["id"], row["session"], row["name"], row["enabled"]) for row in rows] == [
        ("p1", "s1", "cap", True),
        ("p2", "s1", "care", False),
        ("p3", "s2", "$ref:s1$", True),
    ]
    assert rows[0]["factory_params"] == {"limit": 3}
    assert orjson.loads(members(archive)["manifest.json"])["counts"]["policies"] == 3
    assert list(members(archive))[-2:] == [MEMBER, "manifest.json"]


async def test_a_session_without_policies_exports_none(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    archive = await exported(http, (await process.pool.run(make_session, agent)).public_id)

    assert MEMBER not in members(archive)
    assert "policies" not in orjson.loads(members(archive)["manifest.json"])["counts"]


async def test_an_import_is_bound_as_the_source_was(
    http: httpx.AsyncClient, process: Process, root: Session
) -> None:
    archive = await exported(http, root.public_id)

    answer = await imported(http, archive)

    new_root, new_child = tree_ids(answer)
    assert answer.json()["missing"] == []
    rows = await own(http, new_root)
    assert [(row["name"], row["enabled"], row["quorum"]) for row in rows] == [
        ("cap", True, 1),
        ("care", False, 2),
    ]
    assert [row["name"] for row in await own(http, new_child)] == [new_root]
    assert without_provenance(await exported(http, new_root)) == without_provenance(archive)

    def kept() -> tuple[int, list[int]]:
        memory = PolicyMemory.objects.filter(session__public_id__in=[new_root, new_child])
        versions = PolicyVersion.objects.filter(session_id__in=[new_root, new_child]).count()
        return versions, [row.chain_revision for row in memory]

    assert await process.pool.run(kept) == (3, [1, 1])


async def test_a_policy_that_is_unknown_here_is_told_of_and_kept(
    http: httpx.AsyncClient, root: Session
) -> None:
    def elsewhere(found: Members) -> None:
        found[MEMBER] = found[MEMBER].replace(ASK.encode(), b"their.own.handler")

    archive = changed(await exported(http, root.public_id), elsewhere)
    looked = await imported(http, archive, "?dry_run=true")
    answer = await imported(http, archive)

    assert looked.json()["missing"] == answer.json()["missing"]
    [missing] = answer.json()["missing"]
    assert (missing["kind"], missing["id"], missing["name"]) == ("policy", "p2", "care")
    assert "denies" in missing["reason"]
    assert "'their.own.handler' is not registered" in missing["reason"]
    new_root = tree_ids(answer)[0]
    rows = await own(http, new_root)
    assert [row["handler"] for row in rows] == [LIMIT, "their.own.handler"]
    assert await judged(http, new_root) == "POLICY_ACTION_ALLOW"
    await http.patch(f"/v1/sessions/{new_root}/policies/{rows[1]['id']}", json={"enabled": True})
    assert await judged(http, new_root) == "POLICY_ACTION_DENY"


async def test_the_archive_of_a_sub_agent_keeps_what_bound_it_from_above(
    http: httpx.AsyncClient, process: Process, root: Session
) -> None:
    child = await process.pool.run(lambda: Session.objects.get(parent=root))

    archive = await exported(http, child.public_id)

    names = [(row["session"], row["name"]) for row in lines(archive, "policies")]
    assert names == [("s1", "cap"), ("s1", "care"), ("s1", root.public_id)]
    again = await exported(http, tree_ids(await imported(http, archive))[0])
    assert without_provenance(again) == without_provenance(archive)


BAD: list[tuple[str, dict[str, Any], str]] = [
    ("another id", {"id": "p2"}, "id: must be p1"),
    ("foreign session", {"session": "s9"}, "session: s9"),
    ("no name", {"name": ""}, "name: "),
    ("unknown type", {"type": "function"}, "type: "),
    ("a handler of another type", {"handler": "https://example.com"}, "handler: "),
    ("code for a handler", {"handler": "os; rm"}, "handler: "),
    ("text for a flag", {"enabled": "yes"}, "enabled: "),
    ("nobody must agree", {"quorum": 0}, "quorum: "),
    ("an unknown key", {"colour": "red"}, "colour: "),
    ("another spelling of the time", {"created_at": "2026-01-01"}, "created_at: "),
]


@pytest.mark.parametrize(
    ("fields", "words"), [pytest.param(fields, words, id=name) for name, fields, words in BAD]
)
async def test_a_spoiled_policy_is_refused_with_its_place(
    http: httpx.AsyncClient, process: Process, root: Session, fields: dict[str, Any], words: str
) -> None:
    def spoil(found: Members) -> None:
        first, *others = found[MEMBER].splitlines(keepends=True)
        spoiled = orjson.dumps({**orjson.loads(first), **fields}, option=orjson.OPT_APPEND_NEWLINE)
        found[MEMBER] = b"".join((spoiled, *others))

    answer = await imported(http, changed(await exported(http, root.public_id), spoil))

    body = assert_error(answer, 400, "invalid_input")
    assert f"{MEMBER}, line 1: {words}" in body["error"]["message"]
    assert await process.pool.run(SessionPolicy.objects.count) == 3


async def test_two_policies_of_one_name_are_refused(http: httpx.AsyncClient, root: Session) -> None:
    def spoil(found: Members) -> None:
        found[MEMBER] = found[MEMBER].replace(b'"name":"care"', b'"name":"cap"')

    answer = await imported(http, changed(await exported(http, root.public_id), spoil))

    body = assert_error(answer, 400, "invalid_input")
    assert f"{MEMBER}, line 2: name: " in body["error"]["message"]
