"""Archives as the tests make them, look at them and spoil them."""

import gzip
import io
import tarfile
from collections import Counter
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any

import httpx
import orjson
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.utils import timezone

from agents_app.models import Agent
from omnigent.protocol import items
from sessions_app.files.blobs import blob_name
from sessions_app.models import Blob, Comment, File, Session
from sessions_app.process import Process
from tests.factories import add_item, agent_said, label, make_child, make_session, user_said

GZIP = {"Content-Type": "application/gzip"}
Members = dict[str, bytes]
Change = Callable[[Members], None]


async def exported(http: httpx.AsyncClient, session_id: str, query: str = "") -> bytes:
    """The archive of a session that must be there."""
    answer = await http.get(f"/v1/sessions/{session_id}/export{query}")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/gzip"
    return answer.content


async def imported(
    http: httpx.AsyncClient, archive: bytes, query: str = "", **headers: str
) -> httpx.Response:
    """POST an archive."""
    return await http.post(f"/v1/sessions/import{query}", content=archive, headers={**GZIP, **headers})


def members(archive: bytes) -> Members:
    """The members of an archive in their order."""
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as tar:
        return {one.name: tar.extractfile(one).read() for one in tar}  # type: ignore[union-attr]  # all are files


def without_provenance(archive: bytes) -> Members:
    """The members; of the manifest only what the content decides."""
    found = members(archive)
    manifest = orjson.loads(found["manifest.json"])
    for name in ("created_at", "server_version", "source_ids"):
        del manifest[name]
    return {**found, "manifest.json": orjson.dumps(manifest)}


def lines(archive: bytes, kind: str) -> list[dict[str, Any]]:
    """All lines of a kind."""
    return [
        orjson.loads(line)
        for name, data in members(archive).items()
        if name.startswith(f"{kind}/")
        for line in data.splitlines()
    ]


def tarred(found: Mapping[str, bytes]) -> bytes:
    """A tar of these members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, data in found.items():
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    return buffer.getvalue()


def packed(found: Mapping[str, bytes]) -> bytes:
    """An archive of these members as they are."""
    return gzip.compress(tarred(found))


def relisted(found: Members) -> Members:
    """The members with a manifest that lists what is there and counts the lines."""
    manifest = orjson.loads(found["manifest.json"])
    manifest["members"] = [
        {"name": name, "bytes": len(data), "sha256": sha256(data).hexdigest()}
        for name, data in found.items()
        if name != "manifest.json"
    ]
    counted: Counter[str] = Counter()
    for name, data in found.items():
        if name.endswith(".jsonl"):
            counted[name.partition("/")[0]] += data.count(b"\n")
    manifest["counts"].update(counted)
    return {**found, "manifest.json": orjson.dumps(manifest)}


def changed(archive: bytes, change: Change) -> bytes:
    """The archive with its members changed, and a manifest that fits them."""
    found = members(archive)
    change(found)
    return packed(relisted(found))


def edit(kind: str, number: int, **values: Any) -> Change:
    """Set members of the line with this number."""

    def change(found: Members) -> None:
        name = f"{kind}/000001.jsonl"
        rows = [orjson.loads(line) for line in found[name].splitlines()]
        rows[number - 1] = {**rows[number - 1], **values}
        found[name] = b"".join(orjson.dumps(row) + b"\n" for row in rows)

    return change


def add_file(session: Session, name: str, data: bytes, media_type: str = "text/plain") -> File:
    """A stored file of a session."""
    digest = sha256(data).hexdigest()
    if not default_storage.exists(blob_name(digest)):
        default_storage.save(blob_name(digest), ContentFile(data))
    blob, _ = Blob.objects.get_or_create(
        digest=digest, defaults={"size": len(data), "stored_at": timezone.now()}
    )
    return File.objects.create(
        session=session, blob=blob, filename=name, content_type=media_type, created_at=timezone.now()
    )


def make_tree(agent: Agent) -> Session:
    """A session with everything that an archive can hold: files, pointers, comments, sub-agents."""
    root = make_session(agent, title="Wurzel 🌳", auto_title="Wurzel", reasoning_effort="high")
    Session.objects.filter(pk=root.pk).update(
        usage_by_model={"m": {"input_tokens": 3, "total_cost_usd": 0.25}}, context_tokens=12
    )
    label(
        root, env="prod", **{"omnigent.pinned.local": "1", "cost_control.mode": "x", "about": root.public_id}
    )
    file = add_file(root, "notes.md", b"# Notes\n", "text/markdown")
    add_file(root, "same.md", b"# Notes\n", "text/markdown")
    first = user_said(root, "look at $ref:i1$ and \u2028 that")
    block = {"type": "input_file", "file_id": file.public_id}
    add_item(root, items.Message(role="user", content=[block, {"type": "x", "file_id": "file_" + "0" * 32}]))
    add_item(root, items.FunctionCall(name="t", arguments='{"a": 1}', call_id="c", agent="helper"))
    child = make_child(root, "helper:one", sub_agent_name="helper")
    grandchild = make_child(child, "helper:two")
    make_child(root, "helper:three", archived=True)
    output = items.FunctionCallOutput(call_id="c", output=f"{child.public_id} said {'x' * 50}")
    add_item(root, output, response_id=root.public_id)
    add_item(root, items.Compaction(summary="s", last_item_id=first, compacted_messages=[{"id": first}]))
    agent_said(child, f"my parent is {root.public_id}, its first item {first}")
    agent_said(grandchild, "deep")
    add_file(grandchild, "deep.txt", b"deep")
    now = timezone.now()
    Comment.objects.create(
        session=child, path="a.py", start_index=1, end_index=5, body="why?", created_at=now, updated_at=now
    )
    return root


async def new_tree(process: Process, agent: Agent) -> Session:
    """The same, made on a thread of the database."""
    return await process.pool.run(make_tree, agent)


def tree_ids(answer: httpx.Response) -> list[str]:
    """The ids that an import has given out."""
    assert answer.status_code == 201, answer.text
    return [row["session_id"] for row in answer.json()["sessions"]]


def refuse_comments() -> None:
    """Have the database fail at every new comment: a disk that is full, as it were."""
    with connection.cursor() as cursor:
        for text in REFUSALS[connection.vendor]:
            cursor.execute(text)


def take_comments() -> None:
    """Have it take them again."""
    on = " ON sessions_app_comment" if connection.vendor == "postgresql" else ""
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER refuse_comments{on}")


REFUSALS = {
    "sqlite": (
        "CREATE TRIGGER refuse_comments BEFORE INSERT ON sessions_app_comment "
        "BEGIN SELECT RAISE(ABORT, 'full'); END",
    ),
    "postgresql": (
        "CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
        "$$ BEGIN RAISE EXCEPTION 'full'; END $$",
        "CREATE TRIGGER refuse_comments BEFORE INSERT ON sessions_app_comment "
        "FOR EACH ROW EXECUTE FUNCTION refuse()",
    ),
}
