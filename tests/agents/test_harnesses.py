"""GET /v1/harnesses and GET /v1/skills."""

from django.test import Client

from omnigent.spec.capabilities import HARNESSES
from tests.agents.registry import Registry, directory
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_host

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


async def test_skills_need_a_session_that_can_be_read(registry: Registry) -> None:
    bare = await registry.uploaded(directory({}))
    http = registry.http

    assert_invalid(await http.get("/v1/skills"), "query", "session_id", kind="missing")
    assert_error(await http.get("/v1/skills?session_id=conv_x"), 404, "not_found", "Session not found")
    assert (await http.get("/v1/skills", params={"session_id": bare["id"]})).json()["data"] == []
