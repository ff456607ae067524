"""PATCH, DELETE, fork and switch-agent, sentence by sentence of the published documentation."""

import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.e2e.api import Api
from tests.e2e.stack import Stack


@pytest.fixture
def session_id(api: Api) -> str:
    """A session without a runner."""
    body = {"agent_id": api.agent_id(), "title": "Before", "labels": {"kept": "yes", "env": "dev"}}
    return str(api.http.post("/v1/sessions", json=body).json()["id"])


def change(api: Api, session_id: str, **fields: Any) -> dict[str, Any]:
    answer = api.http.patch(f"/v1/sessions/{session_id}", json=fields)
    assert answer.status_code == httpx.codes.OK, answer.text
    shown: dict[str, Any] = answer.json()
    return shown


def test_omitted_fields_are_left_unchanged(api: Api, session_id: str) -> None:
    before = api.snapshot(session_id)

    assert change(api, session_id) == before


def test_title_is_the_new_session_title(api: Api, session_id: str) -> None:
    assert change(api, session_id, title="New session title")["title"] == "New session title"


def test_runner_id_binds_to_a_registered_runner_and_the_last_write_wins(
    stack: Stack, session_id: str
) -> None:
    api = stack.api
    first, second = (api.create()["runner_id"] for _ in range(2))
    for other in (first, second):
        stack.wait_runner(other)

    change(api, session_id, runner_id=first)
    assert change(api, session_id, runner_id=second)["runner_id"] == second
    unknown = api.http.patch(f"/v1/sessions/{session_id}", json={"runner_id": "runner_none"})
    assert unknown.status_code == httpx.codes.BAD_REQUEST


def test_labels_merge_with_existing_ones(api: Api, session_id: str) -> None:
    assert change(api, session_id, labels={"env": "prod", "new": "1"})["labels"] == {
        "kept": "yes",
        "env": "prod",
        "new": "1",
    }


def test_reasoning_effort_default_clears_it(api: Api, session_id: str) -> None:
    assert change(api, session_id, reasoning_effort="high")["reasoning_effort"] == "high"
    assert change(api, session_id, reasoning_effort="default")["reasoning_effort"] is None


def test_model_override_default_clears_it(api: Api, session_id: str) -> None:
    shown = change(api, session_id, model_override="claude-opus-4-7")
    assert shown["model_override"] == "claude-opus-4-7"
    assert change(api, session_id, model_override="default")["model_override"] is None


def test_archived_hides_from_the_default_listing_and_false_unarchives(api: Api, session_id: str) -> None:
    def is_listed() -> bool:
        return session_id in [row["id"] for row in api.get("/v1/sessions", limit=1000)["data"]]

    change(api, session_id, archived=True)
    assert not is_listed()
    change(api, session_id, archived=False)
    assert is_listed()


def test_delete_removes_the_session_and_all_its_resources(stack: Stack) -> None:
    api = stack.api
    session_id = api.create()["id"]
    stream = stack.stream(session_id)
    api.message(session_id, "Hello")
    stream.wait_settled()
    files = f"/v1/sessions/{session_id}/resources/files"
    uploaded = api.http.post(files, files={"file": ("a.txt", b"text", "text/plain")}).json()

    answer = api.http.delete(f"/v1/sessions/{session_id}")

    assert answer.json() == {"id": session_id, "object": "conversation.deleted", "deleted": True}
    for path in ("", "/items", "/resources/files", f"/resources/files/{uploaded['id']}/content"):
        assert api.http.get(f"/v1/sessions/{session_id}{path}").status_code == httpx.codes.NOT_FOUND


def test_delete_branch_removes_the_worktree_and_its_branch(api: Api, repository: str) -> None:
    host = api.get("/v1/hosts")["hosts"][0]["host_id"]
    fields = {"host_id": host, "workspace": repository, "git": {"branch_name": "gone"}}
    made = api.http.post("/v1/sessions", json={"agent_id": api.agent_id(), **fields}).json()
    assert Path(made["workspace"]).is_dir()

    api.http.delete(f"/v1/sessions/{made['id']}", params={"delete_branch": "true"})

    assert not Path(made["workspace"]).exists()
    branches = subprocess.run(
        ["git", "branch", "--list", "gone"], cwd=repository, capture_output=True, text=True, check=True
    )
    assert branches.stdout == ""


def talk(stack: Stack, *texts: str) -> str:
    session_id = str(stack.api.create(title="Source")["id"])
    stream = stack.stream(session_id)
    for turns, text in enumerate(texts, start=1):
        stack.api.message(session_id, text)
        stream.wait_settled(turns=turns)
    return session_id


def test_fork_copies_the_items_into_a_new_session(stack: Stack) -> None:
    source = talk(stack, "Hello")

    answer = stack.api.http.post(f"/v1/sessions/{source}/fork", json={})

    made = answer.json()
    assert answer.status_code == httpx.codes.CREATED
    assert made == stack.api.snapshot(made["id"])
    assert made["title"] == "Fork of Source"
    assert [item["data"] for item in made["items"]] == [
        item["data"] for item in stack.api.snapshot(source)["items"]
    ]


def test_fork_truncates_after_up_to_response_id(stack: Stack) -> None:
    source = talk(stack, "Hello", "Again")
    items = stack.api.items(source)
    first = items[1]["response_id"]

    body = {"title": "My fork", "up_to_response_id": first}
    made = stack.api.http.post(f"/v1/sessions/{source}/fork", json=body).json()

    assert (made["title"], len(made["items"])) == ("My fork", 2)


def test_fork_switches_to_a_different_built_in_agent(api: Api, session_id: str) -> None:
    other = api.agent_id("anthropic")

    made = api.http.post(f"/v1/sessions/{session_id}/fork", json={"agent_id": other}).json()

    assert made["agent_id"] == other


def test_switch_agent_rebinds_in_place(api: Api, session_id: str) -> None:
    before, other = api.snapshot(session_id), api.agent_id("openai-chat")

    answer = api.http.post(f"/v1/sessions/{session_id}/switch-agent", json={"agent_id": other})

    after = api.snapshot(session_id)
    assert answer.status_code == httpx.codes.OK
    assert after["agent_id"] == other
    assert [after[key] for key in ("id", "items", "title", "labels", "workspace")] == [
        before[key] for key in ("id", "items", "title", "labels", "workspace")
    ]
    unlisted = api.http.post(f"/v1/sessions/{session_id}/switch-agent", json={"agent_id": "ag_none"})
    assert unlisted.status_code == httpx.codes.NOT_FOUND
