"""The examples of the public documentation, to the letter where they show a whole value."""

from datetime import UTC, datetime

import httpx
from django.test import Client

from sessions_app.process import Process
from tests.factories import make_agent, make_session


def at(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def test_list_sessions(reader: Client) -> None:
    example = {
        "object": "list",
        "data": [
            {
                "id": "conv_abc123",
                "agent_id": "ag_xyz",
                "status": "idle",
                "title": "Debug auth flow",
                "created_at": 1700000000,
                "updated_at": 1700001000,
            }
        ],
        "first_id": "conv_abc123",
        "last_id": "conv_abc123",
        "has_more": False,
    }
    make_session(
        make_agent(public_id="ag_xyz"),
        public_id="conv_abc123",
        title="Debug auth flow",
        created_at=at(1700000000),
        updated_at=at(1700001000),
    )

    page = reader.get("/v1/sessions").json()

    (row,) = page["data"]
    page["data"] = [{key: row[key] for key in example["data"][0]}]  # type: ignore[index]  # JSON of a known shape
    assert page == example


def test_get_session(reader: Client) -> None:
    make_session(make_agent("helper", public_id="ag_xyz"), public_id="conv_abc123", created_at=at(1700000000))

    snapshot = reader.get("/v1/sessions/conv_abc123").json()

    example = {
        "id": "conv_abc123",
        "agent_id": "ag_xyz",
        "agent_name": "helper",
        "status": "idle",
        "created_at": 1700000000,
        "title": None,
        "labels": {},
        "runner_id": None,
        "runner_online": False,
        "items": [],
    }
    assert {key: snapshot[key] for key in example} == example


async def test_create_and_update_session(http: httpx.AsyncClient, process: Process) -> None:
    agent = await process.pool.run(make_agent)
    asked = {
        "agent_id": agent.public_id,
        "title": "debugging auth flow",
        "labels": {"env": "prod"},
        "reasoning_effort": "low",
    }

    created = await http.post("/v1/sessions", json=asked)
    changes = {
        "title": "New session title",
        "reasoning_effort": "default",
        "model_override": "claude-opus-4-7",
    }
    updated = await http.patch(f"/v1/sessions/{created.json()['id']}", json=changes)

    assert created.status_code == 201
    assert {key: created.json()[key] for key in asked} == asked
    assert updated.status_code == 200
    assert {key: updated.json()[key] for key in changes} == {**changes, "reasoning_effort": None}
