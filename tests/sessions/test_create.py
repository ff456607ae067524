"""POST /v1/sessions with JSON, without a host."""

from typing import Any

import httpx
import pytest

from agents_app.models import Agent
from sessions_app.models import Grant, Item, Session, SessionLabel
from sessions_app.process import Process
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_agent, make_runner, make_session

URL = "/v1/sessions"


@pytest.fixture
async def agent(process: Process) -> Agent:
    return await process.pool.run(make_agent, "helper", model="m-1", details={"context_window": 1000})


async def count(process: Process) -> int:
    return await process.pool.run(Session.objects.count)


async def test_the_answer_is_the_snapshot(http: httpx.AsyncClient, agent: Agent) -> None:
    answer = await http.post(URL, json={"agent_id": agent.public_id, "title": " debugging auth flow "})

    snapshot = answer.json()
    assert answer.status_code == 201
    assert snapshot == (await http.get(f"{URL}/{snapshot['id']}")).json()
    assert snapshot["id"].startswith("conv_")
    assert (snapshot["status"], snapshot["title"]) == ("idle", "debugging auth flow")
    assert (snapshot["agent_id"], snapshot["agent_name"]) == (agent.public_id, "helper")
    assert (snapshot["items"], snapshot["context_window"]) == ([], 1000)


async def test_everything_asked_for_is_stored(
    http: httpx.AsyncClient, agent: Agent, process: Process
) -> None:
    asked = {
        "agent_id": agent.public_id.removeprefix("ag_"),
        "labels": {"env": "prod", "omnigent.pinned": "1"},
        "reasoning_effort": "high",
        "model_override": "claude-opus-4-7",
        "harness_override": "anthropic",
        "terminal_launch_args": ["-v"],
        "something_unknown": {"is": "ignored"},
    }

    snapshot = (await http.post(URL, json=asked)).json()

    assert snapshot["labels"] == {"env": "prod", "omnigent.pinned": "1"}
    assert (snapshot["reasoning_effort"], snapshot["model_override"]) == ("high", "claude-opus-4-7")
    assert (snapshot["harness"], snapshot["terminal_launch_args"]) == ("anthropic", ["-v"])
    grants = await process.pool.run(lambda: list(Grant.objects.values_list("user_id", "level")))
    assert grants == [("local", 4)]


@pytest.mark.parametrize("effort", ["default", "off", "reset"])
async def test_clearing_words_leave_the_effort_unset(
    http: httpx.AsyncClient, agent: Agent, effort: str
) -> None:
    answer = await http.post(URL, json={"agent_id": agent.public_id, "reasoning_effort": effort})

    assert answer.json()["reasoning_effort"] is None


async def test_initial_items_are_stored_and_start_nothing(
    http: httpx.AsyncClient, agent: Agent, process: Process
) -> None:
    hello = {"type": "message", "data": {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}}

    snapshot = (await http.post(URL, json={"agent_id": agent.public_id, "initial_items": [hello]})).json()

    (item,) = snapshot["items"]
    assert (item["type"], item["response_id"], item["data"]["role"]) == ("message", "seed", "user")
    assert (snapshot["status"], snapshot["title"]) == ("idle", None)
    assert await process.pool.run(lambda: Item.objects.get().position) == 1


@pytest.mark.parametrize(
    "item",
    [
        {"type": "nonsense", "data": {}},
        {"type": "message", "data": {"role": "robot", "content": []}},
        {"type": "message", "data": {"role": "user", "content": "text"}},
        {"type": "function_call", "data": {"name": "x"}},
    ],
)
async def test_a_bad_initial_item_leaves_nothing_behind(
    http: httpx.AsyncClient, agent: Agent, process: Process, item: dict[str, Any]
) -> None:
    good = {"type": "message", "data": {"role": "user", "content": []}}

    answer = await http.post(URL, json={"agent_id": agent.public_id, "initial_items": [good, item]})

    assert_error(answer, 400, "invalid_input")
    assert await count(process) == 0


async def test_an_unknown_agent_is_not_found(http: httpx.AsyncClient) -> None:
    answer = await http.post(URL, json={"agent_id": "ag_missing"})

    assert_error(answer, 404, "not_found", "Agent not found: 'ag_missing'")


async def test_another_persons_agent_is_not_found(http: httpx.AsyncClient, process: Process) -> None:
    other = await process.pool.run(make_agent, "private", is_builtin=False, created_by="somebody")

    answer = await http.post(URL, json={"agent_id": other.public_id})

    assert_error(answer, 404, "not_found", f"Agent not found: '{other.public_id}'")


@pytest.mark.parametrize(
    ("extra", "loc", "kind"),
    [
        ({"title": "x" * 201}, "title", "string_too_long"),
        ({"title": 5}, "title", "string_type"),
        ({"labels": []}, "labels", "dict_type"),
        ({"labels": {"a": 1}}, "labels", "string_type"),
        ({"labels": {"a": None}}, "labels", "string_type"),
        ({"labels": {"k" * 257: "v"}}, "labels", "string_too_long"),
        ({"reasoning_effort": 3}, "reasoning_effort", "string_type"),
        ({"workspace": "/" + "x" * 4096}, "workspace", "string_too_long"),
        ({"git": {}, "host_id": "h"}, "git", "missing"),
        ({"initial_items": {}}, "initial_items", "list_type"),
        ({"initial_items": [{"data": {}}]}, "initial_items", "missing"),
        ({"terminal_launch_args": ["x"] * 257}, "terminal_launch_args", "too_long"),
        ({"terminal_launch_args": ["x" * 4097]}, "terminal_launch_args", "string_too_long"),
        ({"title": "a\0b"}, "title", "value_error"),
        ({"labels": {"a\0": "b"}}, "labels", "value_error"),
        ({"sub_agent_name": "x" * 257}, "sub_agent_name", "string_too_long"),
    ],
)
async def test_bad_fields_are_named(
    http: httpx.AsyncClient, agent: Agent, process: Process, extra: dict[str, Any], loc: str, kind: str
) -> None:
    answer = await http.post(URL, json={"agent_id": agent.public_id, **extra})

    assert_invalid(answer, "body", loc, kind=kind)
    assert await count(process) == 0


async def test_git_needs_a_host(http: httpx.AsyncClient, agent: Agent) -> None:
    answer = await http.post(URL, json={"agent_id": agent.public_id, "git": {"branch_name": "b"}})

    assert_invalid(answer, "body", kind="value_error")


@pytest.mark.parametrize("agent_id", [5, None, [], {}])
async def test_the_agent_id_is_text(http: httpx.AsyncClient, agent_id: object) -> None:
    assert_invalid(await http.post(URL, json={"agent_id": agent_id}), "body", "agent_id", kind="string_type")


@pytest.mark.parametrize(
    ("extra", "code", "status"),
    [
        ({"reasoning_effort": "huge"}, "invalid_input", 400),
        ({"model_override": "-x"}, "invalid_input", 400),
        ({"model_override": "a b"}, "invalid_input", 400),
        ({"harness_override": "no-such-harness"}, "invalid_input", 400),
        ({"labels": {"omnigent.turn_actor": "me"}}, "invalid_input", 400),
        ({"labels": {"omnigent.sandbox.x": "me"}}, "invalid_input", 400),
        ({"labels": {"omnigent.archived_at": "1"}}, "invalid_input", 400),
        ({"labels": {"omnigent.pinned.bob": "1"}}, "invalid_input", 400),
        ({"labels": {"cost_control.limit": "1"}}, "forbidden", 403),
        ({"project_id": "proj_x"}, "not_found", 404),
        ({"parent_session_id": "conv_" + "0" * 32}, "not_found", 404),
        ({"host_id": "host_missing", "workspace": "/w"}, "not_found", 404),
    ],
)
async def test_refusals_store_nothing(
    http: httpx.AsyncClient, agent: Agent, process: Process, extra: dict[str, Any], code: str, status: int
) -> None:
    answer = await http.post(URL, json={"agent_id": agent.public_id, **extra})

    assert_error(answer, status, code)
    assert await count(process) == 0


async def test_efforts_are_listed_in_the_refusal(http: httpx.AsyncClient, agent: Agent) -> None:
    answer = await http.post(URL, json={"agent_id": agent.public_id, "reasoning_effort": "huge"})

    assert "none, minimal, low, medium, high, xhigh, max, ultra" in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "missing"),
        (b"[]", "model_attributes_type"),
        (b"5", "model_attributes_type"),
        (b"{", "json_invalid"),
    ],
)
async def test_a_body_must_be_an_object(http: httpx.AsyncClient, body: bytes, kind: str) -> None:
    answer = await http.post(URL, content=body, headers={"content-type": "application/json"})

    assert_invalid(answer, "body", kind=kind)


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_other_content_types_are_refused(http: httpx.AsyncClient, content_type: str) -> None:
    answer = await http.post(URL, content=b"{}", headers={"content-type": content_type})

    body = assert_error(answer, 415, "invalid_input")
    assert isinstance(body["detail"], str)


async def test_json_types_with_a_suffix_are_welcome(http: httpx.AsyncClient, agent: Agent) -> None:
    content = b'{"agent_id":"' + agent.public_id.encode() + b'"}'

    answer = await http.post(
        URL, content=content, headers={"content-type": "application/vnd.x+json; charset=utf-8"}
    )

    assert answer.status_code == 201


async def test_a_child_inherits_from_its_parent(http: httpx.AsyncClient, process: Process) -> None:
    runner = await process.pool.run(make_runner)
    parent = await process.pool.run(
        make_session, runner_id=runner.public_id, host_id="h", workspace="/w", title="top"
    )
    asked = {
        "agent_id": parent.agent.public_id,
        "parent_session_id": parent.public_id,
        "sub_agent_name": "researcher",
        "title": "researcher:auth",
        "labels": {"cost_control.limit": "1"},
    }

    answer = await http.post(URL, json=asked, headers={"X-Omnigent-Runner-Tunnel-Token": "secret"})

    child = answer.json()
    assert answer.status_code == 201
    assert (child["kind"], child["parent_session_id"]) == ("sub_agent", parent.public_id)
    assert child["root_conversation_id"] == parent.public_id
    assert (child["runner_id"], child["host_id"], child["workspace"]) == (runner.public_id, "h", "/w")
    again = await http.post(URL, json=asked, headers={"X-Omnigent-Runner-Tunnel-Token": "secret"})
    assert_error(again, 409, "conflict")


async def test_a_runner_may_not_open_a_child_elsewhere(http: httpx.AsyncClient, process: Process) -> None:
    parent = await process.pool.run(make_session, runner_id="runner_other")
    asked = {"agent_id": parent.agent.public_id, "parent_session_id": parent.public_id, "title": "a:b"}

    answer = await http.post(URL, json=asked, headers={"X-Omnigent-Runner-Tunnel-Token": "secret"})

    assert_error(answer, 404, "not_found", "Session not found")


async def test_a_new_session_is_listed_first(http: httpx.AsyncClient, process: Process) -> None:
    old = await process.pool.run(make_session)

    new = (await http.post(URL, json={"agent_id": old.agent.public_id})).json()["id"]

    assert [row["id"] for row in (await http.get(URL)).json()["data"]] == [new, old.public_id]


async def test_labels_are_rows(http: httpx.AsyncClient, agent: Agent, process: Process) -> None:
    await http.post(URL, json={"agent_id": agent.public_id, "labels": {"a": "1", "b": ""}})

    rows = await process.pool.run(lambda: dict(SessionLabel.objects.values_list("key", "value")))
    assert rows == {"a": "1", "b": ""}
