"""Work trees of repositories in every state that a person's disk has, with the real git."""

import os
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from omnigent.host.filesystem import FileSystem
from omnigent.host.worktrees import Worktrees
from omnigent.protocol.host_frames import CreateWorktree, CreateWorktreeResult, ListWorktrees, RemoveWorktree
from omnigent.protocol.host_frames import Worktree as Shown
from tests.host.test_worktrees import ENVIRON

Git = Callable[..., str]


@pytest.fixture
def git() -> Git:
    def run(directory: Path, *arguments: str) -> str:
        allowed = ("-c", "protocol.file.allow=always")
        done = subprocess.run(
            ("git", *allowed, *arguments),
            cwd=directory,
            env=ENVIRON,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def top(tmp_path: Path) -> Path:
    return tmp_path.resolve()


@pytest.fixture
def repo(top: Path, git: Git) -> Path:
    return make(git, top / "repo")


@pytest.fixture
def trees(top: Path) -> Worktrees:
    return Worktrees(FileSystem(workspace_root=top, roots=(top,)), ENVIRON)


def make(git: Git, path: Path) -> Path:
    path.mkdir(parents=True)
    git(path, "init", "--quiet", "--initial-branch", "main")
    commit(git, path, "file")
    return path


def commit(git: Git, tree: Path, name: str) -> None:
    (tree / name).write_text(name)
    git(tree, "add", ".")
    git(tree, "commit", "--quiet", "-m", name)


def branches(git: Git, repo: Path) -> list[str]:
    return git(repo, "for-each-ref", "--format", "%(refname:short)", "refs/heads").splitlines()


def create(trees: Worktrees, repo: Path, branch: str, **fields: Any) -> CreateWorktreeResult:
    return trees.create(CreateWorktree(request_id="req_1", repo_path=str(repo), branch_name=branch, **fields))


def created(trees: Worktrees, repo: Path, branch: str, **fields: Any) -> Path:
    made = create(trees, repo, branch, **fields)
    assert made.status == "ok", made.error
    return Path(str(made.worktree_path))


def remove(trees: Worktrees, path: Path, **fields: Any) -> str | None:
    result = trees.remove(RemoveWorktree(request_id="2", worktree_path=str(path), **fields))
    assert (result.status == "ok") == (result.error is None)
    return result.error


def listed(trees: Worktrees, repo: Path, *, for_cleanup: bool = False) -> dict[str, Shown]:
    ask = ListWorktrees(request_id="3", repo_path=str(repo), for_cleanup=for_cleanup)
    result = trees.list(ask)
    assert result.status == "ok", result.error
    return {Path(tree.path).name: tree for tree in result.worktrees}


@pytest.mark.parametrize("name", ["two words", "größe", "仓库", "line\nbreak", "end\n", "-rf", "$(x)"])
def test_any_directory_name_will_do(trees: Worktrees, top: Path, git: Git, name: str) -> None:
    path = created(trees, make(git, top / name), "one")

    assert path == top / f"{name}-worktrees" / "one"
    assert (path / "file").exists()
    assert list(listed(trees, path)) == [name, "one"]
    assert remove(trees, path, branch="one", delete_branch=True) is None
    assert not path.exists()


def test_a_branch_may_have_a_name_in_any_script(trees: Worktrees, repo: Path, git: Git) -> None:
    path = created(trees, repo, "función/größe")

    assert path.name == "función-größe"
    assert "función/größe" in branches(git, repo)


def test_a_bare_repository_and_its_work_trees(trees: Worktrees, repo: Path, top: Path, git: Git) -> None:
    git(top, "clone", "--quiet", "--bare", str(repo), "bare.git")

    first = created(trees, top / "bare.git", "one")
    second = created(trees, first, "two")

    assert [first.parent, second.parent] == [top / "bare.git-worktrees"] * 2
    assert (second / "file").exists()
    assert listed(trees, first)["bare.git"].is_main
    assert remove(trees, first, branch="one", delete_branch=True) is None
    assert branches(git, top / "bare.git") == ["main", "two"]


def test_a_submodules_work_trees_lie_beside_it(trees: Worktrees, repo: Path, top: Path, git: Git) -> None:
    outer = make(git, top / "outer")
    git(outer, "submodule", "--quiet", "add", str(repo), "libs/inner")

    first = created(trees, outer / "libs" / "inner", "one")
    second = created(trees, first, "two")

    assert [first.parent, second.parent] == [outer / "libs" / "inner-worktrees"] * 2
    assert remove(trees, outer / "libs" / "inner") == "the main work tree cannot be removed"
    assert remove(trees, second) is None


def test_a_work_tree_with_submodules_goes_as_well(trees: Worktrees, repo: Path, top: Path, git: Git) -> None:
    outer = make(git, top / "outer")
    git(outer, "submodule", "--quiet", "add", str(repo), "inner")
    git(outer, "commit", "--quiet", "-m", "submodule")
    path = created(trees, outer, "one")
    git(path, "submodule", "--quiet", "update", "--init")

    assert (path / "inner" / "file").exists()
    assert remove(trees, path, only_clean=True) is not None
    assert remove(trees, path) is None
    assert not path.exists()


def test_a_shallow_clone_fetches_a_base_that_it_has_not_seen(
    trees: Worktrees, repo: Path, top: Path, git: Git
) -> None:
    commit(git, repo, "second")
    git(top, "clone", "--quiet", "--depth", "1", "--no-single-branch", repo.as_uri(), "clone")
    git(repo, "checkout", "--quiet", "-b", "later")
    commit(git, repo, "third")

    path = created(trees, top / "clone", "mine", base_branch="later")

    assert (path / "third").exists()
    assert "nowhere" in str(create(trees, top / "clone", "x", base_branch="nowhere").error)


def test_a_remote_that_cannot_be_reached_is_said(trees: Worktrees, repo: Path, top: Path, git: Git) -> None:
    git(repo, "remote", "add", "origin", str(top / "gone"))

    error = str(create(trees, repo, "one", base_branch="later").error)

    assert error.startswith("there is no branch or commit 'later', and fetching failed: ")


def test_a_repository_without_a_commit_is_said(trees: Worktrees, top: Path, git: Git) -> None:
    (top / "empty").mkdir()
    git(top / "empty", "init", "--quiet")

    assert "no commit yet" in str(create(trees, top / "empty", "one").error)
    assert [path.name for path in top.iterdir()] == ["empty"]


def test_a_detached_head_and_a_merge_under_way_are_no_obstacle(
    trees: Worktrees, repo: Path, git: Git
) -> None:
    git(repo, "checkout", "--quiet", "-b", "other")
    (repo / "file").write_text("theirs")
    git(repo, "commit", "--quiet", "-am", "theirs")
    git(repo, "checkout", "--quiet", "--detach", "main")
    (repo / "file").write_text("ours")
    git(repo, "commit", "--quiet", "-am", "ours")
    with pytest.raises(AssertionError):
        git(repo, "merge", "other")

    path = created(trees, repo, "one")

    assert "<<<<" in (repo / "file").read_text()
    assert (path / "file").read_text() == "ours"
    assert listed(trees, repo)["repo"].detached


def test_a_linked_way_to_the_repository_leads_to_the_real_one(
    trees: Worktrees, repo: Path, top: Path
) -> None:
    (top / "link").symlink_to(repo)

    assert created(trees, top / "link", "one").parent == top / "repo-worktrees"


def test_of_two_who_want_one_branch_one_gets_it(trees: Worktrees, repo: Path, git: Git) -> None:
    with ThreadPoolExecutor(4) as threads:
        results = list(threads.map(lambda _: create(trees, repo, "one"), range(4)))

    made = [result for result in results if result.status == "ok"]
    assert len(made) == 1
    assert branches(git, repo) == ["main", "one"]
    assert [path.name for path in (repo.with_name("repo-worktrees")).iterdir()] == [
        Path(str(made[0].worktree_path)).name
    ]
    assert len(listed(trees, repo)) == 2


def test_branches_that_share_a_directory_name_get_two(trees: Worktrees, repo: Path) -> None:
    names = ["a/b", "a-b"]
    with ThreadPoolExecutor(2) as threads:
        paths = list(threads.map(lambda name: created(trees, repo, name), names))

    assert sorted(path.name for path in paths) == ["a-b", "a-b-2"]
    assert sorted(str(tree.branch) for tree in listed(trees, repo).values()) == ["a-b", "a/b", "main"]


def test_when_all_names_are_taken_nothing_is_made(trees: Worktrees, repo: Path, git: Git) -> None:
    parent = repo.with_name("repo-worktrees")
    for name in ["one", *(f"one-{number}" for number in range(2, 51))]:
        (parent / name).mkdir(parents=True)

    assert "are taken" in str(create(trees, repo, "one").error)
    assert branches(git, repo) == ["main"]


def test_a_checkout_that_fails_leaves_nothing(trees: Worktrees, repo: Path, git: Git) -> None:
    git(repo, "config", "filter.own.smudge", "false")
    git(repo, "config", "filter.own.required", "true")
    (repo / ".git" / "info" / "attributes").write_text("* filter=own\n")

    assert "smudge filter own failed" in str(create(trees, repo, "a/b").error)
    assert branches(git, repo) == ["main"]
    assert not repo.with_name("repo-worktrees").exists()
    assert list(listed(trees, repo)) == ["repo"]


def test_no_hook_and_no_monitor_of_the_repository_runs(
    trees: Worktrees, repo: Path, top: Path, git: Git
) -> None:
    trace = top / "trace"
    script = top / "script"
    script.write_text(f"#!/bin/sh\necho ran >> {trace}\n")
    script.chmod(0o755)
    for name in ("post-checkout", "reference-transaction", "post-index-change", "fsmonitor-watchman"):
        (repo / ".git" / "hooks" / name).symlink_to(script)
    git(repo, "config", "core.fsmonitor", str(script))
    git(repo, "remote", "add", "origin", f"ext::{script}")
    git(repo, "config", "protocol.ext.allow", "always")
    trace.unlink(missing_ok=True)

    path = created(trees, repo, "one")
    create(trees, repo, "two", base_branch="later")
    listed(trees, repo, for_cleanup=True)
    remove(trees, path, only_clean=True)

    assert not path.exists()
    assert not trace.exists()


def test_a_branch_that_is_checked_out_elsewhere(trees: Worktrees, repo: Path, git: Git) -> None:
    assert "already checked out" in str(create(trees, repo, "main", existing_branch=True).error)
    path = created(trees, repo, "one")
    git(path, "checkout", "--quiet", "--detach")
    git(repo, "checkout", "--quiet", "one")

    error = str(remove(trees, path, branch="one", delete_branch=True))

    assert "checked out" in error
    assert not path.exists()
    assert "one" in branches(git, repo)


def test_an_existing_branch_survives_a_checkout_that_fails(trees: Worktrees, repo: Path, git: Git) -> None:
    git(repo, "branch", "theirs")
    git(repo, "config", "filter.own.smudge", "false")
    git(repo, "config", "filter.own.required", "true")
    (repo / ".git" / "info" / "attributes").write_text("* filter=own\n")

    assert create(trees, repo, "theirs", existing_branch=True).status == "failed"
    assert branches(git, repo) == ["main", "theirs"]


def test_a_locked_work_tree_stays(trees: Worktrees, repo: Path, git: Git) -> None:
    path = created(trees, repo, "one")
    git(repo, "worktree", "lock", str(path))

    assert "locked" in str(remove(trees, path, branch="one", delete_branch=True))
    assert (path / "file").exists()
    assert "one" in branches(git, repo)


def test_unmerged_commits_go_with_a_branch_that_is_to_go(trees: Worktrees, repo: Path, git: Git) -> None:
    path = created(trees, repo, "one")
    commit(git, path, "own")

    assert remove(trees, path, branch="one", delete_branch=True) is None
    assert branches(git, repo) == ["main"]


def test_a_link_in_the_place_of_a_work_tree_is_not_followed(trees: Worktrees, repo: Path, git: Git) -> None:
    one, other = created(trees, repo, "one"), created(trees, repo, "other")
    git(repo, "worktree", "move", str(one), str(one.with_name("moved")))
    one.symlink_to(other)

    assert "has become a link" in str(remove(trees, one, branch="one", delete_branch=True))
    assert (other / "file").exists()
    with pytest.raises(AssertionError):
        listed(trees, one, for_cleanup=True)


def test_a_work_tree_that_was_deleted_by_hand_still_loses_its_branch(
    trees: Worktrees, repo: Path, git: Git
) -> None:
    path = created(trees, repo, "one")
    git(repo, "worktree", "move", str(path), str(repo.with_name("aside")))
    assert remove(trees, path, branch="one", delete_branch=True) is not None
    git(repo, "worktree", "move", str(repo.with_name("aside")), str(path))
    (path / "file").unlink()
    (path / ".git").unlink()
    path.rmdir()

    assert remove(trees, path, branch="one", delete_branch=True) is None
    assert branches(git, repo) == ["main"]


def test_what_is_no_work_tree_is_not_removed(trees: Worktrees, repo: Path) -> None:
    inside = repo / "sub"
    inside.mkdir()

    assert "is not a work tree" in str(remove(trees, inside))
    assert "does not exist" in str(remove(trees, repo.with_name("none")))
    assert "absolute" in str(trees.remove(RemoveWorktree(request_id="1", worktree_path="repo")).error)
    assert inside.is_dir()


def test_a_way_out_of_the_allowed_directories_is_refused(
    repo: Path, top: Path, git: Git, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    repo.with_name("repo-worktrees").symlink_to(outside)
    limited = Worktrees(FileSystem(workspace_root=top, roots=(top,)), ENVIRON)

    assert "allows" in str(create(limited, repo, "one").error)
    assert list(outside.iterdir()) == []
    assert branches(git, repo) == ["main"]


def test_a_cleaning_list_says_what_would_be_lost(trees: Worktrees, repo: Path, top: Path, git: Git) -> None:
    git(top, "clone", "--quiet", str(repo), "clone")
    clone = top / "clone"
    paths = {
        name: created(trees, clone, name) for name in ("clean", "new", "changed", "ahead", "loose", "gone")
    }
    (paths["new"] / "untracked").write_text("x")
    (paths["changed"] / "file").write_text("y")
    commit(git, paths["ahead"], "own")
    git(paths["loose"], "checkout", "--quiet", "--detach")
    commit(git, paths["loose"], "lost")
    git(clone, "worktree", "move", str(paths["gone"]), str(top / "away"))
    (top / "away").rename(top / "further")

    found = listed(trees, clone, for_cleanup=True)

    shown = {name: (tree.is_dirty, tree.unpushed, tree.made_for) for name, tree in found.items()}
    assert shown == {
        "clone": (None, None, None),
        "clean": (False, 0, "req_1"),
        "new": (True, 0, "req_1"),
        "changed": (True, 0, "req_1"),
        "ahead": (False, 1, "req_1"),
        "loose": (False, 1, "req_1"),
        "away": (None, None, None),
    }
    assert (found["loose"].branch, found["loose"].detached) == (None, True)
    assert {tree.is_dirty for tree in listed(trees, clone).values()} == {None}


def test_a_recorded_path_that_is_gone_still_leads_to_its_repository(trees: Worktrees, repo: Path) -> None:
    assert list(listed(trees, repo / "src" / "gone", for_cleanup=True)) == ["repo"]


def test_only_a_clean_work_tree_goes_when_nothing_may_be_lost(trees: Worktrees, repo: Path, git: Git) -> None:
    names = ("clean", "ahead", "new", "changed", "loose")
    paths = {name: created(trees, repo, name) for name in names}
    commit(git, paths["ahead"], "own")
    (paths["new"] / "untracked").write_text("x")
    (paths["changed"] / "file").write_text("y")
    git(paths["loose"], "checkout", "--quiet", "--detach")
    commit(git, paths["loose"], "lost")

    errors = {name: remove(trees, path, only_clean=True) for name, path in paths.items()}

    assert [name for name, error in errors.items() if error is None] == ["clean", "ahead"]
    assert [name for name, path in paths.items() if path.exists()] == ["new", "changed", "loose"]
    assert {"clean", "ahead"} <= set(branches(git, repo))


def test_a_work_tree_whose_name_is_no_text_is_left_out(trees: Worktrees, repo: Path, top: Path) -> None:
    name = os.fsencode(top) + b"/no\xfftext"
    subprocess.run(
        (b"git", b"worktree", b"add", b"--quiet", b"--detach", name), cwd=repo, env=ENVIRON, check=True
    )

    assert list(listed(trees, repo, for_cleanup=True)) == ["repo"]


def test_a_machine_without_git_says_so(top: Path, repo: Path) -> None:
    without = Worktrees(FileSystem(workspace_root=top), {**ENVIRON, "PATH": str(top / "nothing")})

    error = str(create(without, repo, "one").error)

    assert error == "git cannot be run here: No such file or directory"
