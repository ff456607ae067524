"""GET /v1/agents/{id}/config and PATCH /v1/agents/{id}: changes of what the caller has seen."""

from typing import Any

import httpx
import pytest

from omnigent.spec import bundle
from tests.agents.registry import Registry, directory, single, stored
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_bundled_agent

MCP = b"name: notes\ntransport: http\nurl: https://example.org/mcp\nheaders: {A: secret}\ntimeout: 5\n"


async def config(registry: Registry, agent_id: str) -> httpx.Response:
    answer = await registry.http.get(f"/v1/agents/{agent_id}/config")
    assert answer.status_code == 200, answer.text
    return answer


async def patch(registry: Registry, agent_id: str, body: Any, tag: str | None = "*") -> httpx.Response:
    headers = {} if tag is None else {"If-Match": tag}
    return await registry.http.patch(f"/v1/agents/{agent_id}", json=body, headers=headers)


@pytest.fixture
async def agent_id(registry: Registry) -> str:
    return str((await registry.kept(directory({"tools/mcp/notes.yaml": MCP})))["id"])


async def test_what_can_be_changed_is_shown_with_a_tag(registry: Registry, agent_id: str) -> None:
    answer = await config(registry, agent_id)

    assert answer.json() == {
        "id": agent_id,
        "object": "agent.config",
        "name": "mine",
        "version": 1,
        "description": "A helper",
        "instructions": "Help.",
        "model": None,
        "harness": "scripted",
        "mcp_servers": [
            {
                "name": "notes",
                "transport": "http",
                "url": "https://example.org/mcp",
                "headers": {"A": "[REDACTED]"},
            }
        ],
        "editable": True,
        "etag": answer.headers["etag"],
    }


async def test_the_operators_agents_can_be_looked_at(registry: Registry) -> None:
    agent = await registry.run(make_bundled_agent)

    shown = (await config(registry, agent.public_id)).json()

    assert (shown["instructions"], shown["editable"]) == ("Help.", False)
    assert_error(await patch(registry, agent.public_id, {"model": "x"}), 409, "conflict")


async def test_a_change_is_a_new_version_and_has_a_new_tag(registry: Registry, agent_id: str) -> None:
    tag = (await config(registry, agent_id)).headers["etag"]
    session_id = await registry.session(agent_id)
    changes = {"description": "Better", "instructions": "Help\nmuch.", "model": "m-1", "harness": "anthropic"}

    answer = await patch(registry, agent_id, changes, tag)

    shown = answer.json()
    assert answer.status_code == 200
    assert {key: shown[key] for key in changes} == changes
    assert shown["version"] == 2
    assert shown == (await config(registry, agent_id)).json()
    assert answer.headers["etag"] == shown["etag"] != tag
    assert (await registry.agent(session_id))["harness"] == "anthropic"
    assert "session.agent_changed" in await registry.events(session_id)
    spec = bundle.read(await registry.run(stored, agent_id))
    assert (spec.instructions, spec.model, spec.harness) == ("Help\nmuch.", "m-1", "anthropic")


async def test_what_is_left_out_stays_and_null_clears(registry: Registry, agent_id: str) -> None:
    await patch(registry, agent_id, {"model": "m-1"})

    shown = (await patch(registry, agent_id, {"description": None})).json()

    assert (shown["description"], shown["model"], shown["instructions"]) == (None, "m-1", "Help.")


async def test_no_change_keeps_the_version(registry: Registry, agent_id: str) -> None:
    await patch(registry, agent_id, {"description": "Better"})

    assert (await patch(registry, agent_id, {"description": "Better"})).json()["version"] == 2


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        (None, 428),
        ("abc", 400),
        ("", 400),
        ('"a" "b"', 400),
        ('"other"', 412),
        ("weak", 412),
        ("listed", 200),
    ],
    ids=["none", "unquoted", "empty", "no comma", "other", "weak", "one of several"],
)
async def test_what_the_caller_has_seen_decides(
    registry: Registry, agent_id: str, tag: str | None, status: int
) -> None:
    current = (await config(registry, agent_id)).headers["etag"]
    sent = {"weak": f"W/{current}", "listed": f'"x", {current}'}.get(tag or "", tag)

    answer = await patch(registry, agent_id, {"description": "Better"}, sent)

    assert answer.status_code == status, answer.text
    assert (await config(registry, agent_id)).json()["version"] == (2 if status == 200 else 1)


async def test_the_second_of_two_who_saw_the_same_is_refused(registry: Registry, agent_id: str) -> None:
    tag = (await config(registry, agent_id)).headers["etag"]

    first = await patch(registry, agent_id, {"description": "One"}, tag)
    second = await patch(registry, agent_id, {"description": "Two"}, tag)

    assert first.status_code == 200
    assert_error(second, 412, "conflict")
    assert (await config(registry, agent_id)).json()["description"] == "One"


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({"description": "x" * 4097}, "description"),
        ({"name": "other"}, "name"),
        ({"model": 5}, "model"),
        ({"mcp_servers": [{"name": "a b", "transport": "http", "url": "https://a.org"}]}, "mcp_servers"),
    ],
    ids=["long description", "unknown key", "wrong type", "bad server"],
)
async def test_bad_fields_are_named(
    registry: Registry, agent_id: str, body: dict[str, Any], place: str
) -> None:
    assert_invalid(await patch(registry, agent_id, body), "body", place)


async def test_what_the_agent_could_not_be_loaded_with_is_refused(registry: Registry, agent_id: str) -> None:
    assert_invalid(await patch(registry, agent_id, {"harness": "nothing"}), "body")
    assert (await config(registry, agent_id)).json()["version"] == 1


async def test_only_json_is_taken(registry: Registry, agent_id: str) -> None:
    answer = await registry.http.patch(f"/v1/agents/{agent_id}", content=b"a", headers={"If-Match": "*"})

    assert_error(answer, 415, "invalid_input")


async def test_instructions_stay_in_the_file_that_holds_them(registry: Registry) -> None:
    files = {"words.md": b"From a file.", "AGENTS.md": b"Not these."}
    made = await registry.kept(directory(files, instructions="words.md"))

    shown = (await patch(registry, made["id"], {"instructions": "AGENTS.md"})).json()

    after = bundle.unpack(await registry.run(stored, made["id"]))
    assert shown["instructions"] == "AGENTS.md"
    assert (after["words.md"], after["AGENTS.md"]) == (b"AGENTS.md", b"Not these.")


async def test_instructions_that_would_name_a_file_are_refused(registry: Registry) -> None:
    made = await registry.kept(directory({"notes.md": b"Private."}))

    assert_invalid(await patch(registry, made["id"], {"instructions": "notes.md"}), "body")


async def test_a_single_file_keeps_its_shape_and_what_we_do_not_know(registry: Registry) -> None:
    made = await registry.kept(single(executor="gpt-9", metadata={"team": "blue"}, spawn=True))

    shown = (await patch(registry, made["id"], {"model": "gpt-10", "instructions": "New."})).json()

    (document,) = bundle.unpack(await registry.run(stored, made["id"])).values()
    spec = bundle.read(await registry.run(stored, made["id"]))
    assert (shown["model"], shown["harness"], shown["instructions"]) == ("gpt-10", "openai-agents", "New.")
    assert (spec.raw["metadata"], spec.spawn, spec.shape) == ({"team": "blue"}, True, "single-file")
    assert b"prompt: New." in document


async def test_a_vendors_executor_type_makes_room_for_a_harness(registry: Registry) -> None:
    made = await registry.kept(directory(executor={"type": "claude_sdk"}))
    assert made["harness"] == "claude_sdk"

    assert (await patch(registry, made["id"], {"harness": "codex"})).json()["harness"] == "codex"


async def test_servers_are_replaced_as_a_whole_and_keep_their_secrets(
    registry: Registry, agent_id: str
) -> None:
    kept = {
        "name": "notes",
        "transport": "http",
        "url": "https://example.org/2",
        "headers": {"A": "[REDACTED]", "B": "new"},
    }
    new = {"name": "tool", "transport": "stdio", "command": "run", "args": ["-x"]}

    shown = (await patch(registry, agent_id, {"mcp_servers": [kept, new]})).json()

    servers = {one.name: one for one in bundle.read(await registry.run(stored, agent_id)).mcp_servers}
    assert [one["name"] for one in shown["mcp_servers"]] == ["notes", "tool"]
    assert servers["notes"].headers == {"A": "secret", "B": "new"}
    assert servers["notes"].timeout == 5
    assert (await patch(registry, agent_id, {"mcp_servers": []})).json()["mcp_servers"] == []
