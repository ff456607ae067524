"""The GitHub policy over git and gh on the command line."""

import pytest

from omnigent.policies.builtins.github import github_policy
from tests.policies.events import Json, shell, tool_call

URL = "https://github.com/ok/repo"
HELD = {"write_repos": ["ok/repo"], "write_branches": ["main", "misc/*"]}
WIDE = {"write_repos": ["ok/repo"]}
CLOSED = {"read_all": False, "read_repos": ["ok/repo"]}


def answer_to(params: Json, command: str) -> str:
    """ALLOW, DENY or ASK; no opinion is ALLOW."""
    answer = github_policy(**params)(shell(command))
    return "ALLOW" if answer is None else str(answer["result"])


ALLOWED = [
    ({}, "git status && git commit -m 'costs $5, git push later' && git log --oneline | head -3"),
    ({}, "ls -la .git; cat README.md; npm test; python build.py; echo git push"),
    ({}, "git -c user.name=a -c core.pager=cat log"),
    ({}, "git grep 'end$' && gh pr view $number"),
    ({}, "git config user.name a && git config --get remote.origin.url && git remote -v"),
    (
        {},
        "git fetch origin && git pull --rebase origin main && git clone -b x --depth 1 https://github.com/a/b",
    ),
    ({}, "gh pr view 5 && gh auth status && gh search repos x && gh run watch 3"),
    ({}, "gh api repos/evil/x && gh api -X GET search/code -f q=x && gh api user"),
    ({}, "curl -sL https://api.github.com/repos/evil/x"),
    (CLOSED, f"git clone {URL}.git dir && git ls-remote {URL}"),
    (CLOSED, "gh pr view 5 -R ok/repo && gh repo clone ok/repo && gh api repos/ok/repo/pulls"),
    (HELD, f"git push {URL} main"),
    (HELD, "git push -u git@github.com:ok/repo.git HEAD:refs/heads/misc/a 2>&1 | tail -3"),
    (HELD, f"git -C dir push -q {URL} local:misc/a main"),
    (HELD, f"sudo -u me timeout 30 env A=1 git push --repo={URL} {URL} main"),
    (HELD, f"bash -c 'cd x && git push {URL} main'"),
    (HELD, "gh pr create -R ok/repo --base main --head misc/x --title t"),
    (HELD, "gh issue comment 5 --repo ok/repo --body hi && gh pr close https://github.com/ok/repo/pull/5"),
    (HELD, "gh workflow run ci -R github.com/ok/repo --ref main"),
    (HELD, "gh api -X PUT repos/ok/repo/contents/a -f branch=misc/a -f content=x"),
    (HELD, "gh api repos/ok/repo/issues -f title=x"),
    (WIDE, f"git push {URL}"),
    (WIDE | {"deny_force_push": False}, f"git push --force-with-lease {URL} main"),
    (WIDE | {"deny_tag_push": False}, f"git push {URL} refs/tags/v1 v1.2.3"),
    (WIDE | {"allow_destructive": True}, f"git push {URL} :old && gh release delete v1 -R ok/repo"),
]
DENIED = [
    ({}, f"git push {URL} main"),
    (CLOSED, "git clone https://github.com/evil/x"),
    (CLOSED, "gh pr view 5 -R evil/x"),
    (CLOSED, "gh api repos/evil/x"),
    (HELD, "git push https://github.com/evil/x main"),
    (HELD, f"git push {URL} release"),
    (HELD, f"git push {URL} main:release"),
    (HELD, f"git push {URL} main:misc/../release"),
    (HELD, f"git push {URL} main release"),
    (HELD, "git push --force origin main"),
    (HELD, "git push -uf origin main"),
    (HELD, "git push --force-with-lease=main:abc origin main"),
    (HELD, "git push --force-w origin main"),
    (HELD, f"git push {URL} +main"),
    (HELD, f"git push {URL} +HEAD:main"),
    (HELD, "git push --mirror"),
    (HELD, f"git push {URL} --delete misc/a"),
    (HELD, f"git push --del {URL} misc/a"),
    (HELD, f"git push -d {URL} misc/a"),
    (HELD, f"git push {URL} :misc/a"),
    (HELD, "git push origin --tags"),
    (HELD, "git push --follow-tags origin main"),
    (HELD, f"git push {URL} refs/tags/v1"),
    (HELD, f"git push {URL} tag v1"),
    (HELD, f"git push {URL} v1:refs/tags/v1"),
    (HELD, "gh pr create -R evil/x --base main"),
    (HELD, "gh pr create -R ok/repo -Brelease"),
    (HELD, "gh pr merge https://github.com/evil/x/pull/5"),
    (HELD, "gh pr merge 5 -R ok/repo -sd"),
    (HELD, "gh release delete v1 -R ok/repo"),
    (HELD, "gh repo delete ok/repo --yes"),
    (HELD, "gh secret remove A -R ok/repo"),
    (HELD, "gh api -X DELETE repos/ok/repo/branches/main"),
    (HELD, "gh api -XDELETE repos/ok/repo"),
    (HELD, "gh api --method=delete /repos/ok/repo/issues/1"),
    (HELD, "gh api repos/evil/x/issues -f title=x"),
    (HELD, "gh api -X PATCH repos/ok/repo/git/refs/heads/main -F force=true"),
    (HELD, "gh api repos/ok/repo/git/refs -f ref=refs/tags/v1 -f sha=a"),
    (HELD, "gh api -X PUT repos/ok/repo/contents/a -f branch=release"),
    (HELD, "git push origin main; git push -f"),
]
ASKED = [
    (HELD, "git push"),
    (HELD, "git push origin main"),
    (HELD, "git push ../repo main"),
    (HELD, f"git push {URL}"),
    (HELD, f"git push {URL} HEAD"),
    (HELD, f"git push {URL} main HEAD"),
    (HELD, f"git push --all {URL}"),
    (HELD, f"git push {URL} 'refs/heads/*'"),
    (HELD | {"write_branches": []}, f"git push {URL} v1.2.3"),
    (CLOSED, "git fetch origin"),
    (CLOSED, "git fetch --all"),
    (CLOSED, f"git clone --recurse-submodules {URL}"),
    (CLOSED, "gh pr view 5"),
    (CLOSED, "gh pr view -R ok/repo $more"),
    (CLOSED, "git remote -v update"),
    (HELD, "gh pr create --base main"),
    (HELD, "gh pr merge 5 -R ok/repo"),
    (HELD, "gh pr create -R ok/repo"),
    (HELD, "gh issue transfer 5 evil/x -R ok/repo"),
    (HELD, "gh secret set A --org evil -R ok/repo"),
    (HELD, "gh gist create a.txt"),
    (HELD, "gh api graphql -f query='mutation{x}'"),
    (HELD, "gh api -X PUT repos/ok/repo/contents/a --input body.json"),
    (HELD, "gh api -X POST repos/{owner}/{repo}/issues"),
]


@pytest.mark.parametrize(("params", "command"), ALLOWED)
def test_commands_within_the_bounds_pass(params: Json, command: str) -> None:
    assert answer_to(params, command) == "ALLOW"


@pytest.mark.parametrize(("params", "command"), DENIED)
def test_commands_beyond_the_bounds_are_denied(params: Json, command: str) -> None:
    assert answer_to(params, command) == "DENY"


@pytest.mark.parametrize(("params", "command"), ASKED)
def test_commands_that_do_not_say_enough_are_asked_about(params: Json, command: str) -> None:
    assert answer_to(params, command) == "ASK"


def test_only_the_listed_shell_tools_are_read() -> None:
    policy = github_policy(shell_tools=["run"])

    assert policy(shell("git push -f", tool="Bash")) is None
    assert (policy(shell("git push -f", tool="run")) or {})["result"] == "DENY"


def test_a_shell_call_whose_arguments_are_a_text_is_asked_about() -> None:
    call = tool_call("Bash") | {"data": {"name": "Bash", "arguments": '{"command": "git push -f"}'}}

    assert (github_policy()(call) or {})["result"] == "ASK"


def test_a_command_given_as_a_list_of_words_is_read() -> None:
    answer = github_policy()(tool_call("Bash", {"command": ["git", "push", "--force"]}))

    assert (answer or {})["result"] == "DENY"
