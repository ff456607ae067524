"""What an agent can do about sessions and agents, on a real runner: each tool once, and what comes of it."""

import io
import tarfile
import uuid
from pathlib import Path

import httpx
import pytest

from tests.e2e import families
from tests.e2e.api import texts
from tests.e2e.conftest import SINGLE
from tests.e2e.lead import SECONDS, call, decline, outputs, question, session, told
from tests.e2e.stack import Stack

ASKING = {
    "name": "asks before work",
    "type": "python",
    "handler": "omnigent.policies.builtins.cel.cel_policy",
    "factory_params": {
        "expression": "event.type == 'request' ? {'result': 'ASK', 'reason': 'May it?'} : {}",
    },
}

# The tools are the runner's; what they ask of the server is tested on every database.
pytestmark = pytest.mark.parametrize("flavour", [SINGLE], indirect=True)


@pytest.fixture
def lead(stack: Stack) -> str:
    """A session whose agent has all of these tools."""
    return session(stack)


def test_a_session_with_a_registered_agent_is_created_and_comes_back(stack: Stack, lead: str) -> None:
    agent_id = stack.api.agent_id()

    handle = told(
        stack,
        lead,
        "sys_session_create",
        agent_id=agent_id,
        title="aside",
        message="Run the shell command: echo made",
    )
    [given] = families.wait_results(stack, lead, 1)

    assert (handle["title"], handle["status"]) == ("aside", "launching")
    made = stack.api.snapshot(handle["conversation_id"])
    assert (made["agent_id"], made["parent_session_id"]) == (agent_id, lead)
    assert given["conversation_id"] == made["id"]
    assert given["status"] == "completed"
    assert "made" in given["result"]


@pytest.mark.parametrize("path", ["{name}", "{name}/config.yaml"], ids=["directory", "file"])
def test_a_session_with_an_agent_of_the_workspace_is_created(stack: Stack, lead: str, path: str) -> None:
    name = f"agent_{uuid.uuid4().hex[:8]}"
    document = f"name: {name}\nprompt: p\nexecutor: {{harness: scripted}}\nos_env: {{type: caller_process}}\n"
    written = call(stack, lead, "sys_os_write", path=f"{name}/config.yaml", content=document)
    assert not written.startswith("Error"), written

    named = path.format(name=name)
    handle = told(
        stack, lead, "sys_session_create", config_path=named, message="Run the shell command: echo own"
    )
    [given] = families.wait_results(stack, lead, 1)

    assert "own" in given["result"]
    assert stack.api.snapshot(handle["conversation_id"])["agent_name"] == name
    left = call(stack, lead, "sys_session_create", config_path=f"{name}/none")
    assert left.startswith("Error:")


def test_a_session_that_was_created_without_a_message_waits_for_one_and_is_closed(
    stack: Stack, lead: str
) -> None:
    handle = told(stack, lead, "sys_session_create", agent_id=stack.api.agent_id(), title="later")
    child_id = handle["conversation_id"]
    assert handle["status"] == "created"
    told(stack, lead, "sys_session_send", session_id=child_id, args="Run the shell command: echo later")
    [given] = families.wait_results(stack, lead, 1)
    assert "later" in given["result"]

    closed = told(stack, lead, "sys_session_close", conversation_id=child_id)

    assert closed == {"conversation_id": child_id, "closed": True}
    assert call(stack, lead, "sys_session_send", session_id=child_id, args="again").startswith("Error:")
    assert call(stack, lead, "sys_session_close", conversation_id=lead).startswith("Error:")


def test_a_sub_agent_is_given_files_of_its_parent(stack: Stack, lead: str) -> None:
    uploaded = stack.api.http.post(
        f"/v1/sessions/{lead}/resources/files", files={"file": ("plan.txt", b"the plan", "text/plain")}
    ).json()
    task = {"input": "Run the shell command: echo seen", "file_ids": [uploaded["id"]]}

    handle = told(stack, lead, "sys_session_send", agent="helper", title="files", args=task)
    families.wait_results(stack, lead, 1)

    child_id = handle["conversation_id"]
    asked = next(item for item in stack.api.items(child_id) if item.get("role") == "user")
    [block] = [one for one in asked["content"] if one["type"] == "input_file"]
    assert block["file_id"] != uploaded["id"]
    content = stack.api.http.get(f"/v1/sessions/{child_id}/resources/files/{block['file_id']}/content")
    assert content.content == b"the plan"
    unknown = {"input": "x", "file_ids": ["file_" + "0" * 32]}
    refused = call(stack, lead, "sys_session_send", agent="helper", title="files", args=unknown)
    assert refused.startswith("Error:")


def test_an_agent_looks_at_sessions_and_names_its_own(stack: Stack, lead: str) -> None:
    handle = told(stack, lead, "sys_session_send", agent="helper", title="look", args="Count to 3")
    families.wait_results(stack, lead, 1)
    child_id = handle["conversation_id"]

    listed = told(stack, lead, "sys_session_list", limit=1)
    more = told(stack, lead, "sys_session_list", limit=50, cursor=listed["next_cursor"])
    own = told(stack, lead, "sys_session_get_info")
    child = told(stack, lead, "sys_session_get_info", session_id=child_id)
    history = told(
        stack, lead, "sys_session_get_history", conversation_id=child_id, tail_items=2, content_max_chars=3
    )
    renamed = told(stack, lead, "sys_session_rename", title="A  good\nname")
    foreign = stack.api.create()["id"]

    found = [one["id"] for one in (*listed["sessions"], *more["sessions"])]
    assert found == [child_id, lead]
    assert (own["id"], own["agent_name"]) == (lead, "lead")
    assert (child["parent_session_id"], child["sub_agent_name"]) == (lead, "helper")
    assert [(one["role"], one["content"]) for one in history["items"]] == [
        ("user", "Cou"),
        ("assistant", "1 2"),
    ]
    assert history["items"][0]["chars"] == len("Count to 3")
    assert stack.api.snapshot(lead)["title"] == renamed["title"] == "A good name"
    for tool, argument in (("sys_session_get_info", "session_id"), ("sys_agent_get", "session_id")):
        assert call(stack, lead, tool, **{argument: foreign}).startswith("Error: HTTP 404")


def test_an_agent_looks_at_agents_and_models(stack: Stack, lead: str) -> None:
    name = f"{uuid.uuid4().hex[:8]}.tar.gz"

    listed = told(stack, lead, "sys_agent_list", limit=100)
    shown = told(stack, lead, "sys_agent_get", session_id=lead)
    saved = told(stack, lead, "sys_agent_download", session_id=lead, dest_filename=name)
    models = told(stack, lead, "sys_list_models")
    outside = call(stack, lead, "sys_agent_download", session_id=lead, dest_filename="../../outside.tar.gz")

    assert stack.api.agent_id() in {agent["id"] for agent in listed["agents"]}
    assert (shown["name"], shown["description"]) == ("lead", "Leads others.")
    path = Path(stack.api.snapshot(lead)["workspace"] or stack.home) / saved["path"]
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as archive:
        assert {"config.yaml", "agents/helper/config.yaml"} <= set(archive.getnames())
    assert path.stat().st_size == saved["bytes"]
    assert {"harness": "scripted", "model": "scripted"} in models["models"]
    assert outside.startswith("Error:")


def test_a_task_is_cancelled_and_the_parent_is_told(stack: Stack, lead: str) -> None:
    handle = told(stack, lead, "sys_session_send", agent="helper", title="long", args="Think for 300 seconds")
    families.wait_child(stack, lead, "helper")
    stack.api.wait_status(lead, "waiting", seconds=SECONDS)

    cancelled = told(stack, lead, "sys_cancel_task", task_id=handle["task_id"])
    [given] = families.wait_results(stack, lead, 1)

    assert cancelled == {"task_id": handle["task_id"], "cancelled": True}
    assert given["status"] == "cancelled"
    assert call(stack, lead, "sys_cancel_task", task_id=lead).startswith("Error:")


def test_a_sub_agent_over_its_budget_is_stopped_and_the_parent_is_told(stack: Stack, lead: str) -> None:
    task = {
        "input": "Think for 3 seconds\nRun the shell command: echo over",
        "cost_budget": {"max_cost_usd": 0.5},
    }
    handle = told(stack, lead, "sys_session_send", agent="helper", title="dear", args=task)
    child_id = handle["conversation_id"]
    usage = {"type": "external_session_usage", "data": {"cumulative_cost_usd": 0.75}}
    assert stack.api.post(child_id, usage).status_code == httpx.codes.ACCEPTED

    asked = question(stack, lead)
    decline(stack, asked, child_id)
    [given] = families.wait_results(stack, lead, 1)

    assert "$0.75 of its limit of $0.50" in asked["params"]["message"]
    assert given["status"] == "cancelled"
    assert "over" not in "".join(outputs(stack, child_id, "sys_os_shell"))


def test_a_task_that_is_denied_after_a_question_fails_for_its_parent(stack: Stack, lead: str) -> None:
    first = told(stack, lead, "sys_session_send", agent="helper", title="held", args="Count to 2")
    families.wait_results(stack, lead, 1)
    child_id = first["conversation_id"]
    added = stack.api.http.post(f"/v1/sessions/{child_id}/policies", json=ASKING)
    assert added.status_code == httpx.codes.OK, added.text

    stack.api.message(
        lead, 'Call sys_session_send with {"agent": "helper", "title": "held", "args": "Count to 9"}'
    )
    decline(stack, question(stack, lead), child_id)
    given = families.wait_results(stack, lead, 2)

    assert given[1]["status"] == "failed"
    assert "Denied by policy" in given[1]["result"]
    assert "Count to 9" not in texts(stack.api.items(child_id), "user")


def test_no_more_sub_agents_work_at_once_than_allowed(stack: Stack, lead: str) -> None:
    told(stack, lead, "sys_session_send", agent="only", title="one", args="Think for 300 seconds")
    busy = families.wait_child(stack, lead, "only")

    refused = call(stack, lead, "sys_session_send", agent="only", title="two", args="Count to 2")
    stack.api.interrupt(busy)
    families.wait_results(stack, lead, 1)
    told(stack, lead, "sys_session_send", agent="only", title="two", args="Count to 2")
    given = families.wait_results(stack, lead, 2)

    assert "at most 1" in refused
    assert [one["status"] for one in given] == ["cancelled", "completed"]


def test_a_sub_agent_that_is_called_as_a_tool_knows_what_was_said(stack: Stack, lead: str) -> None:
    stack.api.message(lead, "Count to 2")
    stack.api.wait_status(lead, "idle", seconds=SECONDS)

    answered = call(stack, lead, "aware", input="Summarise the conversation so far")

    assert answered.startswith("3 messages:\n- user: Count to 2\n- assistant: 1 2\n- user: Call aware with")
    assert families.wakes(stack, lead) == []


def test_an_agent_shares_its_session_as_its_specification_allows(stack: Stack, lead: str) -> None:
    person = told(stack, lead, "sys_session_share", user_id="paula", level="edit")
    everybody = told(stack, lead, "sys_session_share", user_id="__public__")
    too_much = call(stack, lead, "sys_session_share", user_id="__public__", level="edit")
    less = call(stack, lead, "sys_session_share", user_id="paula", level="read")
    foreign = call(stack, lead, "sys_session_share", user_id="paula", session_id=stack.api.create()["id"])

    assert (person["level"], everybody["level"]) == (2, 1)
    assert too_much.startswith("Error: HTTP 403")
    assert less.startswith("Error: HTTP 403")
    assert foreign.startswith("Error: HTTP 404")
    grants = stack.api.get(f"/v1/sessions/{lead}/permissions")["permissions"]
    assert {(one["user_id"], one["level"]) for one in grants} >= {("paula", 2), ("__public__", 1)}
