"""POST /v1/sessions with a host: its workspace is looked at, a runner is launched."""

from typing import Any

import httpx
import pytest

from agents_app.models import Agent
from omnigent.protocol import host_frames
from sessions_app.models import Receipt, Session
from sessions_app.process import Process
from tests.error_shape import assert_error
from tests.factories import make_host
from tests.sessions.fake_host import HOST, FakeHost, failing

URL = "/v1/sessions"


async def create(http: httpx.AsyncClient, agent: Agent, **fields: Any) -> httpx.Response:
    return await http.post(URL, json={"agent_id": agent.public_id, **fields})


async def count(process: Process) -> int:
    return await process.pool.run(Session.objects.count)


async def test_a_runner_is_launched_in_the_workspace(
    http: httpx.AsyncClient, agent: Agent, host: FakeHost
) -> None:
    answer = await create(http, agent, host_id=HOST, workspace="/home/me/api")

    snapshot = answer.json()
    assert answer.status_code == 201
    assert (snapshot["host_id"], snapshot["host_online"]) == (HOST, True)
    assert (snapshot["workspace"], snapshot["status"]) == ("/home/me/api", "idle")
    (launch,) = host.asked_for(host_frames.LaunchRunner)
    assert (launch.workspace, launch.session_id) == ("/home/me/api", snapshot["id"])
    assert launch.harness == "scripted"
    assert snapshot["runner_id"].startswith("runner_token_")


async def test_auto_picks_a_host_and_makes_a_directory(
    http: httpx.AsyncClient, agent: Agent, host: FakeHost
) -> None:
    snapshot = (await create(http, agent, host_id="auto")).json()

    (made,) = host.asked_for(host_frames.CreateDir)
    assert made.path == f"~/omnigent/{snapshot['id']}"
    assert (snapshot["host_id"], snapshot["workspace"]) == (HOST, f"/home/me/omnigent/{snapshot['id']}")


async def test_auto_keeps_a_workspace_that_is_given(
    http: httpx.AsyncClient, agent: Agent, host: FakeHost
) -> None:
    snapshot = (await create(http, agent, host_id="auto", workspace="/w")).json()

    assert snapshot["workspace"] == "/w"
    assert host.asked_for(host_frames.CreateDir) == []


async def test_auto_without_a_fitting_host_stores_nothing(
    http: httpx.AsyncClient, agent: Agent, process: Process
) -> None:
    await process.pool.run(make_host, configured_harnesses={"scripted": "needs-auth"})
    await process.pool.run(make_host, online=False)
    await process.pool.run(make_host, owner="somebody")

    assert_error(await create(http, agent, host_id="auto"), 503, "host_offline")
    assert await count(process) == 0


async def test_prefixed_host_ids_are_understood(
    http: httpx.AsyncClient, agent: Agent, host: FakeHost
) -> None:
    assert (await create(http, agent, host_id=f"host_{HOST}", workspace="/w")).json()["host_id"] == HOST


@pytest.mark.parametrize("state", [False, "needs-auth", "binary-missing", "package-missing"])
async def test_a_host_that_cannot_run_the_harness_is_refused(
    http: httpx.AsyncClient, agent: Agent, process: Process, state: bool | str
) -> None:
    lacking = await process.pool.run(make_host, configured_harnesses={"scripted": state})

    answer = await create(http, agent, host_id=lacking.public_id, workspace="/w")

    shown = state or "not-available"
    assert_error(
        answer, 412, "harness_not_configured", f"The host cannot run the harness 'scripted': {shown}"
    )
    assert await count(process) == 0


async def test_a_host_needs_a_workspace(
    http: httpx.AsyncClient, agent: Agent, host: FakeHost, process: Process
) -> None:
    answer = await create(http, agent, host_id=HOST)

    assert_error(answer, 400, "invalid_input", "workspace required when host_id is set")
    assert await count(process) == 0


async def test_unknown_foreign_and_absent_hosts(
    http: httpx.AsyncClient, agent: Agent, process: Process
) -> None:
    foreign = await process.pool.run(make_host, owner="somebody")
    absent = await process.pool.run(make_host, online=False)

    unknown = assert_error(await create(http, agent, host_id="b" * 32, workspace="/w"), 404, "not_found")
    theirs = assert_error(
        await create(http, agent, host_id=foreign.public_id, workspace="/w"), 403, "forbidden"
    )
    offline = await create(http, agent, host_id=absent.public_id, workspace="/w")

    assert (unknown["detail"], theirs["detail"]) == ("host not found", "not your host")
    assert_error(offline, 409, "conflict", "host is offline")
    assert await count(process) == 0


@pytest.mark.parametrize(
    "found",
    [
        {"exists": False},
        {"exists": True, "type": "file"},
        {"status": "failed", "error": "the path is outside the directories that this host allows"},
    ],
    ids=["missing", "file", "outside"],
)
async def test_a_bad_workspace_stores_nothing(
    http: httpx.AsyncClient, agent: Agent, host: FakeHost, process: Process, found: dict[str, Any]
) -> None:
    host.handlers[host_frames.Stat] = lambda ask: host_frames.StatResult(
        request_id=ask.request_id, **{"status": "ok", **found}
    )

    assert_error(await create(http, agent, host_id=HOST, workspace="/w"), 400, "invalid_input")
    assert await count(process) == 0
    assert host.asked_for(host_frames.LaunchRunner) == []


async def test_a_failed_launch_still_creates(http: httpx.AsyncClient, agent: Agent, host: FakeHost) -> None:
    host.handlers[host_frames.LaunchRunner] = failing(
        host_frames.LaunchRunnerResult(request_id="", status=""), "no such harness here"
    )

    answer = await create(http, agent, host_id=HOST, workspace="/w")

    snapshot = answer.json()
    assert (answer.status_code, snapshot["status"]) == (201, "failed")
    assert snapshot["last_task_error"]["message"] == "no such harness here"


async def test_a_worktree_is_made_and_removed(http: httpx.AsyncClient, agent: Agent, host: FakeHost) -> None:
    git = {"branch_name": "feature", "base_branch": "main"}

    snapshot = (await create(http, agent, host_id=HOST, workspace="/repo", git=git)).json()
    await http.delete(f"{URL}/{snapshot['id']}?delete_branch=true")

    assert (snapshot["git_branch"], snapshot["workspace"]) == ("feature", "/repo-worktrees/feature")
    (made,) = host.asked_for(host_frames.CreateWorktree)
    assert (made.repo_path, made.branch_name, made.base_branch) == ("/repo", "feature", "main")
    (removed,) = host.asked_for(host_frames.RemoveWorktree)
    assert (removed.worktree_path, removed.branch, removed.delete_branch) == (
        "/repo-worktrees/feature",
        "feature",
        True,
    )
    assert len(host.asked_for(host_frames.StopRunner)) == 1


async def test_gits_own_words_are_told(
    http: httpx.AsyncClient, agent: Agent, host: FakeHost, process: Process
) -> None:
    host.handlers[host_frames.CreateWorktree] = failing(
        host_frames.CreateWorktreeResult(request_id="", status=""), "fatal: not a git repository"
    )

    answer = await create(http, agent, host_id=HOST, workspace="/w", git={"branch_name": "b"})

    assert_error(answer, 400, "invalid_input", "fatal: not a git repository")
    assert await count(process) == 0


async def test_a_retry_under_one_key_launches_once(
    http: httpx.AsyncClient, agent: Agent, host: FakeHost, process: Process
) -> None:
    body = {"agent_id": agent.public_id, "host_id": "auto"}

    first = await http.post(URL, json=body, headers={"Idempotency-Key": "k"})
    second = await http.post(URL, json=body, headers={"Idempotency-Key": "k"})

    assert first.content == second.content
    assert len(host.asked_for(host_frames.LaunchRunner)) == 1
    assert await process.pool.run(Receipt.objects.count) == 1
