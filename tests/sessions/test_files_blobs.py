"""Equal files share their bytes; the bytes go with the last use, and never before."""

import asyncio
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import transaction
from django.utils import timezone
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from sessions_app.models import Blob, Session
from sessions_app.process import Process
from sessions_app.services import blobs, files, housekeeping
from sessions_app.services.blobs import BlobLost
from tests.api_plumbing.asgi_client import http_scope
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_child
from tests.sessions.uploading import files_url, left, new_session, on_disk, uploaded


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """A storage of this test's own."""
    settings.MEDIA_ROOT = tmp_path / "blobs"
    return tmp_path / "blobs"


async def content(http: httpx.AsyncClient, session: Session, file_id: str) -> bytes:
    answer = await http.get(f"{files_url(session)}/{file_id}/content")
    assert answer.status_code == 200, answer.text
    return answer.content


async def delete(http: httpx.AsyncClient, session: Session, file_id: str) -> None:
    assert (await http.delete(f"{files_url(session)}/{file_id}")).status_code == 200


async def child_of(process: Process, parent: Session, title: str = "child") -> Session:
    return await process.pool.run(make_child, parent, title)


async def copy(http: httpx.AsyncClient, target: Session, source: Session, *ids: str) -> httpx.Response:
    body = {"source_session_id": source.public_id, "file_ids": list(ids)}
    return await http.post(f"{files_url(target)}:copy", json=body)


def age(path: Path) -> None:
    old = (timezone.now() - timedelta(days=2)).timestamp()
    os.utime(path, (old, old))


async def test_equal_files_are_stored_once_and_go_with_the_last(
    http: httpx.AsyncClient, process: Process, media: Path
) -> None:
    one, two = await new_session(process), await new_session(process)
    first = await uploaded(http, one, "a.txt", b"same")
    second = await uploaded(http, two, "b.txt", b"same")
    assert await left(process, media) == (2, 1, 1)

    await delete(http, one, first["id"])
    assert await left(process, media) == (1, 1, 1)
    assert await content(http, two, second["id"]) == b"same"

    await delete(http, two, second["id"])
    assert await left(process, media) == (0, 0, 0)


async def test_a_deleted_session_takes_its_files_and_leaves_those_of_others(
    http: httpx.AsyncClient, process: Process, media: Path
) -> None:
    doomed, other = await new_session(process), await new_session(process)
    child = await child_of(process, doomed)
    await uploaded(http, doomed, "a.txt", b"only here")
    await uploaded(http, child, "b.txt", b"below")
    await uploaded(http, doomed, "c.txt", b"shared")
    kept = await uploaded(http, other, "c.txt", b"shared")

    assert (await http.delete(f"/v1/sessions/{doomed.public_id}")).status_code == 200

    assert await left(process, media) == (1, 1, 1)
    assert await content(http, other, kept["id"]) == b"shared"


async def test_a_sub_agent_takes_over_files_from_above(http: httpx.AsyncClient, process: Process) -> None:
    top = await new_session(process)
    below = await child_of(process, await child_of(process, top))
    one = await uploaded(http, top, "a.txt", b"a")
    two = await uploaded(http, top, "b.md", b"b")

    answer = (await copy(http, below, top, one["id"], two["id"])).json()

    listed = (await http.get(files_url(below), params={"order": "asc"})).json()["data"]
    assert [row["name"] for row in listed] == ["a.txt", "b.md"]
    assert answer == {
        "object": "session.files.copied",
        "session_id": below.public_id,
        "mapping": {
            one["id"]: {"new_id": listed[0]["id"], "filename": "a.txt", "content_type": "text/plain"},
            two["id"]: {"new_id": listed[1]["id"], "filename": "b.md", "content_type": "text/markdown"},
        },
    }
    await delete(http, top, two["id"])
    assert await content(http, below, listed[1]["id"]) == b"b"


async def test_only_from_above(http: httpx.AsyncClient, process: Process) -> None:
    parent, stranger = await new_session(process), await new_session(process)
    child, sibling = await child_of(process, parent), await child_of(process, parent, "sibling")
    made = [(each, await uploaded(http, each, "a.txt", b"a")) for each in (child, sibling, stranger)]

    for source, file in made:
        assert_error(await copy(http, child, source, file["id"]), 403, "forbidden")
    assert_error(await copy(http, parent, child, made[0][1]["id"]), 403, "forbidden")
    unknown = {"source_session_id": "conv_" + "0" * 32, "file_ids": []}
    assert_error(await http.post(f"{files_url(child)}:copy", json=unknown), 403, "forbidden")


async def test_one_unknown_file_stops_the_whole_copy(
    http: httpx.AsyncClient, process: Process, media: Path
) -> None:
    parent, stranger = await new_session(process), await new_session(process)
    child = await child_of(process, parent)
    good = await uploaded(http, parent, "a.txt", b"a")
    foreign = await uploaded(http, stranger, "b.txt", b"b")

    for bad in (foreign["id"], "file_" + "0" * 32, "not an id"):
        assert_error(await copy(http, child, parent, good["id"], bad), 404, "not_found")

    assert (await http.get(files_url(child))).json()["data"] == []
    assert await left(process, media) == (2, 2, 2)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"file_ids": []}, "source_session_id"),
        ({"source_session_id": "conv_1"}, "file_ids"),
        ({"source_session_id": 1, "file_ids": []}, "source_session_id"),
        ({"source_session_id": "conv_1", "file_ids": "file_1"}, "file_ids"),
        ({"source_session_id": "conv_1", "file_ids": ["x"] * 101}, "file_ids"),
        ({"source_session_id": "conv_1", "file_ids": [], "more": 1}, "more"),
    ],
)
async def test_a_bad_copy_names_what_is_wrong(
    http: httpx.AsyncClient, process: Process, body: object, place: str
) -> None:
    session = await new_session(process)

    assert_invalid(await http.post(f"{files_url(session)}:copy", json=body), "body", place)


async def test_a_fork_gets_every_file_under_new_ids(
    http: httpx.AsyncClient, process: Process, media: Path
) -> None:
    source, target = await new_session(process), await new_session(process)
    made = [await uploaded(http, source, f"{number}.txt", b"same") for number in range(3)]

    def copy_all() -> dict[str, str]:
        with transaction.atomic():
            return files.copy_files(source.pk, target.pk)

    mapping = await process.pool.run(copy_all)

    assert list(mapping) == [file["id"] for file in made]
    listed = (await http.get(files_url(target), params={"order": "asc"})).json()["data"]
    assert [row["id"] for row in listed] == list(mapping.values())
    assert [row["name"] for row in listed] == ["0.txt", "1.txt", "2.txt"]
    assert await left(process, media) == (6, 1, 1)


async def test_a_copy_that_is_rolled_back_leaves_nothing(http: httpx.AsyncClient, process: Process) -> None:
    source, target = await new_session(process), await new_session(process)
    await uploaded(http, source, "a.txt", b"a")

    def fail() -> None:
        with transaction.atomic():
            files.copy_files(source.pk, target.pk)
            raise OSError

    with pytest.raises(OSError):
        await process.pool.run(fail)
    assert (await http.get(files_url(target))).json()["data"] == []


async def test_the_same_content_is_uploaded_and_deleted_at_once(
    http: httpx.AsyncClient, process: Process, media: Path
) -> None:
    """Whatever the order, a file that a session has can be read."""
    session = await new_session(process)

    async def come_and_go() -> None:
        for _ in range(6):
            made = await uploaded(http, session, "a.txt", b"contested")
            assert await content(http, session, made["id"]) == b"contested"
            await delete(http, session, made["id"])

    await asyncio.gather(*(come_and_go() for _ in range(4)))

    assert await left(process, media) == (0, 0, 0)


async def test_copies_race_with_the_deletion_of_the_original(
    http: httpx.AsyncClient, process: Process, media: Path
) -> None:
    for number in range(6):
        parent = await new_session(process)
        child = await child_of(process, parent)
        made = await uploaded(http, parent, "a.txt", f"contested {number}".encode())

        copied, _ = await asyncio.gather(
            copy(http, child, parent, made["id"]), delete(http, parent, made["id"])
        )

        listed = (await http.get(files_url(child))).json()["data"]
        assert len(listed) == (1 if copied.status_code == 200 else 0)
        for row in listed:
            assert await content(http, child, row["id"]) == f"contested {number}".encode()
        assert len(on_disk(media)) == (await left(process, media))[1]


async def test_bytes_that_went_before_their_first_use_are_noticed(
    http: httpx.AsyncClient, process: Process
) -> None:
    def use() -> None:
        with transaction.atomic():
            blobs.hold(digest="0" * 64, size=3)

    with pytest.raises(BlobLost):
        await process.pool.run(use)
    assert await process.pool.run(Blob.objects.count) == 0


async def test_torn_bytes_are_replaced_by_the_next_upload(
    http: httpx.AsyncClient, process: Process, media: Path
) -> None:
    session = await new_session(process)
    await uploaded(http, session, "a.txt", b"whole")
    [path] = on_disk(media)
    path.write_bytes(b"who")

    again = await uploaded(http, session, "a.txt", b"whole")

    assert await content(http, session, again["id"]) == b"whole"
    assert on_disk(media) == [path]


async def test_content_that_was_lost_is_not_found(
    http: httpx.AsyncClient, process: Process, media: Path
) -> None:
    session = await new_session(process)
    made = await uploaded(http, session, "a.txt", b"a")
    on_disk(media)[0].unlink()

    assert_error(await http.get(f"{files_url(session)}/{made['id']}/content"), 404, "not_found")


async def test_the_pruner_deletes_what_a_crash_left_and_nothing_else(
    http: httpx.AsyncClient, process: Process, media: Path
) -> None:
    session = await new_session(process)
    kept = await uploaded(http, session, "a.txt", b"used")
    age(on_disk(media)[0])
    await process.pool.run(
        Blob.objects.create, digest="b" * 64, size=1, stored_at=timezone.now() - timedelta(days=2)
    )
    strays = [media / "files/ff" / ("f" * 64), media / "files/incoming/half", media / "files/bb" / ("b" * 64)]
    fresh = [media / "files/ee" / ("e" * 64), media / "files/incoming/now"]
    for path in (*strays, *fresh):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    for path in strays:
        age(path)

    await process.pool.run(housekeeping.prune, timezone.now())

    assert [path.exists() for path in strays] == [False, False, False]
    assert [path.exists() for path in fresh] == [True, True]
    assert await content(http, session, kept["id"]) == b"used"
    assert await process.pool.run(Blob.objects.count) == 1


async def test_the_pruner_works_on_an_empty_store(process: Process, media: Path) -> None:
    await process.pool.run(housekeeping.prune, timezone.now())

    assert not on_disk(media)


async def test_a_session_that_goes_during_an_upload_leaves_no_bytes(
    server: Gate, http: httpx.AsyncClient, process: Process, media: Path
) -> None:
    """The first look at the session succeeds, the body comes when the session is gone."""
    session = await new_session(process)
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        await http.delete(f"/v1/sessions/{session.public_id}")
        head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n'
        return {"type": "http.request", "body": head + b"hello\r\n--b--\r\n", "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = {"content-type": "multipart/form-data; boundary=b"}
    await server(http_scope("POST", files_url(session), headers), receive, send)

    assert sent[0]["status"] == 404
    assert await left(process, media) == (0, 0, 0)
