"""GET /v1/agents and GET /v1/agents/{id}."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from agents_app.models import Agent
from agents_app.services import register_builtin
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_agent

URL = "/v1/agents"

DOCUMENT = b"""
name: claude-native-ui
description: Claude Code with web UI integration
prompt: Help.
executor:
  harness: claude-native
tools:
  github:
    type: mcp
    command: uvx
    args: [mcp-server-github]
    env: {TOKEN: secret}
terminals:
  shell: {}
policies:
  block_long_sleep:
    type: function
    handler: omnigent.policies.block_long_sleep
    on: [tool_call]
"""


@pytest.fixture
def ids(db: None) -> list[str]:
    """Seven agents, several in one second, newest first."""
    now = timezone.now().replace(microsecond=0)
    made = [make_agent(f"a{number}", created_at=now + timedelta(seconds=number // 3)) for number in range(7)]
    return [agent.public_id for agent in reversed(made)]


def test_the_object_of_the_documentation(reader: Client) -> None:
    agent = register_builtin(files={"agent.yaml": DOCUMENT})

    (shown,) = reader.get(URL).json()["data"]

    assert shown == {
        "id": agent.public_id,
        "object": "agent",
        "name": "claude-native-ui",
        "version": 1,
        "description": "Claude Code with web UI integration",
        "harness": "claude-native",
        "created_at": int(agent.created_at.timestamp()),
        "updated_at": None,
        "mcp_servers": [
            {"name": "github", "transport": "stdio", "command": "uvx", "args": ["mcp-server-github"]}
        ],
        "policies": [
            {
                "name": "block_long_sleep",
                "type": "function",
                "on": ["tool_call"],
                "description": "omnigent.policies.block_long_sleep",
            }
        ],
        "skills": [],
        "terminals": ["shell"],
        "builtin": True,
        "mcp_servers_editable": False,
        "mcp_registry_editable": False,
    }


@pytest.mark.parametrize("limit", [1, 2, 7, 1000])
@pytest.mark.parametrize("order", ["asc", "desc"])
def test_ties_walk_without_loss_or_repeat(reader: Client, ids: list[str], limit: int, order: str) -> None:
    seen: list[str] = []
    query: dict[str, str] = {"limit": str(limit), "order": order}
    while True:
        page = reader.get(URL, query).json()
        seen += [agent["id"] for agent in page["data"]]
        if not page["has_more"]:
            break
        query["after"] = page["last_id"]

    assert seen == (ids if order == "desc" else ids[::-1])


def test_before_and_after_intersect(reader: Client, ids: list[str]) -> None:
    page = reader.get(URL, {"after": ids[1], "before": ids[5]}).json()

    assert [agent["id"] for agent in page["data"]] == ids[2:5]


def test_session_scoped_agents_are_not_listed(reader: Client) -> None:
    make_agent("private", is_builtin=False, created_by="local")

    assert reader.get(URL).json()["data"] == []


@pytest.mark.parametrize(
    ("name", "value"), [("limit", "0"), ("limit", "1001"), ("limit", "abc"), ("order", "x")]
)
def test_bad_parameters_are_named(reader: Client, name: str, value: str) -> None:
    assert_invalid(reader.get(URL, {name: value}), "query", name)


def test_cursors_are_checked(reader: Client, ids: list[str]) -> None:
    assert_error(reader.get(URL, {"after": "ag_gone"}), 400, "stale_cursor")
    assert_error(reader.get(URL, {"after": "no id"}), 404, "not_found", "Not found.")


def test_one_agent(reader: Client) -> None:
    builtin = make_agent("builtin")
    own = make_agent("own", is_builtin=False, created_by="local")
    foreign = make_agent("foreign", is_builtin=False, created_by="somebody")

    assert reader.get(f"{URL}/{builtin.public_id}").json()["user_owned"] is False
    assert reader.get(f"{URL}/{builtin.public_id.removeprefix('ag_')}").json()["id"] == builtin.public_id
    assert reader.get(f"{URL}/{own.public_id}").json()["user_owned"] is True
    for missing in (foreign.public_id, "ag_none", "no id"):
        assert_error(reader.get(f"{URL}/{missing}"), 404, "not_found")


def test_an_agent_that_cannot_be_loaded_does_not_break_the_list(reader: Client) -> None:
    Agent.objects.create(name="broken", harness=None, digest="x", is_builtin=True, created_at=timezone.now())

    (shown,) = reader.get(URL).json()["data"]

    assert (shown["harness"], shown["mcp_servers"], shown["skills"], shown["terminals"]) == (None, [], [], [])
