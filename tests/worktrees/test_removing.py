"""What a session's end does to its work tree: what goes, what stays, and who is told."""

import httpx

from agents_app.models import Agent
from omnigent.protocol import host_frames
from sessions_app.models import Session, Worktree
from sessions_app.process import Process
from sessions_app.services import rules
from tests.error_shape import assert_error
from tests.factories import label, make_session
from tests.sessions.fake_host import HOST, FakeHost
from tests.worktrees.repository import Repository

URL = "/v1/sessions"


async def created(http: httpx.AsyncClient, agent: Agent, repository: Repository, branch: str) -> str:
    """The id of a session in a new work tree."""
    body = {
        "agent_id": agent.public_id,
        "host_id": HOST,
        "workspace": str(repository.path),
        "git": {"branch_name": branch},
    }
    answer = await http.post(URL, json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def noted(process: Process) -> list[str]:
    return await process.pool.run(lambda: list(Worktree.objects.values_list("branch", flat=True)))


async def delete(http: httpx.AsyncClient, session_id: str) -> httpx.Response:
    return await http.delete(f"{URL}/{session_id}?delete_branch=true")


async def test_tree_and_branch_go_with_all_that_is_in_them(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    session_id = await created(http, agent, repository, "one")
    repository.commit("unmerged", at=repository.tree("one"))
    (repository.tree("one") / "unsaved").write_text("x")

    answer = await delete(http, session_id)

    assert answer.status_code == 200
    assert not repository.tree("one").exists()
    assert repository.branches() == ["main"]
    assert await noted(process) == []


async def test_without_being_asked_nothing_goes(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    session_id = await created(http, agent, repository, "one")

    assert (await http.delete(f"{URL}/{session_id}")).status_code == 200
    assert git_host.asked_for(host_frames.RemoveWorktree) == []
    assert repository.tree("one").is_dir()
    assert await noted(process) == ["one"]


async def test_a_tree_that_another_session_works_in_stays(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    session_id = await created(http, agent, repository, "one")
    inside = str(repository.tree("one") / "sub")
    other = await process.pool.run(lambda: make_session(agent, host_id=HOST, workspace=inside))

    assert (await delete(http, session_id)).status_code == 200
    assert repository.tree("one").is_dir()
    assert (await http.get(f"{URL}/{other.public_id}")).status_code == 200
    assert await noted(process) == ["one"]


async def test_a_like_named_tree_of_another_session_is_no_obstacle(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository
) -> None:
    session_id = await created(http, agent, repository, "one")
    await created(http, agent, repository, "one-more")

    await delete(http, session_id)

    assert not repository.tree("one").exists()
    assert repository.tree("one-more").is_dir()


async def test_what_git_has_against_it_is_no_obstacle_to_the_delete(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    session_id = await created(http, agent, repository, "one")
    repository.git("worktree", "lock", str(repository.tree("one")))

    assert (await delete(http, session_id)).status_code == 200
    assert repository.tree("one").is_dir()
    assert await noted(process) == ["one"]
    assert_error(await http.get(f"{URL}/{session_id}"), 404, "not_found")


async def test_a_tree_on_a_host_that_is_away_keeps_the_session_and_the_note(
    http: httpx.AsyncClient, process: Process, agent: Agent
) -> None:
    def build() -> Session:
        session = make_session(agent, host_id="away", workspace="/w/one", git_branch="one")
        label(session, **{rules.WORKTREE: "/w/one"})
        return session

    session = await process.pool.run(build)

    assert_error(await delete(http, session.public_id), 409, "conflict")
    assert (await http.get(f"{URL}/{session.public_id}")).status_code == 200
    # Without the branch it goes; a tree from before there were notes is noted now.
    assert (await http.delete(f"{URL}/{session.public_id}")).status_code == 200
    rows = await process.pool.run(lambda: list(Worktree.objects.values_list("host_id", "path", "branch")))
    assert rows == [("away", "/w/one", "one")]


async def test_a_tree_is_removed_where_it_was_made(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    session_id = await created(http, agent, repository, "one")

    def move() -> None:
        Session.objects.filter(public_id=session_id).update(host_id="elsewhere", workspace="/w")

    await process.pool.run(move)

    assert (await delete(http, session_id)).status_code == 200
    assert not repository.tree("one").exists()
    assert await noted(process) == []
