"""The MCP servers of a session's agent: seen by readers, changed by the owner, in both shapes of bundles."""

from typing import Any

import httpx
import pytest
import yaml

from tests.agents.registry import Registry, directory, single
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_bundled_agent

NOTES = {
    "name": "notes",
    "transport": "http",
    "url": "https://example.org/mcp",
    "headers": {"Authorization": "Bearer s3cret", "X-Team": "blue"},
    "timeout": 7,
    "retry": {"max_retries": 2},
    "auth": {"type": "databricks", "profile": "p"},
}
RUN = {"command": "uvx", "args": ["server"], "env": {"TOKEN": "s3cret"}, "tools": ["a"]}
HTTP = {"name": "notes", "transport": "http", "url": "https://example.org/2"}
STDIO = {"name": "tool", "transport": "stdio", "command": "run", "args": ["-x"], "description": "Runs"}


def in_directory() -> bytes:
    """Two servers in files of their own, one inside the document."""
    files = {
        "tools/mcp/first.yaml": yaml.safe_dump(NOTES).encode(),
        "skills/a/SKILL.md": b"---\nname: a\ndescription: b\n---\nText",
    }
    return directory(files, tools={"runner": {"type": "mcp", **RUN}, "timeout": 9}, params={"x": {}})


def in_single() -> bytes:
    """The same in one file."""
    notes = {key: value for key, value in NOTES.items() if key != "name"}
    tools = {"notes": {"type": "mcp", **notes}, "runner": {"type": "mcp", **RUN}, "timeout": 9}
    return single(tools=tools, params={"x": {}})


@pytest.fixture(params=[in_directory, in_single], ids=["directory", "single file"])
async def session_id(registry: Registry, request: pytest.FixtureRequest) -> str:
    return str((await registry.uploaded(request.param()))["id"])


def where(session_id: str, name: str = "") -> str:
    return f"/v1/sessions/{session_id}/agent/mcp-servers{f'/{name}' if name else ''}"


async def listed(registry: Registry, session_id: str) -> dict[str, dict[str, Any]]:
    answer = await registry.http.get(where(session_id))
    assert (answer.status_code, answer.json()["object"]) == (200, "list"), answer.text
    return {row["name"]: row for row in answer.json()["data"]}


async def raw(registry: Registry, session_id: str, name: str) -> dict[str, Any]:
    """A server as the stored bundle has it."""
    files = await registry.files(session_id)
    for path, content in files.items():
        data = yaml.safe_load(content) if path.endswith(".yaml") else {}
        if path.startswith("tools/mcp/") and data["name"] == name:
            return dict(data)
        if "/" not in path and name in data.get("tools", {}):
            return dict(data["tools"][name])
    raise AssertionError(f"no server {name} in {sorted(files)}")


async def put(registry: Registry, session_id: str, name: str, body: Any) -> httpx.Response:
    return await registry.http.put(where(session_id, name), json=body)


async def test_secrets_are_not_shown(registry: Registry, session_id: str) -> None:
    servers = await listed(registry, session_id)

    assert servers["notes"] == {
        "name": "notes",
        "transport": "http",
        "url": "https://example.org/mcp",
        "headers": {"Authorization": "[REDACTED]", "X-Team": "[REDACTED]"},
    }
    assert servers["runner"] == {
        "name": "runner",
        "transport": "stdio",
        "command": "uvx",
        "args": ["server"],
    }


async def test_one_more(registry: Registry, session_id: str) -> None:
    answer = await registry.http.post(where(session_id), json=STDIO)

    assert (answer.status_code, answer.json()) == (201, STDIO)
    assert (await listed(registry, session_id))["tool"] == STDIO
    assert (await registry.agent(session_id))["version"] == 2
    assert "session.agent_changed" in await registry.events(session_id)


async def test_a_new_server_lies_where_the_shape_has_it(registry: Registry, session_id: str) -> None:
    before = set(await registry.files(session_id))

    await registry.http.post(where(session_id), json=STDIO)

    added = set(await registry.files(session_id)) - before
    assert added == ({"tools/mcp/tool.yaml"} if "config.yaml" in before else set())


async def test_a_change_keeps_what_the_form_does_not_know(registry: Registry, session_id: str) -> None:
    answer = await put(registry, session_id, "notes", {**HTTP, "description": "Notes"})

    after = await raw(registry, session_id, "notes")
    assert answer.status_code == 200
    assert answer.json()["description"] == "Notes"
    assert after["url"] == "https://example.org/2"
    for key in ("headers", "timeout", "retry", "auth"):
        assert after[key] == NOTES[key]


async def test_the_rest_of_the_bundle_is_kept(registry: Registry, session_id: str) -> None:
    before = await registry.files(session_id)
    runner = await raw(registry, session_id, "runner")

    await put(registry, session_id, "notes", HTTP)

    after = await registry.files(session_id)
    document = next(path for path in before if "/" not in path)
    assert set(after) == set(before)
    assert yaml.safe_load(after[document])["params"] == {"x": {}}
    assert yaml.safe_load(after[document])["tools"]["timeout"] == 9
    assert await raw(registry, session_id, "runner") == runner
    for path in before:
        if path.startswith("skills/"):
            assert after[path] == before[path]


async def test_redacted_values_keep_what_is_stored(registry: Registry, session_id: str) -> None:
    headers = {"Authorization": "[REDACTED]", "X-New": "green"}

    await put(registry, session_id, "notes", {**HTTP, "headers": headers})

    assert (await raw(registry, session_id, "notes"))["headers"] == {
        "Authorization": "Bearer s3cret",
        "X-New": "green",
    }


async def test_a_redacted_value_that_is_not_stored_is_refused(registry: Registry, session_id: str) -> None:
    answer = await put(registry, session_id, "notes", {**HTTP, "headers": {"X-Other": "[REDACTED]"}})

    assert_invalid(answer, "body")
    assert (await registry.agent(session_id))["version"] == 1


async def test_another_transport_drops_what_it_has_no_use_for(registry: Registry, session_id: str) -> None:
    form = {"name": "runner", "transport": "http", "url": "https://example.org"}

    answer = await put(registry, session_id, "runner", form)

    after = await raw(registry, session_id, "runner")
    assert answer.json() == form
    assert {"command", "args", "env"}.isdisjoint(after)
    assert after["tools"] == ["a"]


async def test_a_server_gets_another_name(registry: Registry, session_id: str) -> None:
    await put(registry, session_id, "notes", {**HTTP, "name": "papers"})
    await put(
        registry, session_id, "runner", {"name": "walker", "transport": "stdio", "command": "uvx", "args": []}
    )

    assert set(await listed(registry, session_id)) == {"papers", "walker"}
    assert (await raw(registry, session_id, "papers"))["headers"] == NOTES["headers"]
    assert (await raw(registry, session_id, "walker"))["env"] == RUN["env"]


async def test_a_name_is_used_once(registry: Registry, session_id: str) -> None:
    for answer in (
        await registry.http.post(where(session_id), json={**STDIO, "name": "notes"}),
        await put(registry, session_id, "notes", {**HTTP, "name": "runner"}),
    ):
        assert_error(answer, 409, "already_exists")
    assert (await registry.agent(session_id))["version"] == 1


async def test_a_server_is_taken_away(registry: Registry, session_id: str) -> None:
    for name in ("notes", "runner"):
        answer = await registry.http.delete(where(session_id, name))
        assert (answer.status_code, answer.content) == (204, b"")

    assert await listed(registry, session_id) == {}
    assert (await registry.agent(session_id))["version"] == 3


async def test_what_is_not_there_is_not_found(registry: Registry, session_id: str) -> None:
    for answer in (
        await registry.http.delete(where(session_id, "other")),
        await put(registry, session_id, "other", {**HTTP, "name": "other"}),
    ):
        assert_error(answer, 404, "not_found")


@pytest.mark.parametrize(
    ("form", "place"),
    [
        ({**STDIO, "name": ".."}, "name"),
        ({**STDIO, "name": "a/b"}, "name"),
        ({**STDIO, "name": "x" * 129}, "name"),
        ({**STDIO, "transport": "sse"}, "transport"),
        ({**STDIO, "description": "x" * 513}, "description"),
        ({**STDIO, "args": ["x"] * 65}, "args"),
        ({**STDIO, "url": "https://a.org"}, ""),
        ({**HTTP, "command": "x"}, ""),
        ({**HTTP, "url": None}, ""),
        ({**HTTP, "url": "ftp://a.org"}, "url"),
        ({**HTTP, "url": "https://user:pass@a.org"}, "url"),
        ({**HTTP, "headers": {"A": "x\r\nB: y"}}, "headers"),
        ({**HTTP, "surprise": 1}, "surprise"),
        ({**STDIO, "name": "timeout"}, ""),
    ],
    ids=[
        *("dots", "slash", "long name", "transport", "long description", "many args", "url of a program"),
        *("command of a url", "no url", "scheme", "password", "line break", "unknown key", "reserved"),
    ],
)
async def test_bad_forms_are_refused(registry: Registry, form: dict[str, Any], place: str) -> None:
    made = await registry.uploaded(directory(tools={"timeout": 9}))

    answer = await registry.http.post(where(made["id"]), json=form)

    assert_invalid(answer, "body", *([place] if place else []))


async def test_registry_servers_stand_in_the_document(registry: Registry) -> None:
    made = await registry.uploaded(directory())

    answer = await registry.http.post(where(made["id"]), json={"name": "found", "transport": "registry"})

    assert answer.json() == {"name": "found", "transport": "registry"}
    assert set(await registry.files(made["id"])) == {"config.yaml"}


async def test_the_operators_agents_are_read_only(registry: Registry) -> None:
    agent = await registry.run(make_bundled_agent)
    session_id = await registry.session(agent.public_id)

    assert await listed(registry, session_id) == {}
    assert_error(await registry.http.post(where(session_id), json=STDIO), 400, "invalid_input")
    assert_error(await registry.http.delete(where(session_id, "a")), 400, "invalid_input")


async def test_a_repeated_request_is_answered_as_before(registry: Registry) -> None:
    made = await registry.uploaded(directory())
    key = {"Idempotency-Key": "k"}
    first = await registry.http.post(where(made["id"]), json=STDIO, headers=key)

    again = await registry.http.post(where(made["id"]), json=STDIO, headers=key)

    assert (again.status_code, again.content) == (201, first.content)


async def test_programs_are_for_the_only_user_of_a_server(olga: Registry) -> None:
    made = await olga.uploaded(directory())

    assert_error(await olga.http.post(where(made["id"]), json=STDIO), 403, "forbidden")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.0.0.8", "169.254.169.254", "[::1]", "[fd00::1]", "localhost", "2130706433", "0x7f.1"],
)
async def test_servers_many_share_reach_public_addresses_only(olga: Registry, host: str) -> None:
    made = await olga.uploaded(directory())

    answer = await olga.http.post(where(made["id"]), json={**HTTP, "url": f"http://{host}:8000/mcp"})

    assert_error(answer, 403, "forbidden")
    assert (await olga.agent(made["id"]))["version"] == 1


async def test_a_public_address_is_taken(olga: Registry) -> None:
    made = await olga.uploaded(directory())

    answer = await olga.http.post(where(made["id"]), json={**HTTP, "url": "https://1.1.1.1/mcp"})

    assert answer.status_code == 201, answer.text


async def test_a_name_without_an_address_is_refused(olga: Registry) -> None:
    made = await olga.uploaded(directory())

    answer = await olga.http.post(where(made["id"]), json={**HTTP, "url": "https://nowhere.invalid/mcp"})

    assert_invalid(answer, "body", "url")


async def test_the_configuration_obeys_the_same_rules(olga: Registry) -> None:
    agent_id = (await olga.kept(directory()))["id"]

    for server in (STDIO, {**HTTP, "url": "http://127.0.0.1/"}):
        body = {"mcp_servers": [server]}
        answer = await olga.http.patch(f"/v1/agents/{agent_id}", json=body, headers={"If-Match": "*"})
        assert_error(answer, 403, "forbidden")
