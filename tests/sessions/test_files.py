"""Uploaded files: what their routes answer."""

import asyncio
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from omnigent.ids import runner_id_for
from sessions_app.models import Blob, File, LogEntry, Session
from sessions_app.process import Process
from tests.api_plumbing.asgi_client import http_scope
from tests.error_shape import assert_error
from tests.factories import make_session
from tests.sessions.uploading import files_url, left, new_session, picture, upload, uploaded

RUNNER = {"X-Omnigent-Runner-Tunnel-Token": "secret"}


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """A storage of this test's own."""
    settings.MEDIA_ROOT = tmp_path / "blobs"
    return tmp_path / "blobs"


async def log_of(process: Process, session: Session) -> list[dict[str, Any]]:
    def read() -> list[dict[str, Any]]:
        rows = LogEntry.objects.filter(session=session).order_by("seq")
        return [{"type": row.type, **orjson.loads(row.data)} for row in rows]

    return await process.pool.run(read)


async def test_an_upload_is_a_resource_with_its_facts_twice(
    http: httpx.AsyncClient, process: Process
) -> None:
    session = await new_session(process)

    made = await uploaded(http, session, "notes.md", b"# Hello\n")

    created_at = made["created_at"]
    assert isinstance(created_at, int)
    facts = {"filename": "notes.md", "bytes": 8, "created_at": created_at}
    assert made == {
        "id": made["id"],
        "object": "session.resource",
        "type": "file",
        "session_id": session.public_id,
        "name": "notes.md",
        **facts,
        "metadata": {**facts, "source_metadata": None},
    }
    assert made["id"].startswith("file_")
    assert (await http.get(f"{files_url(session)}/{made['id']}")).json() == made
    assert (await http.get(f"/v1/sessions/{session.public_id}/resources/{made['id']}")).json() == made


async def test_creation_and_deletion_are_in_the_log(http: httpx.AsyncClient, process: Process) -> None:
    session = await new_session(process)
    made = await uploaded(http, session, "a.txt", b"a")

    gone = await http.delete(f"{files_url(session)}/{made['id']}")

    assert gone.json() == {"id": made["id"], "object": "session.resource.deleted", "deleted": True}
    created, deleted = await log_of(process, session)
    assert (created["type"], created["resource"]) == ("session.resource.created", made)
    assert deleted["type"] == "session.resource.deleted"
    assert (deleted["resource_id"], deleted["resource_type"]) == (made["id"], "file")
    assert deleted["session_id"] == session.public_id


async def test_the_content_is_a_download_that_no_browser_runs(
    http: httpx.AsyncClient, process: Process
) -> None:
    session = await new_session(process)
    data = picture()
    made = await uploaded(http, session, "red.png", data)

    answer = await http.get(f"{files_url(session)}/{made['id']}/content")

    assert answer.content == data
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-length"] == str(len(data))
    assert answer.headers["content-disposition"] == 'attachment; filename="red.png"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["etag"] == f'"{made["id"]}"'
    assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert "sandbox" in answer.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("known", "status"),
    [
        pytest.param('"{id}"', 304, id="the tag"),
        pytest.param('W/"{id}"', 304, id="weak"),
        pytest.param('"x", "{id}"', 304, id="in a list"),
        pytest.param("*", 304, id="any"),
        pytest.param('"x"', 200, id="another"),
        pytest.param("{id}", 200, id="not quoted"),
        pytest.param("garbage \x80", 200, id="garbage"),
    ],
)
async def test_who_has_the_content_is_told_so(
    http: httpx.AsyncClient, process: Process, known: str, status: int
) -> None:
    session = await new_session(process)
    made = await uploaded(http, session, "a.txt", b"hello")
    header = known.format(id=made["id"]).encode("latin-1")

    answer = await http.get(
        f"{files_url(session)}/{made['id']}/content", headers=[(b"if-none-match", header)]
    )

    assert answer.status_code == status
    assert answer.content == (b"hello" if status == 200 else b"")
    assert answer.headers["etag"] == f'"{made["id"]}"'


@pytest.mark.parametrize(
    ("name", "data", "served"),
    [
        ("a.html", b"<script>alert(1)</script>", "text/plain; charset=utf-8"),
        ("a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"/>', "text/plain; charset=utf-8"),
        ("a.xml", b"<?xml version='1.0'?><x/>", "text/plain; charset=utf-8"),
        ("a.js", b"alert(1)", "text/plain; charset=utf-8"),
        ("a.json", b"{}", "application/json; charset=utf-8"),
        ("a.csv", b"a,b", "text/csv; charset=utf-8"),
        ("Makefile", b"all:", "text/plain; charset=utf-8"),
        ("a.unheard-of", b"words", "text/plain; charset=utf-8"),
        ("empty.txt", b"", "text/plain; charset=utf-8"),
        ("a.pdf", b"%PDF-1.7\n\x80\x81", "application/pdf"),
        ("a.bmp", picture("BMP"), "image/bmp"),
        ("a.TIFF", picture("TIFF"), "image/tiff"),
        ("a.ico", picture("ICO"), "image/x-icon"),
        ("a.avif", picture("AVIF"), "image/avif"),
        ("a.jpg", picture("JPEG"), "image/jpeg"),
        ("a.webp", picture("WEBP"), "image/webp"),
        ("a.gif", picture("GIF"), "image/gif"),
        ("pasted", picture(), "image/png"),
    ],
)
async def test_the_type_is_told_from_name_and_bytes(
    http: httpx.AsyncClient, process: Process, name: str, data: bytes, served: str
) -> None:
    session = await new_session(process)
    made = await uploaded(http, session, name, data)

    answer = await http.get(f"{files_url(session)}/{made['id']}/content")

    assert (answer.headers["content-type"], answer.content) == (served, data)


async def test_the_list_is_paged_in_both_directions(http: httpx.AsyncClient, process: Process) -> None:
    session, other = await new_session(process), await new_session(process)
    await uploaded(http, other, "foreign.txt", b"x")
    made = [await uploaded(http, session, f"{number}.txt", b"same") for number in range(5)]
    ids = [each["id"] for each in made]

    newest = (await http.get(files_url(session), params={"limit": 2})).json()
    rest = (await http.get(files_url(session), params={"after": newest["last_id"]})).json()
    oldest = (await http.get(files_url(session), params={"limit": 2, "order": "asc"})).json()
    before = (await http.get(files_url(session), params={"before": ids[2]})).json()

    assert newest["data"] == [made[4], made[3]]
    assert (newest["object"], newest["first_id"], newest["last_id"]) == ("list", ids[4], ids[3])
    assert (newest["has_more"], rest["has_more"]) == (True, False)
    assert [row["id"] for row in rest["data"]] == ids[2::-1]
    assert [row["id"] for row in oldest["data"]] == ids[:2]
    assert [row["id"] for row in before["data"]] == ids[:2:-1]


async def test_resources_by_type(http: httpx.AsyncClient, process: Process) -> None:
    session = await new_session(process)
    made = await uploaded(http, session, "a.txt", b"a")
    url = f"/v1/sessions/{session.public_id}/resources"
    nothing = {"object": "list", "data": [], "first_id": None, "last_id": None, "has_more": False}

    assert (await http.get(url, params={"type": "file"})).json()["data"] == [made]
    assert (await http.get(url)).json()["data"] == [made]
    assert (await http.get(url, params={"type": "spaceship"})).json() == nothing


@pytest.mark.parametrize(
    ("query", "status"),
    [("limit=0", 422), ("limit=1001", 422), ("order=up", 422), ("after=file_gone", 400), ("after=a!", 404)],
)
async def test_a_bad_page_is_refused(
    http: httpx.AsyncClient, process: Process, query: str, status: int
) -> None:
    session = await new_session(process)

    assert (await http.get(f"{files_url(session)}?{query}")).status_code == status


async def test_a_cursor_of_another_session_is_stale(http: httpx.AsyncClient, process: Process) -> None:
    session, other = await new_session(process), await new_session(process)
    foreign = await uploaded(http, other, "a.txt", b"a")

    answer = await http.get(files_url(session), params={"after": foreign["id"]})

    assert_error(answer, 400, "stale_cursor")


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_another_sessions_file_is_not_found(
    http: httpx.AsyncClient, process: Process, method: str
) -> None:
    session, other = await new_session(process), await new_session(process)
    foreign = (await uploaded(http, other, "a.txt", b"a"))["id"]

    for file_id in (foreign, "file_" + "0" * 32, "a" * 65):
        assert_error(await http.request(method, f"{files_url(session)}/{file_id}"), 404, "not_found")
    assert_error(await http.get(f"{files_url(session)}/{foreign}/content"), 404, "not_found")
    resource = await http.get(f"/v1/sessions/{session.public_id}/resources/{foreign}")
    assert_error(resource, 404, "not_found")
    assert (await http.get(f"{files_url(other)}/{foreign}")).status_code == 200


async def test_a_bare_id_means_the_same_file(http: httpx.AsyncClient, process: Process) -> None:
    session = await new_session(process)
    made = await uploaded(http, session, "a.txt", b"a")

    bare = await http.get(f"{files_url(session)}/{made['id'].removeprefix('file_')}")

    assert bare.json() == made


async def test_a_repeated_upload_is_one_file(http: httpx.AsyncClient, process: Process, media: Path) -> None:
    session = await new_session(process)
    key = {"Idempotency-Key": "k"}

    first = await upload(http, session, "a.txt", b"a", **key)
    again = await upload(http, session, "a.txt", b"a", **key)
    other = await upload(http, session, "a.txt", b"b", **key)

    assert (first.status_code, again.status_code, again.content) == (201, 201, first.content)
    assert_error(other, 422, "idempotency_mismatch")
    assert await left(process, media) == (1, 1, 1)


async def test_a_repeated_deletion_has_the_first_answer(http: httpx.AsyncClient, process: Process) -> None:
    session = await new_session(process)
    made = await uploaded(http, session, "a.txt", b"a")
    url = f"{files_url(session)}/{made['id']}"

    answers = [await http.delete(url, headers={"Idempotency-Key": "d"}) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert_error(await http.delete(url), 404, "not_found")


async def test_the_bound_runner_reads_and_no_other_does(http: httpx.AsyncClient, process: Process) -> None:
    bound = await new_session(process, runner_id=runner_id_for("secret"))
    foreign = await new_session(process)
    mine, theirs = await uploaded(http, bound, "a.txt", b"a"), await uploaded(http, foreign, "b.txt", b"b")

    read = await http.get(f"{files_url(bound)}/{mine['id']}/content", headers=RUNNER)
    refused = await http.get(f"{files_url(foreign)}/{theirs['id']}/content", headers=RUNNER)
    pushed = await upload(http, foreign, "c.txt", b"c", **RUNNER)

    assert (read.status_code, read.content) == (200, b"a")
    assert_error(refused, 404, "not_found")
    assert_error(pushed, 404, "not_found")


async def test_unread_downloads_hold_up_nobody(
    http: httpx.AsyncClient, server: Gate, process: Process
) -> None:
    session = await new_session(process)
    made = await uploaded(http, session, "a.txt", b"x" * 300_000)
    reading = asyncio.Event()
    begun: asyncio.Queue[int] = asyncio.Queue()

    async def stuck(message: Any) -> None:
        if message["type"] == "http.response.body":
            begun.put_nowait(1)
            await reading.wait()

    async def nothing() -> dict[str, Any]:
        await reading.wait()
        return {"type": "http.disconnect"}

    async def download() -> None:
        first = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            return first.pop() if first else await nothing()

        scope = http_scope("GET", f"{files_url(session)}/{made['id']}/content", {})
        await server(scope, receive, stuck)

    downloads = [asyncio.create_task(download()) for _ in range(process.pool.size + 3)]
    async with asyncio.timeout(10):
        for _ in downloads:
            await begun.get()
        answer = await http.get(f"{files_url(session)}/{made['id']}")
    reading.set()
    await asyncio.gather(*downloads)

    assert answer.status_code == 200


def files_in(session: Session, count: int) -> list[str]:
    now = timezone.now()
    blobs = [Blob(digest=f"{number:064x}", size=1, stored_at=now) for number in range(count)]
    Blob.objects.bulk_create(blobs, ignore_conflicts=True)
    rows = [
        File(session=session, blob=blob, filename="a", content_type="text/plain", created_at=now)
        for blob in blobs
    ]
    return [file.public_id for file in File.objects.bulk_create(rows)]


@pytest.mark.parametrize(
    ("path", "budget"),
    [
        pytest.param("resources/files?limit=1000", 2, id="list"),
        pytest.param("resources/files?after={id}", 3, id="list after"),
        pytest.param("resources/files/{id}", 2, id="one"),
        pytest.param("resources/{id}", 2, id="one resource"),
    ],
)
def test_reads_take_the_same_statements_at_any_size(reader: Client, path: str, budget: int) -> None:
    taken = []
    for count in (2, 60):
        session = make_session()
        ids = files_in(session, count)
        url = f"/v1/sessions/{session.public_id}/{path.format(id=ids[-1])}"
        with CaptureQueriesContext(connection) as captured:
            assert reader.get(url).status_code == 200
        taken.append(len(captured))

    assert taken == [budget, budget]
