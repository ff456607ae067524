"""POST /v1/sessions, sentence by sentence of the published documentation."""

import io
import json
import tarfile
from typing import Any

import httpx
import pytest

from tests.e2e.api import Api

CONFIG = b"""spec_version: 1
name: uploaded
description: D
prompt: P
executor:
  config:
    harness: scripted
"""


def create(api: Api, **fields: Any) -> httpx.Response:
    return api.http.post("/v1/sessions", json={"agent_id": api.agent_id(), **fields})


def bundle(config: bytes = CONFIG) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("config.yaml")
        entry.size = len(config)
        archive.addfile(entry, io.BytesIO(config))
    return buffer.getvalue()


def test_201_created_with_the_full_session_snapshot(api: Api) -> None:
    answer = create(api)

    assert answer.status_code == httpx.codes.CREATED
    assert answer.json() == api.snapshot(answer.json()["id"])


def test_json_binds_to_an_already_registered_agent_by_id(api: Api) -> None:
    assert create(api).json()["agent_id"] == api.agent_id()
    assert create(api, agent_id="ag_abc123").status_code == httpx.codes.NOT_FOUND


def test_multipart_uploads_an_agent_bundle_and_creates_in_one_request(api: Api) -> None:
    files = {"bundle": ("agent.tar.gz", bundle(), "application/gzip")}

    answer = api.http.post("/v1/sessions", data={"metadata": json.dumps({"title": "T"})}, files=files)

    made = answer.json()
    assert answer.status_code == httpx.codes.CREATED
    assert (made["agent_name"], made["title"], made["session_id"]) == ("uploaded", "T", made["id"])
    rows = api.get("/v1/sessions", agent_name="uploaded", limit=1000)["data"]
    assert made["id"] in [row["id"] for row in rows]


def test_title_is_optional(api: Api) -> None:
    assert create(api).json()["title"] is None
    assert create(api, title="debugging auth flow").json()["title"] == "debugging auth flow"


def test_labels_are_the_initial_guardrails_labels(api: Api) -> None:
    assert create(api, labels={"env": "prod"}).json()["labels"] == {"env": "prod"}


@pytest.mark.parametrize("effort", ["none", "low", "medium", "high", "max"])
def test_reasoning_effort_is_one_of_these(api: Api, effort: str) -> None:
    assert create(api, reasoning_effort=effort).json()["reasoning_effort"] == effort


def test_host_id_is_the_host_to_launch_the_runner_on(api: Api) -> None:
    host = api.get("/v1/hosts")["hosts"][0]["host_id"]

    made = create(api, host_id=host, workspace="/tmp").json()

    assert made["host_id"] == host
    assert made["runner_id"]


def test_workspace_is_the_runners_working_directory(api: Api, workspace: str) -> None:
    host = api.get("/v1/hosts")["hosts"][0]["host_id"]

    assert create(api, host_id=host, workspace=workspace).json()["workspace"] == workspace
    assert create(api, host_id=host, workspace=f"{workspace}/none").status_code == httpx.codes.BAD_REQUEST


def test_git_creates_a_worktree_for_a_new_branch_off_workspace(api: Api, repository: str) -> None:
    host = api.get("/v1/hosts")["hosts"][0]["host_id"]

    made = create(api, host_id=host, workspace=repository, git={"branch_name": "try-this"}).json()

    assert made["git_branch"] == "try-this"
    assert made["workspace"] not in (None, repository)
