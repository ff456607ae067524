"""The list of everything a session has: what its runner has open, and its stored files."""

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from omnigent.accounts.gate import Gate
from omnigent.accounts.principal import LOCAL_USER, Principal
from sessions_app.environment_bodies import ListResources
from sessions_app.models import Blob, File, Session
from sessions_app.process import Process
from sessions_app.services import environments, resources
from sessions_app.services.environments import Use
from tests.environments.workspace import Workspace, ask, environment, terminal
from tests.factories import make_session

OPEN = [environment(), environment("env_terminal_shell_main"), terminal()]
IDS = [row["id"] for row in OPEN]


def files_in(session: Session, count: int) -> list[str]:
    """Stored files, the newest first."""
    now = timezone.now()
    blobs = [Blob(digest=f"{number:064x}", size=1, stored_at=now) for number in range(count)]
    Blob.objects.bulk_create(blobs, ignore_conflicts=True)
    rows = [
        File(session=session, blob=blob, filename="a", content_type="text/plain", created_at=now)
        for blob in blobs
    ]
    return [file.public_id for file in reversed(File.objects.bulk_create(rows))]


def url(session: Session, query: str = "") -> str:
    return f"/v1/sessions/{session.public_id}/resources{query}"


async def test_what_the_runner_has_comes_first_and_then_the_files(
    process: Process, app: Gate, workspace: Workspace, session: Session
) -> None:
    workspace.resources = OPEN
    files = await process.pool.run(files_in, session, 2)

    async def ids(query: str) -> tuple[list[str], bool]:
        page = (await ask(app, "GET", url(session, query))).json
        found = [row["id"] for row in page["data"]]
        assert (page["first_id"], page["last_id"]) == (
            found[0] if found else None,
            found[-1] if found else None,
        )
        return found, page["has_more"]

    assert await ids("") == (IDS + files, False)
    assert await ids("?type=environment") == (IDS[:2], False)
    assert await ids("?type=terminal") == (IDS[2:], False)
    assert await ids("?type=file") == (files, False)
    assert await ids("?type=spaceship") == ([], False)
    assert await ids("?limit=2") == (IDS[:2], True)
    assert await ids("?limit=3") == (IDS, True)
    assert await ids("?limit=4") == (IDS + files[:1], True)
    assert await ids(f"?limit=2&after={IDS[1]}") == ([IDS[2], files[0]], True)
    assert await ids(f"?after={files[0]}") == (files[1:], False)
    assert await ids(f"?before={files[1]}") == (IDS + files[:1], False)
    assert await ids(f"?before={IDS[1]}") == (IDS[:1], False)
    assert await ids(f"?after={IDS[0]}&before={IDS[0]}") == ([], False)
    assert await ids("?order=asc") == (IDS + files[::-1], False)


async def test_without_a_runner_the_files_are_listed(process: Process, app: Gate) -> None:
    for fields in ({}, {"runner_id": "runner_" + "0" * 32}):
        session = await process.pool.run(lambda fields=fields: make_session(**fields))
        files = await process.pool.run(files_in, session, 2)
        for query, expected in (("", files), ("?type=file", files), ("?type=terminal", [])):
            reply = await ask(app, "GET", url(session, query))
            assert (reply.status, [row["id"] for row in reply.json["data"]]) == (200, expected)


@pytest.mark.parametrize(("query", "status"), [("limit=0", 422), ("after=file_gone", 400), ("after=a!", 404)])
async def test_a_bad_page_is_refused(
    app: Gate, workspace: Workspace, session: Session, query: str, status: int
) -> None:
    assert (await ask(app, "GET", url(session, f"?{query}"))).status == status


async def test_rows_that_make_no_sense_are_left_out(
    app: Gate, workspace: Workspace, session: Session
) -> None:
    odd: list[Any] = [7, None, {}, {"id": 1, "type": "terminal"}, {"id": "x", "type": "file"}, *OPEN]
    workspace.answers["GET", ""] = (200, {"object": "list", "data": odd})
    assert [row["id"] for row in (await ask(app, "GET", url(session))).json["data"]] == IDS

    workspace.answers["GET", ""] = (200, b"nonsense")
    assert (await ask(app, "GET", url(session))).status == 502


async def test_one_resource_of_any_type(
    process: Process, app: Gate, workspace: Workspace, session: Session
) -> None:
    [file] = await process.pool.run(files_in, session, 1)
    other = await process.pool.run(make_session)
    [foreign] = await process.pool.run(files_in, other, 1)
    workspace.answers["GET", "/terminal_x_y"] = (
        404,
        {"error": {"code": "not_found", "message": "Terminal 'terminal_x_y' not found"}},
    )

    found = {
        name: (await ask(app, "GET", url(session, f"/{name}"))).status
        for name in ("default", IDS[1], IDS[2], "terminal_x_y", file, foreign, "nonsense", "env_%20")
    }

    assert list(found.values()) == [200, 200, 200, 404, 200, 404, 404, 404]
    assert [line.rpartition("/")[2] for line in workspace.lines] == [*IDS, "terminal_x_y"]


@pytest.mark.django_db
def test_reads_take_the_same_statements_at_any_size() -> None:
    caller = Principal(user_id=LOCAL_USER, is_admin=True)
    taken = []
    for count in (2, 60):
        session = make_session(runner_id="runner_1", workspace="/w")
        files_in(session, count)
        rows = [terminal(f"terminal_{number}") for number in range(count)]
        asked = ListResources(limit=1000)
        with CaptureQueriesContext(connection) as captured:
            place = environments.place(caller, session.public_id, Use.KNOW)
            page = resources.page(place, rows, asked, None)
        assert len(page["data"]) == 2 * count
        taken.append(len(captured))

    assert taken == [3, 3]
