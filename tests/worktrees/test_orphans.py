"""Work trees that nobody works in: found again, and removed only when nothing is lost."""

from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest
from django.core.management import CommandError, call_command

from agents_app.models import Agent
from omnigent.protocol import host_frames
from sessions_app.flows import orphans
from sessions_app.flows.orphans import Found
from sessions_app.models import Worktree
from sessions_app.process import Process
from sessions_app.services import worktrees
from tests.factories import make_host
from tests.sessions.fake_host import HOST, FakeHost
from tests.worktrees.repository import Repository
from tests.worktrees.test_removing import created

AT_ONCE = timedelta(0)


async def look(process: Process) -> dict[str, Found]:
    found = await orphans.look(process, older_than=AT_ONCE)
    return {one.orphan.branch: one for one in found}


async def abandoned(
    http: httpx.AsyncClient, agent: Agent, repository: Repository, *branches: str
) -> list[Path]:
    """The work trees of sessions that have been deleted."""
    for branch in branches:
        session_id = await created(http, agent, repository, branch)
        assert (await http.delete(f"/v1/sessions/{session_id}")).status_code == 200
    return [repository.tree(branch) for branch in branches]


async def test_they_are_listed_with_what_would_be_lost(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    await created(http, agent, repository, "used")
    _, dirty, ahead, loose, _ = await abandoned(
        http, agent, repository, "clean", "dirty", "ahead", "loose", "gone"
    )
    (dirty / "file").write_text("changed")
    repository.commit("own", at=ahead)
    repository.git("checkout", "--quiet", "--detach", at=loose)
    repository.commit("lost", at=loose)
    repository.git("worktree", "remove", str(repository.tree("gone")))

    found = await look(process)

    assert {branch: (str(one.state), one.unpushed) for branch, one in found.items()} == {
        "clean": ("clean", 0),
        "dirty": ("dirty", 0),
        "ahead": ("clean", 1),
        "loose": ("dirty", 1),
        "gone": ("gone", None),
    }
    assert found["clean"].path == str(repository.tree("clean"))
    assert found["clean"].orphan.host_id == HOST
    assert len(git_host.asked_for(host_frames.ListWorktrees)) == 1


async def test_only_clean_ones_go_without_force_and_their_branches_stay(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    _, dirty, gone = await abandoned(http, agent, repository, "clean", "dirty", "gone")
    (dirty / "new").write_text("unsaved")
    repository.git("worktree", "remove", str(gone))

    found = await look(process)
    first = {name: await orphans.remove(process, one, force=False) for name, one in found.items()}
    after = sorted(await look(process))
    second = await orphans.remove(process, found["dirty"], force=True)

    assert first == {
        "clean": None,
        "dirty": "its state is dirty; --force removes it all the same",
        "gone": None,
    }
    assert after == ["dirty"]
    assert second is None
    assert not dirty.exists()
    assert await look(process) == {}
    assert repository.branches() == ["clean", "dirty", "gone", "main"]


async def test_one_that_has_changed_since_the_look_stays(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    (tree,) = await abandoned(http, agent, repository, "one")
    found = await look(process)
    (tree / "new").write_text("unsaved")

    reason = await orphans.remove(process, found["one"], force=False)

    assert reason == "the work tree has changed or new files"
    assert (tree / "new").exists()


async def test_one_that_a_session_works_in_again_stays(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    (tree,) = await abandoned(http, agent, repository, "one")
    found = await look(process)
    body = {
        "agent_id": agent.public_id,
        "host_id": HOST,
        "workspace": str(tree),
        "git": {"branch_name": "one", "existing_worktree": True},
    }
    assert (await http.post("/v1/sessions", json=body)).status_code == 201

    assert await orphans.remove(process, found["one"], force=True) == "a session works in it now"
    assert tree.is_dir()
    assert await look(process) == {}


async def test_one_whose_making_was_never_answered_is_found_by_its_mark(
    agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    make = git_host.handlers[host_frames.CreateWorktree]
    for request_id, branch in [("req_lost", "lost"), ("req_never", "never")]:
        await process.pool.run(
            partial(
                worktrees.begin,
                request_id=request_id,
                session_id="conv_x",
                host_id=HOST,
                repository=str(repository.path),
                branch=branch,
            )
        )
    ask = host_frames.CreateWorktree(
        request_id="req_lost", repo_path=str(repository.path), branch_name="lost"
    )
    assert make(ask).status == "ok"
    repository.git("worktree", "add", "--quiet", "-b", "never", str(repository.tree("mine")))

    found = await look(process)
    kept = await orphans.remove(process, found["never"], force=True)
    gone = await orphans.remove(process, found["lost"], force=False)

    assert (found["lost"].path, str(found["lost"].state)) == (str(repository.tree("lost")), "clean")
    # Somebody's own work tree of that branch is nobody's orphan.
    assert found["never"].path == ""
    assert kept == "a work tree of never does not say whom it was made for"
    assert gone is None
    assert repository.tree("mine").is_dir()
    assert not repository.tree("lost").exists()


async def test_a_host_that_is_away_is_said_and_loses_nothing(process: Process) -> None:
    await process.pool.run(partial(make_host, public_id="away", online=False))
    fields = {"session_id": "conv_x", "host_id": "away", "repository": "/r", "branch": "b"}
    await process.pool.run(
        lambda: Worktree.objects.create(request_id="req_1", path="/r-worktrees/b", **fields)
    )

    found = await look(process)

    assert (str(found["b"].state), found["b"].problem) == ("unknown", "The host is not connected")
    assert await orphans.remove(process, found["b"], force=False) == "The host is not connected"
    assert await orphans.remove(process, found["b"], force=True) == "The host is not connected"
    assert await process.pool.run(Worktree.objects.count) == 1


async def test_one_on_a_host_that_was_forgotten_is_forgotten_by_force(process: Process) -> None:
    fields = {"session_id": "conv_x", "host_id": "sold", "repository": "/r", "branch": "b"}
    await process.pool.run(
        lambda: Worktree.objects.create(request_id="req_1", path="/r-worktrees/b", **fields)
    )
    found = await look(process)

    assert await orphans.remove(process, found["b"], force=False) == "The host is not connected"
    assert await orphans.remove(process, found["b"], force=True) is None
    assert await look(process) == {}


async def test_one_that_is_being_made_is_none_yet(process: Process) -> None:
    fields = {"session_id": "conv_x", "host_id": HOST, "repository": "/r", "branch": "b"}
    await process.pool.run(lambda: Worktree.objects.create(request_id="req_1", **fields))

    assert await orphans.look(process, older_than=timedelta(minutes=5)) == []


async def test_an_answer_without_what_would_be_lost_counts_as_unknown(
    http: httpx.AsyncClient, agent: Agent, git_host: FakeHost, repository: Repository, process: Process
) -> None:
    (tree,) = await abandoned(http, agent, repository, "one")
    ask = host_frames.ListWorktreesResult(
        request_id="",
        status="ok",
        worktrees=(host_frames.Worktree(path=str(tree), branch="one", updated_at=1),),
    )

    def released(asked: host_frames.ListWorktrees) -> host_frames.ListWorktreesResult:
        return host_frames.ListWorktreesResult(
            request_id=asked.request_id, status=ask.status, worktrees=ask.worktrees
        )

    git_host.handlers[host_frames.ListWorktrees] = released
    found = await look(process)

    assert str(found["one"].state) == "unknown"
    assert await orphans.remove(process, found["one"], force=False) is not None
    assert git_host.asked_for(host_frames.RemoveWorktree) == []
    assert tree.is_dir()


def test_force_alone_is_a_mistake(db: None) -> None:
    with pytest.raises(CommandError, match="--remove"):
        call_command("orphaned_worktrees", "--force")
