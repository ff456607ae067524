"""GET /v1/policy-decisions: pages with filters and cursors, and an export of any length."""

import itertools
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from omnigent.accounts.models import User
from omnigent.accounts.principal import Scope
from omnigent.accounts.services import tokens
from omnigent.asgi import Router
from policies_app.models import Decision
from policies_app.services import decision_pages
from policies_app.services.decision_pages import DecisionQuery
from sessions_app.process import Process
from tests.error_shape import assert_error, assert_invalid
from tests.policies_rest.log import START, append, fill, hash_as_an_auditor_does, new
from tests.stream.servers import running

URL = "/v1/policy-decisions"
BASE = "http://127.0.0.1:6767"


@pytest.fixture
async def process(transactional_db: None) -> AsyncIterator[Process]:
    """What a server process has once, started on the test's loop."""
    async with running() as process:
        yield process


@pytest.fixture
async def http(process: Process) -> AsyncIterator[httpx.AsyncClient]:
    """A client on this machine."""
    transport = httpx.ASGITransport(app=Gate(Router()), client=("127.0.0.1", 50000))
    async with httpx.AsyncClient(transport=transport, base_url=BASE, timeout=30) as client:
        yield client


def lines(answer: httpx.Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


WHOLE: dict[str, Any] = {
    "session_id": "conv_1",
    "root_session_id": "conv_0",
    "agent_id": "ag_1",
    "actor": "olga",
    "phase": "tool_call",
    "target": "Bash",
    "verdict": "deny",
    "reason": "no",
    "policy_id": "pol_1",
    "policy_name": "p",
    "policy_version": 2,
    "level": "session",
    "shadow": [{"id": "pol_2", "verdict": "ask"}],
    "steps": [{"id": "pol_1", "name": "ä", "version": 1, "verdict": "allow", "micros": 12}],
    "elicitation_id": "elicit_1",
    "latency_us": 17,
}


async def test_row_is_shown_whole(http: httpx.AsyncClient, process: Process) -> None:
    row = new(created_at=START, **WHOLE)
    await process.pool.run(append, row)

    body = (await http.get(URL)).json()

    shown = body["data"][0]
    ids = {"first_id": row.decision_id, "last_id": row.decision_id}
    assert body == {"object": "list", "data": [shown], **ids, "has_more": False, "next_cursor": None}
    assert shown == {
        **WHOLE,
        "seq": 1,
        "decision_id": row.decision_id,
        "created_at": START.timestamp(),
        "input_digest": row.input_digest,
        "input": row.input,
        "prev_hash": "0" * 64,
        "hash": hash_as_an_auditor_does(shown),
    }


async def test_what_a_row_does_not_have_is_null(http: httpx.AsyncClient, process: Process) -> None:
    await process.pool.run(append, new(reason="", input=None))

    shown = (await http.get(URL)).json()["data"][0]

    texts = ("session_id", "root_session_id", "agent_id", "actor", "reason", "policy_id", "policy_name")
    assert all(shown[name] is None for name in (*texts, "elicitation_id", "policy_version", "input"))
    assert (shown["level"], shown["shadow"]) == ("none", [])


async def test_pages_go_from_the_newest_to_the_oldest(http: httpx.AsyncClient, process: Process) -> None:
    await process.pool.run(fill, 5)
    seen: list[int] = []
    cursor = ""

    while True:
        body = (await http.get(URL, params={"limit": 2, "cursor": cursor})).json()
        seen += [row["seq"] for row in body["data"]]
        if not body["has_more"]:
            break
        cursor = body["next_cursor"]

    assert seen == [5, 4, 3, 2, 1]


@pytest.mark.parametrize("cursor", ["dec_" + "0" * 32])
async def test_unknown_cursor_is_stale(http: httpx.AsyncClient, cursor: str) -> None:
    for kind in ("json", "ndjson"):
        answer = await http.get(URL, params={"cursor": cursor, "format": kind})
        assert_error(answer, 400, "stale_cursor")


async def test_cursor_that_is_no_id_is_404(http: httpx.AsyncClient) -> None:
    assert_error(await http.get(URL, params={"cursor": "a b"}), 404, "not_found")


FILTERS: dict[str, tuple[dict[str, Any], str]] = {
    "session_id": ({"session_id": "conv_" + "1" * 32}, "1" * 32),
    "root": ({"root_session_id": "conv_1"}, "conv_1"),
    "actor": ({"actor": "olga@example.org"}, "olga@example.org"),
    "verdict": ({"verdict": "ask"}, "ask"),
    "phase": ({"phase": "request"}, "request"),
    "policy_id": ({"policy_id": "pol_srv_1"}, "pol_srv_1"),
}


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("kind", ["json", "ndjson"])
async def test_filter_leaves_what_matches(
    http: httpx.AsyncClient, process: Process, name: str, kind: str
) -> None:
    fields, text = FILTERS[name]
    await process.pool.run(append, new(), new(**fields), new())

    answer = await http.get(URL, params={name: text, "format": kind})

    rows = answer.json()["data"] if kind == "json" else lines(answer)
    assert [row["seq"] for row in rows] == [2]


async def test_times_are_from_and_before(http: httpx.AsyncClient, process: Process) -> None:
    await process.pool.run(fill, 5)
    asked = {
        "since": (START + timedelta(seconds=2)).timestamp(),
        "until": (START + timedelta(seconds=4)).timestamp(),
    }

    body = (await http.get(URL, params=asked)).json()

    assert [row["seq"] for row in body["data"]] == [3, 2]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("limit", "0"), ("limit", "1001"), ("verdict", "maybe"), ("phase", "later"), ("format", "xml")),
        *(("since", "nan"), ("since", "inf"), ("until", "-1"), ("since", "1e300"), ("actor", "\0")),
    ],
)
async def test_wrong_query_is_422(http: httpx.AsyncClient, name: str, text: str) -> None:
    assert_invalid(await http.get(URL, params={name: text}), "query", name)


async def test_export_has_every_row_once_and_its_chain_can_be_checked(
    http: httpx.AsyncClient, process: Process
) -> None:
    await process.pool.run(fill, 2500)

    answer = await http.get(URL, headers={"Accept": "text/html;q=0.1, application/x-ndjson"})

    assert answer.headers["content-type"] == "application/x-ndjson"
    assert answer.headers["cache-control"] == "no-store"
    rows = lines(answer)
    assert [row["seq"] for row in rows] == list(range(1, 2501))
    assert all(row["hash"] == hash_as_an_auditor_does(row) for row in rows)
    assert all(row["prev_hash"] == before["hash"] for before, row in itertools.pairwise(rows))


async def test_export_goes_on_after_a_cursor(http: httpx.AsyncClient, process: Process) -> None:
    await process.pool.run(fill, 5)
    third = await process.pool.run(Decision.objects.get, seq=3)

    rows = lines(await http.get(URL, params={"format": "ndjson", "cursor": third.decision_id, "limit": 1}))

    assert [row["seq"] for row in rows] == [4, 5]


async def test_empty_export_is_empty(http: httpx.AsyncClient) -> None:
    answer = await http.get(URL, params={"format": "ndjson"})

    assert (answer.status_code, answer.content) == (200, b"")


def token_of(name: str, **rights: bool) -> dict[str, str]:
    scopes = [Scope.READ, *([Scope.ADMIN] if rights.get("is_staff") else [])]
    user = User.objects.create_user(username=name, **rights)
    return {
        "Authorization": f"Bearer {tokens.issue(user=user, name='t', scopes=scopes, lifetime=None).secret}"
    }


@pytest.mark.parametrize(
    ("rights", "status"), [({"is_staff": True}, 200), ({"is_auditor": True}, 200), ({}, 403), (None, 401)]
)
@pytest.mark.parametrize("kind", ["json", "ndjson"])
async def test_administrators_and_auditors_only(
    http: httpx.AsyncClient,
    process: Process,
    settings: Settings,
    rights: dict[str, bool] | None,
    status: int,
    kind: str,
) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"
    await process.pool.run(fill, 1)
    headers = {} if rights is None else await process.pool.run(token_of, "x", **rights)

    answer = await http.get(URL, params={"format": kind}, headers=headers)

    assert answer.status_code == status
    if status != 200:
        assert_error(answer, status, "forbidden" if status == 403 else "unauthorized")


@pytest.mark.django_db
@pytest.mark.parametrize("count", [2, 60])
def test_page_takes_two_statements_whatever_the_number_of_rows(count: int) -> None:
    fill(count)
    cursor = Decision.objects.get(seq=count).decision_id

    with CaptureQueriesContext(connection) as captured:
        decision_pages.page_of(DecisionQuery(limit=50, cursor=cursor))

    assert len(captured) == 2
