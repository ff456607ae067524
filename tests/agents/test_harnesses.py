"""GET /v1/harnesses and GET /v1/skills."""

import pytest
from django.test import Client

from agents_app.services import register_builtin
from omnigent.spec.capabilities import HARNESSES
from tests.agents.registry import Registry, directory
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_host, make_session

FIELDS = {
    *("integration_mode", "elicitation", "resume", "model_family", "auth", "subagents", "interrupt"),
    *("streaming", "steering", "images", "compaction"),
}


def test_every_harness_tells_what_it_can_do_and_how_to_set_it_up(reader: Client) -> None:
    body = reader.get("/v1/harnesses").json()

    assert {row["id"] for row in body["data"]} == set(HARNESSES)
    assert all(set(row["capabilities"]) == FIELDS for row in body["data"])
    assert all(row["label"] and (row["setup_steps"] or row["id"] == "scripted") for row in body["data"])
    assert body["setup_steps"]


def test_hosts_tell_what_is_ready(reader: Client) -> None:
    told = make_host(configured_harnesses={"scripted": True, "anthropic": "needs-auth", "claude_sdk": True})
    silent = make_host(configured_harnesses=None)
    make_host(owner="somebody")
    make_host(online=False)

    rows = {row["id"]: row["readiness"] for row in reader.get("/v1/harnesses").json()["data"]}

    assert rows["scripted"] == {told.public_id: "ready", silent.public_id: "unknown"}
    assert rows["anthropic"][told.public_id] == "needs-auth"
    assert rows["claude-sdk"][told.public_id] == "ready"
    assert rows["codex"][told.public_id] == "not-available"


async def test_the_skills_that_people_may_call(registry: Registry) -> None:
    files = {
        "skills/triage/SKILL.md": b"---\nname: Triage issues\ndescription: Sort them.\n---\nSort.",
        "skills/inner/SKILL.md": b"---\nname: inner\ndescription: x\nuser-invocable: false\n---\nx",
    }
    made = await registry.uploaded(directory(files))

    answer = await registry.http.get("/v1/skills", params={"session_id": made["id"]})

    assert answer.json() == {
        "object": "list",
        "data": [{"name": "triage", "description": "Sort them.", "display_name": "Triage issues"}],
    }


def test_skills_need_a_session_that_can_be_read(reader: Client) -> None:
    assert_invalid(reader.get("/v1/skills"), "query", "session_id", kind="missing")
    assert_error(reader.get("/v1/skills?session_id=conv_x"), 404, "not_found", "Session not found")
    session = make_session(register_builtin(files={"a.yaml": b"name: a\nprompt: b\nexecutor: claude-x\n"}))
    assert reader.get("/v1/skills", {"session_id": session.public_id}).json()["data"] == []


@pytest.mark.parametrize(("online", "status"), [(True, 400), (False, 503)], ids=["online", "offline"])
def test_hosts_are_not_asked_for_skills(reader: Client, online: bool, status: int) -> None:
    host = make_host(online=online)

    answer = reader.get("/v1/skills", {"host_id": host.public_id, "harness": "codex", "path": "/"})

    assert_error(answer, status, "invalid_input" if online else "host_offline")
    assert reader.get("/v1/skills?host_id=unknown").status_code == 404
