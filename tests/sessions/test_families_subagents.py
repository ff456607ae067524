"""`external_subagent_start`: what a harness starts by itself becomes a session below, once."""

import asyncio
from typing import Any

import httpx
import orjson
import pytest

from sessions_app.events import log
from sessions_app.models import Session
from sessions_app.process import Process
from tests.error_shape import assert_error
from tests.factories import make_agent, make_session

START: dict[str, Any] = {
    "subagent_id": "sub-1",
    "agent_type": "researcher",
    "description": "Look into auth",
    "tool_use_id": "toolu_1",
}


@pytest.fixture
async def parent(process: Process) -> Session:
    """A session with everything that a sub-agent inherits."""
    return await process.pool.run(
        lambda: make_session(make_agent(), runner_id="runner_x", host_id="host_x", workspace="/w")
    )


async def start(http: httpx.AsyncClient, parent: Session, key: str = "", **data: Any) -> httpx.Response:
    body = {"type": "external_subagent_start", "data": {**START, **data}}
    headers = {"Idempotency-Key": key} if key else {}
    return await http.post(f"/v1/sessions/{parent.public_id}/events", json=body, headers=headers)


async def children(http: httpx.AsyncClient, parent: Session) -> list[dict[str, Any]]:
    answer = await http.get(f"/v1/sessions/{parent.public_id}/child_sessions", params={"order": "asc"})
    return list(answer.json()["data"])


async def test_it_makes_a_child_that_inherits(
    http: httpx.AsyncClient, process: Process, parent: Session
) -> None:
    answer = await start(http, parent)

    assert answer.status_code == 202, answer.content
    [row] = await children(http, parent)
    assert answer.json() == {"queued": False, "child_session_id": row["id"]}
    assert (row["title"], row["tool"]) == ("researcher:Look into auth", "researcher")
    child = (await http.get(f"/v1/sessions/{row['id']}")).json()
    above = (await http.get(f"/v1/sessions/{parent.public_id}")).json()
    assert (child["agent_id"], child["sub_agent_name"]) == (above["agent_id"], "researcher")
    assert (child["runner_id"], child["host_id"], child["workspace"]) == ("runner_x", "host_x", "/w")
    assert (child["kind"], child["parent_session_id"]) == ("sub_agent", parent.public_id)
    assert child["root_conversation_id"] == parent.public_id
    told = [orjson.loads(entry.data) for entry in await process.pool.run(log.read, parent.pk, 0, 100)]
    assert [event["type"] for event in told] == ["session.created", "session.child_session.updated"]
    assert told[1]["child"] == row


async def test_it_is_made_once(http: httpx.AsyncClient, parent: Session) -> None:
    answers = await asyncio.gather(*(start(http, parent) for _ in range(6)))
    later = await start(http, parent, description="Something else", agent_type="coder")

    assert len({answer.json()["child_session_id"] for answer in (*answers, later)}) == 1
    assert len(await children(http, parent)) == 1


async def test_the_same_id_below_another_session_is_another_child(
    http: httpx.AsyncClient, process: Process, parent: Session
) -> None:
    other = await process.pool.run(lambda: make_session(make_agent("other")))

    one, two = await start(http, parent), await start(http, other)

    assert one.json()["child_session_id"] != two.json()["child_session_id"]


async def test_titles_are_made_unique(http: httpx.AsyncClient, parent: Session) -> None:
    for number in range(3):
        assert (await start(http, parent, subagent_id=f"s{number}")).status_code == 202

    assert [row["title"] for row in await children(http, parent)] == [
        "researcher:Look into auth",
        "researcher:Look into auth (2)",
        "researcher:Look into auth (3)",
    ]


@pytest.mark.parametrize(
    ("data", "title"),
    [
        ({"agent_type": None}, "helper:Look into auth"),
        ({"description": None}, "researcher:sub-1"),
        ({"description": "two\n lines\t here"}, "researcher:two lines here"),
        ({"description": "d" * 5000}, "researcher:" + "d" * 188 + "…"),
        ({"agent_type": "t" * 5000}, "t" * 100 + ":Look into auth"),
    ],
)
async def test_odd_names(http: httpx.AsyncClient, parent: Session, data: Any, title: str) -> None:
    for _ in range(2):
        assert (await start(http, parent, **data)).status_code == 202

    assert [row["title"] for row in await children(http, parent)] == [title]


async def test_long_ids_are_told_apart(http: httpx.AsyncClient, parent: Session) -> None:
    for tail in ("a", "b", "a"):
        assert (await start(http, parent, subagent_id="x" * 5000 + tail)).status_code == 202

    assert len(await children(http, parent)) == 2


@pytest.mark.parametrize(
    "data",
    [
        {"subagent_id": None},
        {"subagent_id": ""},
        {"subagent_id": "  "},
        {"subagent_id": 7},
        {"agent_type": 7},
        {"description": ["x"]},
        {"tool_use_id": {}},
    ],
    ids=str,
)
async def test_bad_input_makes_nothing(http: httpx.AsyncClient, parent: Session, data: Any) -> None:
    assert_error(await start(http, parent, **data), 400, "invalid_input")

    assert await children(http, parent) == []


async def test_a_key_repeats_the_answer(http: httpx.AsyncClient, parent: Session) -> None:
    answers = [await start(http, parent, key="k") for _ in range(2)]

    assert answers[0].json() == answers[1].json()
    assert len(await children(http, parent)) == 1


async def test_a_sub_agent_of_a_sub_agent(http: httpx.AsyncClient, process: Process, parent: Session) -> None:
    first = (await start(http, parent)).json()["child_session_id"]
    body = {"type": "external_subagent_start", "data": {**START, "subagent_id": "deeper"}}

    answer = await http.post(f"/v1/sessions/{first}/events", json=body)

    deeper = (await http.get(f"/v1/sessions/{answer.json()['child_session_id']}")).json()
    assert (deeper["parent_session_id"], deeper["root_conversation_id"]) == (first, parent.public_id)
    assert (deeper["runner_id"], deeper["workspace"]) == ("runner_x", "/w")


async def test_its_status_from_elsewhere_shows_at_the_parent(
    http: httpx.AsyncClient, parent: Session
) -> None:
    child_id = (await start(http, parent)).json()["child_session_id"]
    shown = []

    for word, more in (("running", {}), ("idle", {}), ("running", {}), ("failed", {"output": "no luck"})):
        body = {"type": "external_session_status", "data": {"status": word, **more}}
        assert (await http.post(f"/v1/sessions/{child_id}/events", json=body)).status_code == 202
        [row] = await children(http, parent)
        shown.append((row["busy"], row["current_task_status"]))

    assert shown == [(True, "in_progress"), (False, "completed"), (True, "in_progress"), (False, "failed")]
    assert row["last_task_error"]["message"] == "no luck"
