"""The published documentation of the agents API, sentence by sentence, over HTTP."""

from collections.abc import Mapping
from typing import Any

import pytest

from agents_app.services import register_builtin, seed
from omnigent.spec import bundle
from tests.agents.registry import Registry, directory, single
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_agent

EXAMPLE_KEYS = {
    *("id", "object", "name", "version", "description", "harness", "created_at", "updated_at"),
    *("mcp_servers", "policies", "skills", "terminals"),
}
EXAMPLE = """
spec_version: 1
name: claude-native-ui
description: Claude Code with web UI integration
executor: {type: omnigent, config: {harness: claude-native}}
tools:
  github: {type: mcp, command: uvx, args: [mcp-server-github], env: {GITHUB_TOKEN: secret}}
policies:
  block_long_sleep:
    type: function
    handler: omnigent.policies.block_long_sleep
    on: [tool_call]
terminals: {shell: {}}
"""
SKILL = b"---\nname: triage-issues\ndescription: Triage open GitHub issues in the repo.\n---\nRead them.\n"


def example(**more: str) -> dict[str, bytes]:
    """The agent of the documentation's answer."""
    document = EXAMPLE + "".join(f"{key}: {text}\n" for key, text in more.items())
    return {"config.yaml": document.encode(), "skills/triage-issues/SKILL.md": SKILL}


async def page(registry: Registry, **query: Any) -> dict[str, Any]:
    answer = await registry.http.get("/v1/agents", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def one(registry: Registry, files: Mapping[str, bytes]) -> dict[str, Any]:
    """The only row of the list."""
    await registry.run(register_builtin, files=files)
    (row,) = (await page(registry))["data"]
    return dict(row)


async def many(registry: Registry, count: int) -> list[str]:
    """The ids of so many agents, newest first."""

    def make() -> list[str]:
        return [make_agent(f"a{number}").public_id for number in range(count)]

    return (await registry.run(make))[::-1]


async def test_the_registry_contains_all_built_in_agents_registered_on_the_server(registry: Registry) -> None:
    """ "The agent registry contains all built-in agents registered on the server." """
    seeded = await registry.run(seed)

    assert {row["id"] for row in (await page(registry))["data"]} == {agent.public_id for agent in seeded}


async def test_each_entry_has_a_stable_id_to_create_sessions_with(registry: Registry) -> None:
    """ "each entry has a stable id that you pass as agent_id when creating …" """
    first = (await one(registry, example()))["id"]
    await registry.run(register_builtin, files=example(params="{}"))

    (row,) = (await page(registry))["data"]
    session = await registry.http.post("/v1/sessions", json={"agent_id": first})

    assert (row["id"], row["version"]) == (first, 2)
    assert (session.status_code, session.json()["agent_id"]) == (201, first)


async def test_and_to_fork_sessions_with(registry: Registry) -> None:
    """ "… or forking sessions." """
    old, new = await registry.run(make_agent, "old"), await registry.run(make_agent, "new")
    session_id = await registry.session(old.public_id)

    body = {"agent_id": new.public_id}
    forked = await registry.http.post(f"/v1/sessions/{session_id}/fork", json=body)

    assert (forked.status_code, forked.json()["agent_id"]) == (201, new.public_id)


async def test_the_list_has_cursor_based_pagination(registry: Registry) -> None:
    """ "Returns built-in agents with cursor-based pagination." """
    ids = await many(registry, 3)

    first = await page(registry, limit=2)
    rest = await page(registry, limit=2, after=first["data"][-1]["id"])

    assert [row["id"] for row in (*first["data"], *rest["data"])] == ids
    assert (first["has_more"], rest["has_more"]) == (True, False)


async def test_session_scoped_agents_are_excluded(registry: Registry) -> None:
    """ "Session-scoped agents (uploaded with specific sessions) are excluded"."""
    await registry.uploaded(directory())
    await registry.kept(single(name="kept"))

    assert (await page(registry))["data"] == []


@pytest.mark.parametrize(("limit", "shown"), [(None, 20), (1, 1), (1000, 25)], ids=["default", "1", "1000"])
async def test_limit_is_the_maximum_to_return(registry: Registry, limit: int | None, shown: int) -> None:
    """ "limit integer default 20: Maximum agents to return. Range: 1-1000." """
    await many(registry, 25)

    assert len((await page(registry, **({} if limit is None else {"limit": limit})))["data"]) == shown


@pytest.mark.parametrize("limit", ["0", "1001", "abc", "-1"])
async def test_limit_has_a_range(registry: Registry, limit: str) -> None:
    """ "Range: 1-1000." """
    assert_invalid(await registry.http.get("/v1/agents", params={"limit": limit}), "query", "limit")


async def test_after_returns_agents_after_this_id(registry: Registry) -> None:
    """ "after: Cursor — return agents after this ID." """
    ids = await many(registry, 4)

    assert [row["id"] for row in (await page(registry, after=ids[1]))["data"]] == ids[2:]


async def test_before_returns_agents_before_this_id(registry: Registry) -> None:
    """ "before: Cursor — return agents before this ID." """
    ids = await many(registry, 4)

    assert [row["id"] for row in (await page(registry, before=ids[2]))["data"]] == ids[:2]


@pytest.mark.parametrize("order", ["asc", "desc"])
async def test_pages_of_one_show_every_agent_once_in_either_direction(registry: Registry, order: str) -> None:
    """ "order string default desc: Sort direction: asc or desc." """
    ids = await many(registry, 3)
    seen: list[str] = []
    query: dict[str, Any] = {"limit": 1, "order": order}
    for _ in ids:
        found = await page(registry, **query)
        seen += [row["id"] for row in found["data"]]
        query["after"] = seen[-1]

    assert seen == (ids if order == "desc" else ids[::-1])
    assert [row["id"] for row in (await page(registry))["data"]] == ids


async def test_there_is_no_other_order(registry: Registry) -> None:
    """ "Sort direction: asc or desc." """
    assert_invalid(await registry.http.get("/v1/agents?order=up"), "query", "order")


async def test_the_answer_of_the_documentation(registry: Registry) -> None:
    """ "Response: …" """
    row = await one(registry, example())
    listed = await page(registry)

    assert set(row) >= EXAMPLE_KEYS
    assert {"object": listed["object"], "has_more": listed["has_more"]} == {
        "object": "list",
        "has_more": False,
    }
    assert row["object"] == "agent"
    assert row["description"] == "Claude Code with web UI integration"
    assert row["mcp_servers"] == [
        {"name": "github", "transport": "stdio", "command": "uvx", "args": ["mcp-server-github"]}
    ]
    assert row["policies"] == [
        {
            "name": "block_long_sleep",
            "type": "function",
            "on": ["tool_call"],
            "description": "omnigent.policies.block_long_sleep",
        }
    ]
    assert row["terminals"] == ["shell"]
    assert isinstance(row["created_at"], int)


async def test_id_is_a_unique_agent_identifier(registry: Registry) -> None:
    """ "Unique agent identifier, e.g. ag_abc123." """
    ids = await many(registry, 5)

    assert len(set(ids)) == 5
    assert all(each.startswith("ag_") for each in ids)


async def test_name_is_human_readable(registry: Registry) -> None:
    """ "Human-readable agent name, e.g. claude-native-ui." """
    assert (await one(registry, example()))["name"] == "claude-native-ui"


async def test_version_starts_at_one_and_increments_on_each_update(registry: Registry) -> None:
    """ "Monotonic version counter. Starts at 1 and increments on each update." """
    versions = [(await one(registry, example()))["version"]]
    for number in range(2):
        await registry.run(register_builtin, files=example(params=f"{{n: {{default: {number}}}}}"))
        (row,) = (await page(registry))["data"]
        versions.append(row["version"])

    assert versions == [1, 2, 3]
    assert row["updated_at"] >= row["created_at"]


async def test_description_is_optional(registry: Registry) -> None:
    """ "Optional free-text description of the agent's purpose." """
    document = b"name: bare\nprompt: Help.\nexecutor: {harness: codex}\n"

    assert (await one(registry, {"bare.yaml": document}))["description"] is None


@pytest.mark.parametrize(
    ("executor", "shown"),
    [
        ("{type: omnigent, config: {harness: codex}}", "codex"),
        ("{type: omnigent, config: {harness: codex-native}}", "codex-native"),
        ("{type: omnigent, config: {harness: claude-native}}", "claude-native"),
        ("{type: claude_sdk}", "claude_sdk"),
        ("{type: agents_sdk}", "agents_sdk"),
    ],
    ids=lambda value: value if value[0] != "{" else "",
)
async def test_harness_is_the_agents_harness_kind(registry: Registry, executor: str, shown: str) -> None:
    """ "The agent's harness kind: codex, codex-native, claude-native, claude_sdk, agents_sdk, etc." """
    document = f"spec_version: 1\nname: helper\nexecutor: {executor}\n".encode()

    assert (await one(registry, {"config.yaml": document}))["harness"] == shown


async def test_harness_is_null_when_the_bundle_cannot_be_loaded(registry: Registry) -> None:
    """ "null when the bundle cannot be loaded." """
    await registry.run(make_agent, "lost")

    (row,) = (await page(registry))["data"]

    assert row["harness"] is None


async def test_mcp_servers_show_no_secrets(registry: Registry) -> None:
    """ "MCP servers the agent is connected to (secret fields omitted)." """
    row = await one(registry, example())

    assert "secret" not in str(row)
    assert "env" not in row["mcp_servers"][0]


async def test_an_mcp_server_has_name_and_transport_and_optionally_the_rest(registry: Registry) -> None:
    """ "Each entry has name, transport, and optionally url, command, args, description." """
    remote = b"name: remote\ntransport: http\nurl: https://example.org/mcp\ndescription: Afar\n"
    row = await one(registry, {**example(), "tools/mcp/remote.yaml": remote})

    local, far = row["mcp_servers"]
    assert set(local) == {"name", "transport", "command", "args"}
    assert far == {
        "name": "remote",
        "transport": "http",
        "url": "https://example.org/mcp",
        "description": "Afar",
    }


async def test_a_policy_has_name_type_phases_and_description(registry: Registry) -> None:
    """ "Guardrails policies declared on the agent. Each entry has name, type, on, and description." """
    guardrails = "{policies: {other: {type: function, handler: omnigent.policies.ask_on_os_tools}}}"
    row = await one(registry, example(guardrails=guardrails))

    assert {policy["name"] for policy in row["policies"]} == {"block_long_sleep", "other"}
    assert all(set(policy) == {"name", "type", "on", "description"} for policy in row["policies"])


async def test_a_skill_has_name_and_description(registry: Registry) -> None:
    """ "Skills bundled in the agent spec (skills/<name>/SKILL.md). Each entry has name and description." """
    (skill,) = (await one(registry, example()))["skills"]

    assert (skill["name"], skill["description"]) == (
        "triage-issues",
        "Triage open GitHub issues in the repo.",
    )


async def test_without_skills_and_terminals_the_lists_are_empty(registry: Registry) -> None:
    """ "Empty when the spec bundles no skills." "Empty when the spec declares no terminals." """
    row = await one(registry, {"bare.yaml": b"name: bare\nprompt: Help.\nexecutor: {harness: codex}\n"})

    assert (row["skills"], row["terminals"], row["mcp_servers"], row["policies"]) == ([], [], [], [])


async def test_terminals_are_the_names_of_the_specs_block(registry: Registry) -> None:
    """ "Terminal names declared in the spec's terminals: block, e.g. shell." """
    document = (
        b"name: bare\nprompt: Help.\nexecutor: {harness: codex}\nterminals: {shell: bash, logs: tail}\n"
    )

    assert (await one(registry, {"bare.yaml": document}))["terminals"] == ["shell", "logs"]


async def test_the_agents_yaml_policies_block_is_the_second_level(registry: Registry) -> None:
    """ "Agent spec policies — declared in the agent's YAML policies: block"."""
    row = await one(registry, example())
    session_id = await registry.session(row["id"])
    own = {"name": "mine", "type": "python", "handler": "omnigent.policies.ask_on_os_tools"}
    await registry.http.post("/v1/policies", json={**own, "name": "everywhere"})
    await registry.http.post(f"/v1/sessions/{session_id}/policies", json=own)

    chain = (await registry.http.get(f"/v1/sessions/{session_id}/policies/effective")).json()["data"]

    names = [policy["name"] for policy in chain]
    assert [name for name in names if name in ("mine", "block_long_sleep", "everywhere")] == [
        *("mine", "block_long_sleep", "everywhere")
    ]


async def test_nobody_unknown_sees_the_registry(olga: Registry) -> None:
    """ "Authorization: Bearer <token>" """
    del olga.http.headers["X-Forwarded-Email"]

    assert_error(await olga.http.get("/v1/agents"), 401, "unauthorized")


async def test_what_is_listed_is_what_a_runner_would_load(registry: Registry) -> None:
    """The list speaks of the bundle that sessions run."""
    row = await one(registry, example())
    session_id = await registry.session(row["id"])

    contents = await registry.http.get(f"/v1/sessions/{session_id}/agent/contents")

    spec = bundle.read(contents.content)
    assert (spec.name, spec.shown_harness, contents.headers["x-agent-id"]) == (
        row["name"],
        row["harness"],
        row["id"],
    )
