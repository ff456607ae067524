"""POST and DELETE /v1/agents, and the list of one's own agents."""

import pytest
from pytest_django import Settings

from agents_app.models import Agent
from tests.agents.registry import Registry, directory, single
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_agent


async def test_an_agent_is_kept_and_can_be_used_again_and_again(registry: Registry) -> None:
    made = await registry.kept(directory())

    sessions = [await registry.session(made["id"]) for _ in range(2)]

    assert (made["name"], made["harness"], made["version"], made["builtin"]) == ("mine", "scripted", 1, False)
    assert (await registry.http.get(f"/v1/agents/{made['id']}")).json() == {**made, "user_owned": True}
    for session_id in sessions:
        assert (await registry.agent(session_id))["id"] == made["id"]
        await registry.http.delete(f"/v1/sessions/{session_id}")
    assert (await registry.http.get(f"/v1/agents/{made['id']}")).status_code == 200


async def test_the_same_content_is_no_change_and_other_content_the_next_version(registry: Registry) -> None:
    first = await registry.kept(directory())
    same = await registry.kept(directory())
    other = await registry.kept(directory(description="Better"))

    assert same == first
    assert (other["id"], other["version"], other["description"]) == (first["id"], 2, "Better")
    assert other["updated_at"] is not None


async def test_ones_own_agents_are_listed_apart(olga: Registry, sven: Registry) -> None:
    await olga.run(make_agent, "server-agent")
    own = [(await olga.kept(single(name=name)))["id"] for name in ("one", "two", "three")]
    await sven.kept(single(name="one"))

    listed = (await olga.http.get("/v1/agents")).json()["data"]
    mine = (await olga.http.get("/v1/agents", params={"scope": "user"})).json()

    assert [agent["name"] for agent in listed] == ["server-agent"]
    assert [agent["id"] for agent in mine["data"]] == own[::-1]
    first = (await olga.http.get("/v1/agents", params={"scope": "user", "limit": 2})).json()
    assert [agent["id"] for agent in first["data"]] == own[:0:-1]
    params = {"scope": "user", "after": first["last_id"]}
    rest = (await olga.http.get("/v1/agents", params=params)).json()
    assert ([agent["id"] for agent in rest["data"]], rest["has_more"]) == (own[:1], False)


async def test_at_most_fifty_of_them_come_at_once(registry: Registry) -> None:
    def make() -> None:
        for number in range(51):
            make_agent(f"a{number}", is_builtin=False, is_reusable=True, created_by="local")

    await registry.run(make)

    page = (await registry.http.get("/v1/agents", params={"scope": "user", "limit": 1000})).json()

    assert (len(page["data"]), page["has_more"]) == (50, True)


@pytest.mark.parametrize("query", [{"before": "ag_x"}, {"order": "asc"}], ids=str)
async def test_they_come_newest_first_only(registry: Registry, query: dict[str, str]) -> None:
    answer = await registry.http.get("/v1/agents", params={"scope": "user", **query})

    assert_error(answer, 400, "invalid_input")


async def test_an_unknown_scope_is_named(registry: Registry) -> None:
    assert_invalid(await registry.http.get("/v1/agents?scope=x"), "query", "scope")


async def test_nobody_else_sees_or_uses_it(olga: Registry, sven: Registry) -> None:
    agent_id = (await olga.kept(directory()))["id"]

    for answer in (
        await sven.http.get(f"/v1/agents/{agent_id}"),
        await sven.http.get(f"/v1/agents/{agent_id}/config"),
        await sven.http.post("/v1/sessions", json={"agent_id": agent_id}),
        await sven.http.delete(f"/v1/agents/{agent_id}"),
        await sven.http.patch(f"/v1/agents/{agent_id}", json={}),
    ):
        assert_error(answer, 404, "not_found", f"Agent not found: '{agent_id}'")


async def test_the_name_of_a_server_agent_is_taken(registry: Registry) -> None:
    await registry.run(make_agent, "mine")

    assert_error(await registry.post(directory()), 409, "already_exists")


async def test_what_is_no_agent_is_refused_and_leaves_nothing(registry: Registry) -> None:
    for data in (b"", b"no archive", directory(name="ui"), directory(executor={"type": "x"})):
        assert_error(await registry.post(data), 400, "invalid_input")

    assert await registry.run(Agent.objects.count) == 0


async def test_all_faults_are_named_at_once(registry: Registry) -> None:
    config = {"harness": "nothing"}
    answer = await registry.post(directory(name="no good", executor={"type": "omnigent", "config": config}))

    message = assert_error(answer, 400, "invalid_input")["error"]["message"]
    assert "name: " in message
    assert "executor.config.harness: " in message


async def test_the_bundle_part_is_required(registry: Registry) -> None:
    answer = await registry.http.post("/v1/agents", files={"other": ("a", b"x")})

    row = assert_invalid(answer, "body", "bundle", kind="missing")
    assert row == {"type": "missing", "loc": ["body", "bundle"], "msg": "Field required", "input": None}


async def test_only_multipart_is_taken(registry: Registry) -> None:
    assert_error(await registry.http.post("/v1/agents", json={}), 415, "invalid_input")


async def test_an_upload_over_the_cap_is_too_large(registry: Registry, settings: Settings) -> None:
    settings.OMNIGENT_UPLOAD_LIMIT = 1024

    assert_error(await registry.post(b"x" * 2000), 413, "payload_too_large")


async def test_a_repeated_upload_is_answered_as_before(registry: Registry) -> None:
    key = {"Idempotency-Key": "k"}
    first = await registry.post(directory(), **key)
    await registry.kept(directory(description="Other"))

    again = await registry.post(directory(), **key)

    assert again.content == first.content
    assert (await registry.http.get(f"/v1/agents/{first.json()['id']}")).json()["version"] == 2


async def test_an_unused_agent_is_deleted(registry: Registry) -> None:
    agent_id = (await registry.kept(directory()))["id"]

    answer = await registry.http.delete(f"/v1/agents/{agent_id}")

    assert (answer.status_code, answer.json()) == (200, {"id": agent_id, "deleted": True})
    assert_error(await registry.http.delete(f"/v1/agents/{agent_id}"), 404, "not_found")
    assert (await registry.http.get("/v1/agents?scope=user")).json()["data"] == []


async def test_a_server_agent_is_not_deleted(registry: Registry) -> None:
    agent = await registry.run(make_agent)

    assert_error(await registry.http.delete(f"/v1/agents/{agent.public_id}?force=true"), 404, "not_found")


async def test_an_agent_in_use_is_kept_and_its_sessions_are_named(registry: Registry) -> None:
    agent_id = (await registry.kept(directory()))["id"]
    sessions = [await registry.session(agent_id) for _ in range(2)]

    answer = await registry.http.delete(f"/v1/agents/{agent_id}")

    body = assert_error(answer, 409, "agent_in_use")
    assert body["detail"] == {"sessions": sessions}
    assert (await registry.http.get(f"/v1/agents/{agent_id}")).status_code == 200


async def test_sessions_of_a_deleted_agent_can_be_read_and_not_run(registry: Registry) -> None:
    agent_id = (await registry.kept(directory()))["id"]
    session_id = await registry.session(agent_id)
    where = f"/v1/sessions/{session_id}"

    answer = await registry.http.delete(f"/v1/agents/{agent_id}", params={"force": "true"})

    assert answer.json() == {"id": agent_id, "deleted": True}
    assert (await registry.http.get(f"/v1/agents/{agent_id}")).status_code == 404
    said = {"type": "message", "data": {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}}
    for gone in (
        await registry.http.get(f"{where}/agent"),
        await registry.http.get(f"{where}/agent/contents"),
        await registry.http.get(f"{where}/agent/mcp-servers"),
        await registry.http.get("/v1/skills", params={"session_id": session_id}),
        await registry.put(session_id, directory()),
        await registry.http.post(f"{where}/events", json=said),
        await registry.http.post(f"{where}/events", json={"type": "compact"}),
        await registry.http.post(f"{where}/fork", json={}),
    ):
        assert_error(gone, 410, "session_agent_missing")
    snapshot = (await registry.http.get(where)).json()
    assert (snapshot["agent_id"], snapshot["agent_name"]) == (agent_id, "mine")
    assert (await registry.http.get(f"{where}/items")).status_code == 200
    assert [row["id"] for row in (await registry.http.get("/v1/sessions")).json()["data"]] == [session_id]
    assert "session.agent_changed" in await registry.events(session_id)


async def test_a_session_of_a_deleted_agent_can_be_given_another_one(registry: Registry) -> None:
    other = await registry.run(make_agent)
    agent_id = (await registry.kept(directory()))["id"]
    session_id = await registry.session(agent_id)
    await registry.http.delete(f"/v1/agents/{agent_id}?force=true")

    body = {"agent_id": other.public_id}
    answer = await registry.http.post(f"/v1/sessions/{session_id}/switch-agent", json=body)

    assert (answer.status_code, answer.json()["agent_id"]) == (200, other.public_id)
    assert await registry.run(Agent.objects.filter(public_id=agent_id).exists) is False


async def test_a_deleted_agents_name_is_free_again(registry: Registry) -> None:
    first = await registry.kept(directory())
    await registry.session(first["id"])
    await registry.http.delete(f"/v1/agents/{first['id']}?force=true")

    second = await registry.kept(directory())

    assert (second["version"], second["id"] != first["id"]) == (1, True)


async def test_the_row_of_a_deleted_agent_goes_with_its_last_session(registry: Registry) -> None:
    agent_id = (await registry.kept(directory()))["id"]
    session_id = await registry.session(agent_id)
    await registry.http.delete(f"/v1/agents/{agent_id}?force=true")

    await registry.http.delete(f"/v1/sessions/{session_id}")

    assert await registry.run(Agent.objects.count) == 0
