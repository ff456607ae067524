"""POST /v1/sessions with a bundle: agent and session are made together."""

import gzip
import io
import tarfile
from typing import Any

import httpx
import orjson
import pytest
from pytest_django.fixtures import Settings

from agents_app.models import Agent
from omnigent.spec import bundle
from sessions_app.models import Session
from sessions_app.process import Process
from tests.error_shape import assert_error, assert_invalid

URL = "/v1/sessions"
CONFIG = b"""spec_version: 1
name: uploaded
description: Mine
executor:
  type: omnigent
  config:
    harness: scripted
"""


def archive(files: dict[str, bytes] | None = None) -> bytes:
    return bundle.pack(files or {"config.yaml": CONFIG})


def hostile(member: tarfile.TarInfo) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        config = tarfile.TarInfo("config.yaml")
        config.size = len(CONFIG)
        tar.addfile(config, io.BytesIO(CONFIG))
        tar.addfile(member, io.BytesIO(b"x" * member.size))
    return buffer.getvalue()


def member(name: str, **fields: Any) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    for key, value in fields.items():
        setattr(info, key, value)
    return info


async def upload(
    http: httpx.AsyncClient, data: bytes, metadata: object = None, **headers: str
) -> httpx.Response:
    text = metadata if isinstance(metadata, str) else orjson.dumps(metadata or {}).decode()
    files = {"bundle": ("agent.tar.gz", data, "application/gzip")}
    return await http.post(URL, data={"metadata": text}, files=files, headers=headers)


async def counts(process: Process) -> tuple[int, int]:
    return await process.pool.run(Session.objects.count), await process.pool.run(Agent.objects.count)


async def test_the_answer_is_the_snapshot_and_names_the_session(http: httpx.AsyncClient) -> None:
    answer = await upload(http, archive(), {"title": "t", "labels": {"env": "prod"}})

    made = answer.json()
    assert answer.status_code == 201
    assert made == {**(await http.get(f"{URL}/{made['session_id']}")).json(), "session_id": made["id"]}
    assert (made["agent_name"], made["title"], made["labels"]) == ("uploaded", "t", {"env": "prod"})
    contents = await http.get(f"{URL}/{made['id']}/agent/contents")
    assert bundle.read(contents.content).name == "uploaded"
    assert contents.headers["x-agent-session-scoped"] == "true"


async def test_the_agent_is_found_by_name_and_goes_with_its_session(
    http: httpx.AsyncClient, process: Process
) -> None:
    made = (await upload(http, archive())).json()

    listed = (await http.get(URL, params={"agent_name": "uploaded"})).json()["data"]
    assert [row["id"] for row in listed] == [made["id"]]
    assert (await http.get("/v1/agents")).json()["data"] == []

    await http.delete(f"{URL}/{made['id']}")
    assert await counts(process) == (0, 0)


async def test_one_directory_around_everything_is_taken_off(http: httpx.AsyncClient) -> None:
    assert (await upload(http, archive({"agent/config.yaml": CONFIG}))).status_code == 201


async def test_metadata_may_come_as_a_file(http: httpx.AsyncClient) -> None:
    files = {
        "bundle": ("agent.tar.gz", archive(), "application/gzip"),
        "metadata": ("metadata.json", b'{"title":"t"}', "application/json"),
    }

    assert (await http.post(URL, files=files)).json()["title"] == "t"


@pytest.mark.parametrize("part", ["bundle", "metadata"])
async def test_a_missing_part_is_named(http: httpx.AsyncClient, process: Process, part: str) -> None:
    files = {"bundle": ("a.tar.gz", archive()), "metadata": (None, b"{}")}
    del files[part]

    row = assert_invalid(await http.post(URL, files=files), "body", part, kind="missing")

    assert row == {"type": "missing", "loc": ["body", part], "msg": "Field required", "input": None}
    assert await counts(process) == (0, 0)


@pytest.mark.parametrize(
    "metadata",
    [
        "not json",
        "[]",
        '{"unknown":1}',
        '{"title":5}',
        '{"title":"a\\u0000"}',
        '{"agent_id":"ag_x"}',
        '{"git":{}}',
    ],
)
async def test_bad_metadata_leaves_nothing_behind(
    http: httpx.AsyncClient, process: Process, metadata: str
) -> None:
    body = assert_error(await upload(http, archive(), metadata), 400, "invalid_input")

    assert body["error"]["message"].startswith("invalid session metadata: ")
    assert await counts(process) == (0, 0)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"not an archive", id="words"),
        pytest.param(archive()[:40], id="cut"),
        pytest.param(gzip.compress(b"\0" * 50_000_000), id="bomb"),
        pytest.param(archive({"readme.txt": b"no config"}), id="no config"),
        pytest.param(archive({"config.yaml": b"spec_version: 1\nname: ui\n"}), id="bad spec"),
        pytest.param(archive({"config.yaml": b"\xff"}), id="not UTF-8"),
        pytest.param(hostile(member("../x", size=1)), id="parent path"),
        pytest.param(hostile(member("/etc/x", size=1)), id="absolute path"),
        pytest.param(hostile(member("link", type=tarfile.SYMTYPE, linkname="/etc/passwd")), id="symlink"),
        pytest.param(hostile(member("hard", type=tarfile.LNKTYPE, linkname="config.yaml")), id="hard link"),
        pytest.param(hostile(member("device", type=tarfile.CHRTYPE)), id="device"),
    ],
)
async def test_a_bad_bundle_leaves_nothing_behind(
    http: httpx.AsyncClient, process: Process, data: bytes
) -> None:
    assert_error(await upload(http, data), 400, "invalid_input")

    assert await counts(process) == (0, 0)


async def test_a_refused_session_leaves_no_agent(http: httpx.AsyncClient, process: Process) -> None:
    answer = await upload(http, archive(), {"reasoning_effort": "huge"})

    assert_error(answer, 400, "invalid_input")
    assert await counts(process) == (0, 0)


async def test_an_upload_over_the_cap_is_too_large(
    http: httpx.AsyncClient, process: Process, settings: Settings
) -> None:
    settings.OMNIGENT_UPLOAD_LIMIT = 1024

    assert_error(await upload(http, b"x" * 2000), 413, "payload_too_large")


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=" + "x" * 300]
)
async def test_a_body_without_boundary_is_refused(http: httpx.AsyncClient, content_type: str) -> None:
    answer = await http.post(URL, content=b"x", headers={"content-type": content_type})

    assert_error(answer, 400, "invalid_input")


async def test_a_repeated_upload_makes_one_session(http: httpx.AsyncClient, process: Process) -> None:
    key = {"Idempotency-Key": "k"}

    first, second = await upload(http, archive(), None, **key), await upload(http, archive(), None, **key)

    assert (first.status_code, second.content) == (201, first.content)
    assert await counts(process) == (1, 1)


async def test_a_foreign_page_cannot_upload(http: httpx.AsyncClient, process: Process) -> None:
    answer = await upload(http, archive(), origin="https://evil.example")

    assert_error(answer, 403, "forbidden")
    assert await counts(process) == (0, 0)


async def test_the_released_clients_origin_can(http: httpx.AsyncClient) -> None:
    assert (await upload(http, archive(), origin="omnigent://internal")).status_code == 201
