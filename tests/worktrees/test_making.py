"""`git` when a session is created, and when one is launched on a host."""

from typing import Any

import httpx
import pytest

from agents_app.models import Agent
from omnigent.protocol import host_frames
from sessions_app.models import Session, Worktree
from sessions_app.process import Process
from tests.error_shape import assert_error, assert_invalid
from tests.factories import make_child, make_session
from tests.sessions.fake_host import HOST, FakeHost, failing
from tests.worktrees.repository import Repository

URL = "/v1/sessions"
LAUNCH = f"/v1/hosts/{HOST}/runners"


async def create(http: httpx.AsyncClient, agent: Agent, git: Any, **fields: Any) -> httpx.Response:
    body = {"agent_id": agent.public_id, "host_id": HOST, "workspace": "/repo", "git": git, **fields}
    return await http.post(URL, json=body)


async def notes(process: Process) -> list[tuple[str, str]]:
    return await process.pool.run(lambda: list(Worktree.objects.order_by("pk").values_list("branch", "path")))


async def sessions(process: Process) -> int:
    return await process.pool.run(Session.objects.count)


BAD = ["--force", "a b", "HEAD", "x" * 201]


@pytest.mark.parametrize("name", BAD)
async def test_a_bad_name_is_refused_before_the_host_is_asked(
    http: httpx.AsyncClient, agent: Agent, host: FakeHost, process: Process, name: str
) -> None:
    session = await process.pool.run(make_session, agent)
    launch = {"session_id": session.public_id, "workspace": "/repo", "git": {"branch_name": name}}

    answers = [
        await create(http, agent, {"branch_name": name}),
        await create(http, agent, {"branch_name": name, "existing_worktree": True}),
        await http.post(LAUNCH, json=launch),
    ]

    for answer in answers:
        assert "is not a usable branch name" in assert_error(answer, 400, "invalid_input")["error"]["message"]
    assert host.asked == []
    assert await notes(process) == []
    assert await sessions(process) == 1


@pytest.mark.parametrize("base", ["--upload-pack=x", "@"])
async def test_a_bad_base_is_refused_as_well(
    http: httpx.AsyncClient, agent: Agent, host: FakeHost, base: str
) -> None:
    answer = await create(http, agent, {"branch_name": "ok", "base_branch": base})

    assert_error(answer, 400, "invalid_input", f"{base!r} is not a usable branch name")
    assert host.asked == []


async def test_git_needs_a_host(http: httpx.AsyncClient, agent: Agent) -> None:
    body = {"agent_id": agent.public_id, "git": {"branch_name": "b"}}

    assert_invalid(await http.post(URL, json=body), "body")


async def test_a_session_works_in_a_real_tree_and_subdirectory(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    (repository.path / "sub").mkdir()
    repository.commit("sub/file")

    answer = await create(http, agent, {"branch_name": "a/b"}, workspace=str(repository.path / "sub"))

    snapshot = answer.json()
    tree = repository.tree("a-b")
    assert (snapshot["workspace"], snapshot["git_branch"]) == (str(tree / "sub"), "a/b")
    (launch,) = git_host.asked_for(host_frames.LaunchRunner)
    assert launch.workspace == str(tree / "sub")
    assert await notes(process) == [("a/b", str(tree))]


async def test_what_git_refuses_leaves_no_session_and_no_note(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    answer = await create(http, agent, {"branch_name": "main"}, workspace=str(repository.path))

    assert_error(answer, 400, "invalid_input", "the branch 'main' exists already")
    assert await notes(process) == []
    assert await sessions(process) == 0


@pytest.mark.parametrize("path", ["relative", "/" + "x" * 4096])
async def test_a_host_that_names_no_usable_path_is_refused(
    http: httpx.AsyncClient, agent: Agent, host: FakeHost, process: Process, path: str
) -> None:
    host.handlers[host_frames.CreateWorktree] = lambda ask: host_frames.CreateWorktreeResult(
        request_id=ask.request_id, status="ok", worktree_path=path, branch="b", workspace=path
    )

    answer = await create(http, agent, {"branch_name": "b"})

    assert_error(answer, 400, "invalid_input", "the host named a work tree that cannot be used")
    assert await sessions(process) == 0
    assert await notes(process) == [("b", "")]


@pytest.mark.parametrize(("existing", "left"), [(False, ["main"]), (True, ["main", "one"])])
async def test_a_session_that_cannot_be_stored_leaves_no_tree(
    http: httpx.AsyncClient,
    agent: Agent,
    git_host: FakeHost,
    repository: Repository,
    process: Process,
    existing: bool,
    left: list[str],
) -> None:
    if existing:
        repository.git("branch", "one")
    parent = await process.pool.run(make_session, agent)
    await process.pool.run(make_child, parent, "taken")
    git = {"branch_name": "one", "existing_branch": existing}
    fields = {"parent_session_id": parent.public_id, "title": "taken", "workspace": str(repository.path)}

    answer = await create(http, agent, git, **fields)

    assert_error(answer, 409, "conflict")
    assert len(git_host.asked_for(host_frames.CreateWorktree)) == 1
    assert not repository.tree("one").exists()
    assert repository.branches() == left
    assert await notes(process) == []


async def test_a_work_tree_that_is_there_keeps_its_own_branch(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    tree = repository.tree("mine")
    repository.git("worktree", "add", "--quiet", "-b", "actual", str(tree))
    git = {"branch_name": "claimed", "existing_worktree": True}

    snapshot = (await create(http, agent, git, workspace=str(tree))).json()
    await http.delete(f"{URL}/{snapshot['id']}?delete_branch=true")

    assert (snapshot["workspace"], snapshot["git_branch"]) == (str(tree), "actual")
    assert tree.is_dir()
    assert repository.branches() == ["actual", "main"]
    assert await notes(process) == []


async def test_a_directory_without_a_repository_is_no_work_tree(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository
) -> None:
    git = {"branch_name": "b", "existing_worktree": True}

    answer = await create(http, agent, git, workspace=str(repository.path.parent))

    assert "not a git repository" in assert_error(answer, 400, "invalid_input")["error"]["message"]


async def test_a_launch_makes_the_tree_and_a_failed_one_takes_it_back(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    session = await process.pool.run(make_session, agent)
    body = {"session_id": session.public_id, "workspace": str(repository.path)}
    works = git_host.handlers[host_frames.LaunchRunner]
    git_host.handlers[host_frames.LaunchRunner] = failing(
        host_frames.LaunchRunnerResult(request_id="", status=""), "no"
    )

    failed = await http.post(LAUNCH, json={**body, "git": {"branch_name": "one"}})
    left = (repository.branches(), repository.tree("one").exists(), await notes(process))
    git_host.handlers[host_frames.LaunchRunner] = works
    answer = await http.post(LAUNCH, json={**body, "git": {"branch_name": "one"}})

    assert failed.status_code >= 400
    assert left == (["main"], False, [])
    assert answer.status_code == 200
    snapshot = (await http.get(f"{URL}/{session.public_id}")).json()
    assert (snapshot["workspace"], snapshot["git_branch"]) == (str(repository.tree("one")), "one")
