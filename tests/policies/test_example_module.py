"""The example of an operator's own policy module runs as its first lines say."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from omnigent.policies.loading import load
from omnigent.policies.registry import build_registry
from tests.policies.events import Json, request, shell, tool_call

HANDLER = "github_mcp_policy.block_non_misc_push"
FOLDER = Path(__file__).parents[2] / "examples" / "policies"
REPO = {"owner": "o", "repo": "r"}
URL = "https://github.com/o/r"


@pytest.fixture(scope="module")
def policy() -> Iterator[Any]:
    """The handler as a server has it that names the module in its config file."""
    with pytest.MonkeyPatch.context() as surroundings:
        surroundings.syspath_prepend(str(FOLDER))
        entry = build_registry(["github_mcp_policy"]).get(HANDLER)
        assert entry is not None
        yield load(entry).call


@pytest.mark.parametrize(
    "event",
    [
        *(shell("git push origin misc/a"), shell(f"cd x && git push -f {URL} HEAD:misc/a/b 2>&1")),
        *(shell("git status && git fetch"), shell("gh pr view 5"), shell("gh issue create --title x")),
        shell("gh api -X PUT repos/o/r/contents/a -f branch=misc/a -f message=m"),
        tool_call("mcp__github__push_files", REPO | {"branch": "misc/a"}),
        tool_call("mcp__github__create_or_update_file", REPO | {"branch": "refs/heads/misc/a"}),
        *(
            tool_call("mcp__github__get_me"),
            tool_call("Read", {"path": "x"}),
            request("git push origin main"),
        ),
    ],
)
def test_pushes_below_misc_and_everything_else_pass(policy: Any, event: Json) -> None:
    assert policy(event) is None


@pytest.mark.parametrize(
    "event",
    [
        *(
            shell("git push origin main"),
            shell("git push origin HEAD:main"),
            shell("git push origin miscellany"),
        ),
        *(
            shell("git push origin misc/a main"),
            shell("git push origin +main"),
            shell("git push origin :main"),
        ),
        *(shell("git -C dir push origin misc/a:main"), shell("sudo bash -c 'git push origin main'")),
        *(shell("git push --tags"), shell("ls\ngit push origin main; git push")),
        shell("gh api -X PUT repos/o/r/contents/a -f branch=main"),
        tool_call("mcp__github__push_files", REPO | {"branch": "main"}),
        tool_call("push_files", REPO | {"branch": "refs/heads/main"}),
        tool_call("mcp__github__delete_branch", REPO | {"branch": "main"}),
    ],
)
def test_pushes_to_other_branches_are_denied(policy: Any, event: Json) -> None:
    assert policy(event)["result"] == "DENY"


@pytest.mark.parametrize(
    "event",
    [
        *(shell("git push"), shell("git push origin HEAD"), shell("git push --all origin")),
        *(shell("git push origin $branch"), shell("$(echo git) push"), shell("bash push.sh")),
        *(shell("git p misc/a"), shell("git push origin misc/a 'x")),
        tool_call("mcp__github__push_files", REPO),
    ],
)
def test_what_cannot_be_read_is_asked_about(policy: Any, event: Json) -> None:
    assert policy(event)["result"] == "ASK"
