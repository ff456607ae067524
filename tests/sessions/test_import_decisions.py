"""Decisions in archives: to the letter, for those who may read them, and never among this server's own."""

import io
import json
import tracemalloc
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from agents_app.models import Agent
from omnigent.accounts.gate import Gate
from omnigent.accounts.identity import Principal
from policies_app.models import Decision, ImportedDecision
from policies_app.services import decision_pages, decisions
from policies_app.services.decision_pages import DecisionQuery
from sessions_app.models import Grant, Kind, Session
from sessions_app.process import Process
from sessions_app.services import exporting
from sessions_app.services.export_rows import Export
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_child, make_session
from tests.policies_rest.log import START, append, hash_as_an_auditor_does, new
from tests.sessions.archiving import (
    Change,
    Members,
    changed,
    exported,
    imported,
    lines,
    members,
    tree_ids,
    without_provenance,
)

URL = "/v1/policy-decisions"
MEMBER = "decisions/000001.jsonl"
MIB = 1024 * 1024
LOCAL = Principal(user_id="local", is_admin=True)


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """A storage of this test's own."""
    settings.MEDIA_ROOT = tmp_path / "blobs"
    return tmp_path / "blobs"


def decide(session: Session, root: Session, reason: str, **fields: Any) -> None:
    """A decision about a session of a tree."""
    ids = {"session_id": session.public_id, "root_session_id": root.public_id}
    append(new(created_at=START, reason=reason, **ids, **fields))


def make_judged(agent: Agent) -> Session:
    """A tree with three decisions that follow each other, between decisions about something else."""
    root = make_session(agent)
    child = make_child(root, "helper:one")
    append(new(session_id="conv_other", root_session_id="conv_other"))
    decide(root, root, f"about {root.public_id}, not $ref:s1$", policy_id="pol_1", policy_version=2)
    decide(child, root, "in the child", verdict="deny", actor="olga", input={"text": "a\0b"})
    decide(root, root, "", level="guard", shadow=[{"id": "pol_2", "verdict": "ask"}], input=None)
    append(new(session_id="conv_other", root_session_id="conv_other"))
    return root


@pytest.fixture
async def root(http: httpx.AsyncClient, process: Process, agent: Agent) -> Session:
    return await process.pool.run(make_judged, agent)


async def listed(http: httpx.AsyncClient, **query: Any) -> list[dict[str, Any]]:
    """All decisions that match, the oldest first."""
    answer = await http.get(URL, params={"format": "ndjson", **query})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def verified() -> str:
    """What `manage.py verify_decisions` says."""
    out = io.StringIO()
    call_command("verify_decisions", stdout=out)
    return out.getvalue()


def fault() -> str:
    """The fault that it names."""
    with pytest.raises(CommandError) as raised:
        verified()
    return str(raised.value)


async def test_an_archive_holds_decisions_as_their_log_lists_them(
    http: httpx.AsyncClient, root: Session
) -> None:
    archive = await exported(http, root.public_id)

    rows = [orjson.loads(line) for line in members(archive)[MEMBER].replace(b"$ref::", b"$ref:").splitlines()]
    assert [(row["id"], row["session"]) for row in rows] == [("d1", "s1"), ("d2", "s2"), ("d3", "s1")]
    assert [row["decision"] for row in rows] == await listed(http, root=root.public_id)
    assert rows[0]["decision"]["reason"] == f"about {root.public_id}, not $ref:s1$"
    assert {row["origin"][:4] for row in rows} == {"log_"}
    assert len({row["origin"] for row in rows}) == 1
    assert orjson.loads(members(archive)["manifest.json"])["counts"]["decisions"] == 3
    assert list(members(archive))[-2:] == [MEMBER, "manifest.json"]


async def test_an_import_lists_them_as_what_another_log_says(
    http: httpx.AsyncClient, root: Session, process: Process
) -> None:
    archive = await exported(http, root.public_id)
    before = await listed(http)

    answer = await imported(http, archive)

    ids = tree_ids(answer)
    assert answer.json()["missing"] == []
    rows = await listed(http, imported="true", root=ids[0])
    assert [row["session_id"] for row in rows] == [ids[0], ids[1], ids[0]]
    assert [row["decision"] for row in rows] == await listed(http, root=root.public_id)
    assert all(row["decision"]["hash"] == hash_as_an_auditor_does(row["decision"]) for row in rows)
    assert {(row["object"], row["root_session_id"], row["imported_by"]) for row in rows} == {
        ("imported_decision", ids[0], "local")
    }
    assert {row["origin"] for row in rows} == {row["origin"] for row in lines(archive, "decisions")}
    # This server has decided none of it.
    assert await listed(http) == before
    assert await listed(http, root=ids[0]) == []
    assert await process.pool.run(verified) == (
        "5 decisions, each as it was written\n"
        "3 imported decisions in 1 unbroken runs, each as its own log had it\n"
    )


async def test_imported_decisions_have_pages_and_filters(http: httpx.AsyncClient, root: Session) -> None:
    ids = tree_ids(await imported(http, await exported(http, root.public_id)))

    page = (await http.get(URL, params={"imported": "true", "limit": 2})).json()
    rest = (await http.get(URL, params={"imported": "true", "cursor": page["next_cursor"]})).json()

    assert [row["decision"]["seq"] for row in page["data"] + rest["data"]] == [4, 3, 2]
    assert (page["has_more"], rest["has_more"]) == (True, False)
    for query, seqs in (
        ({"session_id": ids[0]}, [2, 4]),
        ({"verdict": "deny"}, [3]),
        ({"actor": "olga"}, [3]),
        ({"policy_id": "pol_1"}, [2]),
        ({"since": START.timestamp() + 1}, []),
        ({"phase": "tool_call", "until": START.timestamp() + 1}, [2, 3, 4]),
    ):
        rows = await listed(http, imported="true", **query)
        assert [row["decision"]["seq"] for row in rows] == seqs, query
    foreign = await http.get(URL, params={"cursor": page["next_cursor"]})
    assert_error(foreign, 400, "stale_cursor")
    assert_invalid(await http.get(URL, params={"imported": "perhaps"}), "query", "imported")


async def test_the_export_of_an_import_equals_the_first_export_and_goes_on(
    http: httpx.AsyncClient, root: Session, process: Process
) -> None:
    first = await exported(http, root.public_id)
    ids = tree_ids(await imported(http, first))

    assert without_provenance(await exported(http, ids[0])) == without_provenance(first)

    def go_on() -> None:
        copy = Session.objects.get(public_id=ids[0])
        decide(copy, copy, "decided here")

    await process.pool.run(go_on)
    third = await exported(http, ids[0])
    reasons = [row["decision"]["reason"] for row in lines(third, "decisions")]
    assert reasons[1:] == ["in the child", None, "decided here"]
    again = tree_ids(await imported(http, third))
    assert without_provenance(await exported(http, again[0])) == without_provenance(third)
    assert "in 3 unbroken runs" in await process.pool.run(verified)


async def test_only_the_sessions_of_the_archive_bring_decisions(
    http: httpx.AsyncClient, root: Session, process: Process
) -> None:
    child = await process.pool.run(lambda: Session.objects.get(parent=root))

    alone = await exported(http, root.public_id, "?children=false")
    below = await exported(http, child.public_id)

    assert [row["decision"]["seq"] for row in lines(alone, "decisions")] == [2, 4]
    assert [(row["session"], row["decision"]["seq"]) for row in lines(below, "decisions")] == [("s1", 3)]


async def test_of_more_sessions_than_a_statement_names_it_is_those_of_the_archive_too(
    root: Session, process: Process
) -> None:
    def seqs() -> list[int]:
        child = Session.objects.get(parent=root)
        Session.objects.bulk_create(
            Session(agent=root.agent, parent=child, root=root, kind=Kind.SUB_AGENT, title=f"a:{number}")
            for number in range(1001)
        )
        decide(Session.objects.get(title="a:1000"), root, "the last one")
        plan = exporting.plan(LOCAL, child.public_id, with_children=True)
        texts = [text for kind, text in Export(plan).chunks() if kind == "decisions"]
        return [orjson.loads(line)["decision"]["seq"] for line in "".join(texts).splitlines()]

    assert await process.pool.run(seqs) == [3, 6]


async def test_who_may_not_read_decisions_exports_none_and_is_told(
    server: Gate, process: Process, agent: Agent, settings: Settings
) -> None:
    settings.OMNIGENT_AUTH_MODE = "header"
    settings.OMNIGENT_TRUSTED_PROXIES = ("127.0.0.1/32",)
    transport = httpx.ASGITransport(app=server)  # type: ignore[arg-type]  # our ASGI types are narrower than httpx's
    session = await process.pool.run(make_judged, agent)
    await process.pool.run(Grant.objects.create, session=session, user_id="ann", level=4)
    headers = {settings.OMNIGENT_AUTH_HEADER: "ann"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1:6767", headers=headers
    ) as ann:
        archive = await exported(ann, session.public_id)
        answer = await imported(ann, archive)
        assert MEMBER not in members(archive)
        told = [(row["kind"], row["reason"][:36]) for row in answer.json()["missing"]]
        assert told == [("decisions", "only administrators and auditors may")]
        copy = await exported(ann, tree_ids(answer)[0])
        assert without_provenance(copy) == without_provenance(archive)
        assert_error(await ann.get(URL, params={"imported": "true"}), 403, "forbidden")


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        (Principal(user_id="eve", is_admin=False, is_auditor=True), 1),
        (Principal(user_id="local", is_admin=True, kind="runner", runner_id="r1"), 0),
    ],
    ids=["auditor", "runner"],
)
async def test_auditors_export_them_and_runners_do_not(
    root: Session, process: Process, who: Principal, expected: int
) -> None:
    def kinds() -> list[str]:
        Session.objects.update(runner_id="r1")
        plan = exporting.plan(who, root.public_id, with_children=True)
        return [kind for kind, _ in Export(plan).chunks()]

    assert (await process.pool.run(kinds)).count("decisions") == expected


async def test_a_row_that_somebody_edited_in_the_log_is_left_out_and_told(
    http: httpx.AsyncClient, root: Session, process: Process
) -> None:
    await process.pool.run(lambda: Decision.objects.filter(seq=3).update(verdict="allow"))

    archive = await exported(http, root.public_id)

    assert [(row["id"], row["decision"]["seq"]) for row in lines(archive, "decisions")] == [
        ("d1", 2),
        ("d2", 4),
    ]
    [missing] = (await imported(http, archive)).json()["missing"]
    assert (missing["kind"], missing["reason"][:12]) == ("decisions", "1 of them: t")


def decision_of(number: int, **fields: Any) -> Change:
    """Change a row behind its hash's back."""
    return rewrite(number, lambda line: {**line, "decision": {**line["decision"], **fields}})


def line_of(number: int, **fields: Any) -> Change:
    """Change a line around its row."""
    return rewrite(number, lambda line: {**line, **fields})


def rewrite(number: int, edit: Any) -> Change:
    """Change a line."""

    def change(found: Members) -> None:
        rows = found[MEMBER].splitlines()
        rows[number - 1] = orjson.dumps(edit(orjson.loads(rows[number - 1])))
        found[MEMBER] = b"".join(row + b"\n" for row in rows)

    return change


def hashed(number: int, **fields: Any) -> Change:
    """Change a row and give it a hash that fits, as anybody can."""

    def edit(line: dict[str, Any]) -> dict[str, Any]:
        row = {**line["decision"], **fields}
        return {**line, "decision": {**row, "hash": hash_as_an_auditor_does(row)}}

    return rewrite(number, edit)


def nested(depth: int) -> Any:
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


BAD: list[tuple[str, Change, str]] = [
    ("an edited verdict", decision_of(2, verdict="allow"), f"{MEMBER}, line 2: hash: it does not fit"),
    ("an edited hash", decision_of(3, hash="0" * 64), f"{MEMBER}, line 3: hash: it does not fit"),
    ("a chain of another", hashed(2, verdict="allow"), f"{MEMBER}, line 3: prev_hash: it is not the hash"),
    ("an unknown verdict", hashed(1, verdict="maybe"), f"{MEMBER}, line 1: decision.verdict: "),
    ("a NUL in a name", hashed(1, actor="a\0b"), f"{MEMBER}, line 1: decision.actor: "),
    ("a name too long", hashed(1, actor="a" * 151), f"{MEMBER}, line 1: decision.actor: "),
    ("no text for no reason", hashed(1, reason=""), f"{MEMBER}, line 1: decision.reason: "),
    ("an unknown column", hashed(1, colour="red"), f"{MEMBER}, line 1: decision.colour: "),
    ("a time beyond all", hashed(1, created_at=1e18), f"{MEMBER}, line 1: decision.created_at: "),
    ("a number beyond all", hashed(1, seq=2**63), f"{MEMBER}, line 1: decision.seq: "),
    ("true for a number", hashed(1, latency_us=True), f"{MEMBER}, line 1: decision.latency_us: "),
    ("an abyss", hashed(1, input=nested(80)), f"{MEMBER}, line 1: is nested deeper"),
    ("a flood", hashed(2, input="x" * MIB), f"{MEMBER}, line 2: decision: has more than"),
    ("another id", line_of(1, id="d2"), f"{MEMBER}, line 1: id: must be d1"),
    ("foreign session", line_of(1, session="s9"), f"{MEMBER}, line 1: session: s9"),
    ("a log without a name", line_of(1, origin=""), f"{MEMBER}, line 1: origin: "),
    ("no row", line_of(1, decision=None), f"{MEMBER}, line 1: decision: "),
]


@pytest.mark.parametrize(
    ("change", "words"), [pytest.param(change, words, id=name) for name, change, words in BAD]
)
async def test_a_spoiled_decision_is_refused_with_its_place(
    http: httpx.AsyncClient, process: Process, root: Session, change: Change, words: str
) -> None:
    archive = changed(await exported(http, root.public_id), change)

    answer = await imported(http, archive)

    body = assert_error(answer, 400, "invalid_input")
    assert str(body["error"]["message"]).startswith(f"The archive is not valid: {words}")
    assert await process.pool.run(Session.objects.count) == 2
    assert await process.pool.run(ImportedDecision.objects.count) == 0


async def test_a_row_of_another_log_need_not_follow_the_one_before(
    http: httpx.AsyncClient, root: Session
) -> None:
    def elsewhere(found: Members) -> None:
        line_of(2, origin="log_" + "0" * 32)(found)
        hashed(2, prev_hash="1" * 64)(found)

    archive = changed(await exported(http, root.public_id), elsewhere)

    assert len(tree_ids(await imported(http, archive))) == 2


async def test_a_dry_run_keeps_none(http: httpx.AsyncClient, root: Session, process: Process) -> None:
    answer = await imported(http, await exported(http, root.public_id), "?dry_run=true")

    assert (answer.status_code, answer.json()["missing"]) == (200, [])
    assert await process.pool.run(ImportedDecision.objects.count) == 0


async def test_many_decisions_keep_their_order_through_pages_and_members(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    def build() -> Session:
        session = make_session(agent)
        ids = {"session_id": session.public_id, "root_session_id": session.public_id}
        append(*(new(reason=f"r{number}", **ids) for number in range(2100)))
        return session

    session = await process.pool.run(build)
    first = await exported(http, session.public_id)

    ids = tree_ids(await imported(http, first))

    sizes = [data.count(b"\n") for name, data in members(first).items() if name.startswith("decisions/")]
    assert (max(sizes), sum(sizes)) == (1000, 2100)
    rows = await listed(http, imported="true", session_id=ids[0])
    assert [row["decision"]["reason"] for row in rows] == [f"r{number}" for number in range(2100)]
    assert without_provenance(await exported(http, ids[0])) == without_provenance(first)
    assert "2100 imported decisions in 1 unbroken runs" in await process.pool.run(verified)


async def test_decisions_are_never_in_memory_all_together(process: Process, agent: Agent) -> None:
    def peak() -> tuple[int, int]:
        session = make_session(agent)
        ids = {"session_id": session.public_id, "root_session_id": session.public_id}
        for _ in range(20):
            append(*(new(input={"text": "x" * 20_000}, **ids) for _ in range(100)))
        plan = exporting.plan(LOCAL, session.public_id, with_children=True)
        tracemalloc.start()
        try:
            total = sum(len(text) for _, text in Export(plan).chunks())
            return total, tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    total, most = await process.pool.run(peak)

    assert total > 38 * MIB
    assert most < 20 * MIB


@pytest.mark.parametrize("count", [2, 60])
async def test_a_page_of_imported_ones_takes_two_statements(
    http: httpx.AsyncClient, process: Process, agent: Agent, count: int
) -> None:
    def build() -> Session:
        session = make_session(agent)
        for number in range(count):
            decide(session, session, f"r{number}")
        return session

    session = await process.pool.run(build)
    tree_ids(await imported(http, await exported(http, session.public_id)))

    def statements() -> int:
        row = ImportedDecision.objects.latest("pk")
        with CaptureQueriesContext(connection) as captured:
            decision_pages.page_of(DecisionQuery(limit=50, imported=True, cursor=row.imported_id))
        return len(captured)

    assert await process.pool.run(statements) == 2


EDITS: dict[str, dict[str, Any]] = {
    "the row": {"text": "{}"},
    "no row": {"text": "x"},
    "what lists find it by": {"verdict": "allow"},
    "its time": {"created_at": START.replace(year=2020)},
}


@pytest.mark.parametrize("name", EDITS)
async def test_an_imported_decision_that_is_edited_here_is_found(
    http: httpx.AsyncClient, root: Session, process: Process, name: str
) -> None:
    tree_ids(await imported(http, await exported(http, root.public_id)))

    def spoil() -> str:
        row = ImportedDecision.objects.get(verdict="deny")
        ImportedDecision.objects.filter(pk=row.pk).update(**EDITS[name])
        return row.imported_id

    imported_id = await process.pool.run(spoil)

    assert await process.pool.run(fault) == f"imported decision {imported_id} was edited"


async def test_an_imported_decision_that_is_exchanged_here_is_found(
    http: httpx.AsyncClient, root: Session, process: Process
) -> None:
    tree_ids(await imported(http, await exported(http, root.public_id)))

    def exchange() -> str:
        row = ImportedDecision.objects.get(verdict="deny")
        values = {**json.loads(row.text), "reason": "another"}
        values["hash"] = hash_as_an_auditor_does(values)
        ImportedDecision.objects.filter(pk=row.pk).update(
            text=json.dumps(values, sort_keys=True, separators=(",", ":"))
        )
        return ImportedDecision.objects.filter(pk__gt=row.pk).earliest("pk").imported_id

    following = await process.pool.run(exchange)

    expected = f"imported decision {following} does not follow the one before it"
    assert await process.pool.run(fault) == expected


async def test_they_outlive_their_sessions_up_to_the_retention(
    http: httpx.AsyncClient, root: Session, process: Process
) -> None:
    ids = tree_ids(await imported(http, await exported(http, root.public_id)))

    assert (await http.delete(f"/v1/sessions/{ids[0]}")).status_code == 200

    row = (await listed(http, imported="true"))[0]
    stamp = (await process.pool.run(ImportedDecision.objects.earliest, "pk")).imported_at
    assert row["imported_at"] == stamp.timestamp()
    await process.pool.run(decisions.prune, stamp)
    assert len(await listed(http, imported="true")) == 3
    await process.pool.run(decisions.prune, stamp.replace(year=stamp.year + 1))
    assert await listed(http, imported="true") == []
