"""A session in a git work tree of its own, in real processes; and what a crash leaves of it."""

import contextlib
import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import httpx

from tests.e2e.api import of_type
from tests.e2e.program import ROOT, python, wait_for
from tests.e2e.stack import Stack
from tests.worktrees.repository import Repository

SECONDS = 60


def orphans(stack: Stack, *arguments: str) -> list[dict[str, Any]]:
    """What the operator's command says."""
    command = python("manage.py", "orphaned_worktrees", "--older-than", "0", "--json", *arguments)
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=stack.servers[0].environ,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def body_of(stack: Stack, repository: Repository, branch: str) -> dict[str, Any]:
    """A request for a session in a new work tree."""
    return {
        "agent_id": stack.api.agent_id(),
        "host_id": "auto",
        "workspace": str(repository.path),
        "git": {"branch_name": branch},
    }


def test_an_agent_works_in_its_tree_until_both_are_deleted(stack: Stack, tmp_path: Path) -> None:
    repository = Repository(tmp_path.resolve() / "a repository")
    session = stack.api.create(**body_of(stack, repository, "feature/one"))
    tree = repository.tree("feature-one")

    stack.api.message(session["id"], "Run the shell command: echo hi > made && git branch --show-current")
    stream = stack.stream(session["id"], after=0)
    stream.wait_settled()

    assert (session["workspace"], session["git_branch"]) == (str(tree), "feature/one")
    assert "feature/one" in of_type(stack.api.items(session["id"]), "function_call_output")[-1]["output"]
    assert (tree / "made").read_text() == "hi\n"
    assert not (repository.path / "made").exists()

    answer = stack.api.http.delete(f"/v1/sessions/{session['id']}", params={"delete_branch": "true"})

    assert answer.status_code == httpx.codes.OK
    assert not tree.exists()
    assert repository.branches() == ["main"]


def test_a_tree_made_while_the_servers_were_killed_is_found_and_removed(
    own_stack: Stack, tmp_path: Path
) -> None:
    repository = Repository(tmp_path.resolve() / "repo")
    begun, go_on = tmp_path / "begun", tmp_path / "go_on"
    repository.git(
        "config", "filter.slow.smudge", f"touch {begun}; until [ -e {go_on} ]; do sleep 0.05; done; cat"
    )
    (repository.path / ".git" / "info" / "attributes").write_text("* filter=slow\n")
    tree = repository.tree("one")
    request = body_of(own_stack, repository, "one")

    def ask() -> None:
        with contextlib.suppress(httpx.HTTPError):
            own_stack.api.http.post("/v1/sessions", json=request, timeout=SECONDS)

    asking = threading.Thread(target=ask)
    asking.start()
    wait_for(begun.exists, seconds=SECONDS, what="git checking files out")
    for server in own_stack.servers:
        server.kill()
    go_on.touch()
    asking.join(SECONDS)
    wait_for(lambda: (tree / "file").exists(), seconds=SECONDS, what="the work tree")
    for index in range(len(own_stack.servers)):
        own_stack.start_server(index)
    # The killed servers' lease of the host's tunnel has to make way first.
    own_stack.wait_host()
    found = wait_for(
        lambda: [row for row in orphans(own_stack) if row["state"] == "clean"],
        seconds=SECONDS,
        what="the orphan, clean",
        every=0.5,
    )

    assert [(row["path"], row["branch"]) for row in found] == [(str(tree), "one")]
    assert own_stack.api.get("/v1/sessions")["data"] == []
    (removed,) = orphans(own_stack, "--remove")
    assert removed["removed"] is True
    assert not tree.exists()
    assert repository.branches() == ["main", "one"]
