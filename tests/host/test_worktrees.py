"""Git work trees, with the real git on throw-away repositories."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from omnigent.host.filesystem import FileSystem
from omnigent.host.worktrees import Worktrees
from omnigent.protocol.host_frames import CreateWorktree, CreateWorktreeResult, ListWorktrees, RemoveWorktree
from tests.host.doubles import DEADLINE, TunnelServer, running_host

ENVIRON = {
    "PATH": os.environ["PATH"],
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
    **{
        f"GIT_{who}_{what}": "test@example.test"
        for who in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    },
}
Git = Callable[..., str]


@pytest.fixture
def git() -> Git:
    def run(directory: Path, *arguments: str) -> str:
        done = subprocess.run(
            ("git", *arguments), cwd=directory, env=ENVIRON, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    return run


@pytest.fixture
def repo(tmp_path: Path, git: Git) -> Path:
    path = (tmp_path / "repo").resolve()
    (path / "src" / "deep").mkdir(parents=True)
    (path / "src" / "deep" / "file").write_text("x")
    git(path, "init", "--quiet", "--initial-branch", "main")
    git(path, "add", ".")
    git(path, "commit", "--quiet", "-m", "first")
    return path


@pytest.fixture
def worktrees(tmp_path: Path) -> Worktrees:
    return Worktrees(FileSystem(workspace_root=tmp_path), ENVIRON)


def create(worktrees: Worktrees, repo: Path, branch: str, **fields: Any) -> CreateWorktreeResult:
    return worktrees.create(CreateWorktree(request_id="1", repo_path=str(repo), branch_name=branch, **fields))


def test_a_new_branch_gets_a_directory_beside_the_repository(
    worktrees: Worktrees, repo: Path, git: Git
) -> None:
    made = create(worktrees, repo, "feature/one")

    assert (made.status, made.branch) == ("ok", "feature/one")
    assert made.worktree_path == made.workspace == str(repo.with_name("repo-worktrees") / "feature-one")
    assert git(Path(made.worktree_path or ""), "branch", "--show-current") == "feature/one"


def test_a_picked_subdirectory_is_kept_even_from_inside_another_work_tree(
    worktrees: Worktrees, repo: Path
) -> None:
    first = create(worktrees, repo / "src" / "deep", "one")
    second = create(worktrees, Path(first.workspace or ""), "two")

    assert first.workspace == str(repo.with_name("repo-worktrees") / "one" / "src" / "deep")
    assert second.workspace == str(repo.with_name("repo-worktrees") / "two" / "src" / "deep")


def test_a_taken_directory_gets_a_suffix(worktrees: Worktrees, repo: Path) -> None:
    (repo.with_name("repo-worktrees") / "a-b").mkdir(parents=True)

    assert str(create(worktrees, repo, "a/b").worktree_path).endswith("/a-b-2")


def test_an_existing_branch_needs_to_be_meant(worktrees: Worktrees, repo: Path, git: Git) -> None:
    git(repo, "branch", "there")

    assert "exists already" in str(create(worktrees, repo, "there").error)
    assert create(worktrees, repo, "there", existing_branch=True).status == "ok"
    assert "no branch" in str(create(worktrees, repo, "missing", existing_branch=True).error)


def test_a_base_may_be_named_and_must_exist(worktrees: Worktrees, repo: Path, git: Git) -> None:
    git(repo, "branch", "base")
    (repo / "later").write_text("x")
    git(repo, "add", ".")
    git(repo, "commit", "--quiet", "-m", "second")
    made = create(worktrees, repo, "from-base", base_branch="base")

    assert not (Path(made.worktree_path or "") / "later").exists()
    assert "no branch or commit 'nowhere'" in str(create(worktrees, repo, "x", base_branch="nowhere").error)


@pytest.mark.parametrize(
    "branch",
    ["", "-x", "--force", "a b", "a..b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "@{u}", ".a", "a/.b",
     "a.lock", "a.lock/b", "a/", "/a", "a//b", "a.", "@", "a\x00b", "a\nb", "x" * 201],
)  # fmt: skip
def test_branch_names_that_git_refuses_or_misreads_are_refused(
    worktrees: Worktrees, repo: Path, branch: str
) -> None:
    assert "not a usable branch name" in str(create(worktrees, repo, branch).error)
    assert "not a usable branch name" in str(create(worktrees, repo, "ok", base_branch=branch or "-").error)
    assert not repo.with_name("repo-worktrees").exists()


def test_a_place_without_a_repository_is_said(worktrees: Worktrees, tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()

    for path in (tmp_path / "plain", tmp_path / "none"):
        made = create(worktrees, path, "x")
        assert (made.status, bool(made.error)) == ("failed", True)


def test_work_trees_are_listed_main_first(worktrees: Worktrees, repo: Path, git: Git) -> None:
    path = create(worktrees, repo, "one").worktree_path
    git(repo, "worktree", "add", "--detach", str(repo.with_name("loose")))
    result = worktrees.list(ListWorktrees(request_id="1", repo_path=str(repo / "src")))

    found = {tree.path: (tree.branch, tree.is_main, tree.detached) for tree in result.worktrees}
    assert found == {
        str(repo): ("main", True, False),
        path: ("one", False, False),
        str(repo.with_name("loose")): (None, False, True),
    }
    assert all(tree.updated_at for tree in result.worktrees)


def test_a_work_tree_is_removed_with_its_changes_and_its_branch(
    worktrees: Worktrees, repo: Path, git: Git
) -> None:
    kept, dropped = create(worktrees, repo, "kept"), create(worktrees, repo, "dropped")
    (Path(dropped.worktree_path or "") / "new").write_text("unsaved")

    def remove(made: CreateWorktreeResult, **fields: Any) -> str:
        ask = RemoveWorktree(
            request_id="1", worktree_path=str(made.worktree_path), branch=made.branch, **fields
        )
        return worktrees.remove(ask).status

    assert remove(kept) == "ok"
    assert remove(dropped, delete_branch=True) == "ok"
    assert git(repo, "branch", "--format", "%(refname:short)").splitlines() == ["kept", "main"]
    assert not Path(dropped.worktree_path or "").exists()
    assert remove(dropped) == "failed"


def test_the_main_work_tree_is_never_removed(worktrees: Worktrees, repo: Path) -> None:
    result = worktrees.remove(RemoveWorktree(request_id="1", worktree_path=str(repo)))

    assert (result.status, result.error) == ("failed", "the main work tree cannot be removed")
    assert (repo / ".git").is_dir()


def test_nothing_is_made_outside_the_roots(repo: Path) -> None:
    limited = Worktrees(FileSystem(workspace_root=repo, roots=(repo,)), ENVIRON)

    assert "allows" in str(create(limited, repo, "x").error)
    assert not repo.with_name("repo-worktrees").exists()


def filter_checkouts(git: Git, repo: Path, command: str) -> None:
    """Have git run a command when it checks a file out; the repository's own settings say so."""
    git(repo, "config", "filter.own.smudge", command)
    (repo / ".git" / "info" / "attributes").write_text("* filter=own\n")


def test_closing_ends_a_git_that_hangs_and_leaves_nothing(
    worktrees: Worktrees, repo: Path, tmp_path: Path, git: Git
) -> None:
    started = tmp_path / "started"
    filter_checkouts(git, repo, f"touch {started}; sleep 600")
    pending = worktrees.threads.submit(create, worktrees, repo, "slow")
    while not started.exists():
        assert not pending.done(), pending.result()
    worktrees.close()

    assert pending.result(DEADLINE).status == "failed"
    assert not repo.with_name("repo-worktrees").exists()
    assert git(repo, "branch", "--format", "%(refname:short)") == "main"
    assert "shutting down" in str(create(worktrees, repo, "late").error)


async def test_filters_do_not_see_the_daemons_secrets(
    server: TunnelServer, data_dir: Path, repo: Path, tmp_path: Path, git: Git
) -> None:
    filter_checkouts(git, repo, f"env > {tmp_path / 'environ'}; cat")
    async with running_host(server, data_dir, environ={**ENVIRON, "OMNIGENT_TOKEN": "canary"}):
        tunnel = await server.next_tunnel()
        await tunnel.ask("host.create_worktree", repo_path=str(repo), branch_name="one")

    given = (tmp_path / "environ").read_text()
    assert "PATH=" in given
    assert "canary" not in given


async def test_the_server_can_ask_for_them(server: TunnelServer, data_dir: Path, repo: Path) -> None:
    async with running_host(server, data_dir, environ=ENVIRON):
        tunnel = await server.next_tunnel()
        made = await tunnel.ask("host.create_worktree", repo_path=str(repo), branch_name="one")
        listed = await tunnel.ask("host.list_worktrees", repo_path=str(repo))
        removed = await tunnel.ask("host.remove_worktree", worktree_path=made["worktree_path"])

    assert made["status"] == listed["status"] == removed["status"] == "ok"
    assert [tree["path"] for tree in listed["worktrees"]] == [str(repo), made["worktree_path"]]
