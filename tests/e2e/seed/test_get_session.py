"""GET /v1/sessions/{session_id} and its lists, sentence by sentence of the published documentation."""

import pytest

from tests.e2e.api import Api
from tests.e2e.stack import Stack


@pytest.fixture
def talked(stack: Stack) -> str:
    """A session with a runner and one finished turn."""
    session_id = str(stack.api.create(labels={"env": "prod"}, title="Debug auth flow")["id"])
    stream = stack.stream(session_id)
    stack.api.message(session_id, "Run the shell command: echo hi")
    stream.wait_settled()
    return session_id


def test_returns_the_full_snapshot(api: Api, talked: str) -> None:
    shown = api.snapshot(talked)

    assert (shown["id"], shown["agent_id"], shown["agent_name"]) == (talked, api.agent_id(), "scripted")
    assert shown["status"] in ("idle", "running", "waiting", "failed")
    assert isinstance(shown["created_at"], int)
    assert (shown["title"], shown["labels"]) == ("Debug auth flow", {"env": "prod"})
    assert shown["runner_id"].startswith("runner_")
    assert shown["runner_online"] is True


def test_runner_id_is_null_without_a_runner(api: Api) -> None:
    made = api.http.post("/v1/sessions", json={"agent_id": api.agent_id()}).json()

    assert (made["runner_id"], made["runner_online"]) == (None, False)


def test_items_are_committed_and_in_chronological_order(api: Api, talked: str) -> None:
    items = api.snapshot(talked)["items"]

    assert [item["type"] for item in items] == ["message", "function_call", "function_call_output", "message"]
    assert [item["id"] for item in items] == [item["id"] for item in api.items(talked)]


def test_include_items_false_skips_the_items(api: Api, talked: str) -> None:
    assert api.snapshot(talked, include_items="false")["items"] == []


def test_include_liveness_false_returns_those_fields_as_null(api: Api, talked: str) -> None:
    shown = api.snapshot(talked, include_liveness="false")

    assert (shown["runner_online"], shown["host_online"]) == (None, None)


def test_list_items_pages_by_after_and_order(api: Api, talked: str) -> None:
    url = f"/v1/sessions/{talked}/items"
    whole = api.get(url)
    first = api.get(url, limit=1)
    rest = api.get(url, after=first["last_id"])
    backwards = api.get(url, order="desc")

    assert (first["has_more"], whole["has_more"]) == (True, False)
    assert first["data"] + rest["data"] == whole["data"]
    assert backwards["data"] == whole["data"][::-1]
    assert [api.http.get(url, params={"limit": limit}).status_code for limit in (1, 1000, 0, 1001)] == [
        200,
        200,
        422,
        422,
    ]


def test_list_child_sessions_shows_sub_agents_of_this_parent(api: Api, talked: str) -> None:
    children = []
    for name in ("one", "two"):
        body = {"agent_id": api.agent_id(), "parent_session_id": talked, "title": f"researcher:{name}"}
        children.append(api.http.post("/v1/sessions", json=body).json()["id"])
    url = f"/v1/sessions/{talked}/child_sessions"

    page = api.get(url)
    first = api.get(url, limit=1, order="asc")

    assert [row["id"] for row in page["data"]] == children[::-1]
    assert [row["id"] for row in first["data"]] == children[:1]
    assert [row["id"] for row in api.get(url, after=first["last_id"], order="asc")["data"]] == children[1:]
