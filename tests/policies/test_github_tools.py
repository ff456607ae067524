"""The GitHub policy over the tools of GitHub's MCP server."""

import pytest

from omnigent.policies.builtins.github import github_policy
from tests.policies.events import Json, event, request, tool_call

OK = {"owner": "Ok", "repo": "Repo"}
EVIL = {"owner": "evil", "repo": "repo"}
HELD: Json = {"write_repos": ["ok/repo"], "write_branches": ["main", "misc/*"]}
CLOSED: Json = {"read_all": False, "read_repos": ["https://github.com/ok/repo.git"]}


def answer_to(params: Json, name: str, arguments: Json) -> str:
    """ALLOW, DENY or ASK; no opinion is ALLOW."""
    answer = github_policy(**params)(tool_call(name, arguments))
    return "ALLOW" if answer is None else str(answer["result"])


ALLOWED = [
    ({}, "mcp__github__get_file_contents", EVIL),
    ({}, "mcp__github__github_list_issues", EVIL),
    ({}, "pull_request_read", EVIL),
    ({}, "mcp__github__get_service_info", {}),
    (CLOSED, "mcp__github__get_api_info", {}),
    (CLOSED, "mcp__github__get_commit", OK),
    (CLOSED, "mcp__github__search_code", {"repository": "OK/Repo"}),
    (CLOSED, "github__fetch_page", {"url": "https://github.com/ok/repo/tree/main"}),
    (CLOSED, "mcp__github__read_api_call", {"path": "/repos/ok/repo/pulls"}),
    (HELD, "mcp__github__push_files", OK | {"branch": "main"}),
    (HELD, "push_files", OK | {"branch": "refs/heads/misc/a"}),
    (HELD, "mcp__github__create_pull_request", OK | {"base": "main", "head": "elsewhere"}),
    (HELD, "mcp__github__add_issue_comment", OK | {"body": "https://github.com/evil/repo"}),
    (HELD, "mcp__github__issue_write", {"params": OK}),
    (HELD, "mcp__github__create_issue", {"name_with_owner": "ok/repo"}),
    (HELD, "mcp__github__write_api_call", {"path": "repos/ok/repo/issues", "method": "POST"}),
    (HELD, "mcp__github__delete_pending_pull_request_review", OK),
    (HELD | {"allow_destructive": True}, "delete_file", OK | {"branch": "main"}),
    (HELD, "mcp__gitlab__push_files", EVIL),
    (HELD, "create_widget", EVIL),
    (HELD, "github_status_page", {}),
    ({"mcp_tool_prefixes": ["gh."]}, "mcp__github__zap", {}),
    ({"write_repos": ["ok/repo"]}, "push_files", OK),
]
DENIED = [
    (CLOSED, "mcp__github__get_commit", EVIL),
    (CLOSED, "mcp__github__get_commit", {}),
    (CLOSED, "mcp__github__get_commit", OK | {"repository": "evil/repo"}),
    (CLOSED, "mcp__github__get_commit", OK | {"url": "https://github.com/evil/repo"}),
    (CLOSED, "mcp__github__get_commit", OK | {"repository": "https://github.com.evil.example/ok/repo"}),
    (CLOSED, "get_file_contents", {"owner": "ok", "repo": "repo/../../evil/repo"}),
    (CLOSED, "mcp__github__read_api_call", {"path": "/repos/ok/repo/../../evil/repo"}),
    (HELD, "mcp__github__read_api_call", {"path": "/repos/evil/repo", "method": "PATCH"}),
    ({}, "mcp__github__push_files", OK),
    (HELD, "mcp__github__push_files", EVIL | {"branch": "main"}),
    (HELD, "mcp__github__push_files", OK | {"branch": "release"}),
    (HELD, "mcp__github__push_files", OK),
    (HELD, "mcp__github__push_files", OK | {"branch": ["main"]}),
    (HELD, "mcp__github__push_files", OK | {"branch": "main", "params": {"branch": "release"}}),
    (HELD, "mcp__github__push_files", OK | {"branch": "main", "input": {"owner": "evil"}}),
    (HELD, "MCP__GitHub__Push_Files", OK | {"branch": "release"}),
    (HELD, "mcp__github__github_push_files", OK | {"branch": "release"}),
    (HELD, "github_rename_thing", EVIL),
    (HELD, "mcp__github__merge_pull_request", OK),
    (HELD, "mcp__github__create_issue", {"repo": "repo"}),
    (HELD, "mcp__github__create_issue", {}),
    (HELD, "mcp__github__create_pull_request", OK | {"head": "main"}),
    (HELD, "mcp__github__create_gist", {}),
    (HELD, "mcp__github__fork_repository", OK | {"organization": "evil"}),
    (HELD, "mcp__github__delete_file", OK | {"branch": "main"}),
    (HELD, "mcp__github__delete_branch", OK | {"branch": "misc/a"}),
    (HELD, "mcp__github__delete_release", OK),
    (HELD, "mcp__github__write_api_call", {"path": "repos/ok/repo/keys/1", "method": "delete"}),
    (HELD, "mcp__github__write_api_call", {"path": "repos/ok/repo/git/refs", "method": "POST"}),
    (HELD, "mcp__github__update_ref", OK | {"ref": "heads/main", "force": True}),
    (HELD, "mcp__github__create_ref", OK | {"ref": "refs/tags/v1", "branch": "main"}),
    (HELD, "mcp__github__zap", OK),
    ({}, "mcp__github__", {}),
]


@pytest.mark.parametrize(("params", "name", "arguments"), ALLOWED)
def test_tools_within_the_bounds_pass(params: Json, name: str, arguments: Json) -> None:
    assert answer_to(params, name, arguments) == "ALLOW"


@pytest.mark.parametrize(("params", "name", "arguments"), DENIED)
def test_tools_beyond_the_bounds_are_denied(params: Json, name: str, arguments: Json) -> None:
    assert answer_to(params, name, arguments) == "DENY"


def test_a_forced_ref_update_passes_when_forcing_is_allowed() -> None:
    arguments = OK | {"ref": "heads/main", "force": True}

    assert answer_to(HELD | {"deny_force_push": False}, "update_ref", arguments) == "ALLOW"


def test_a_denial_names_the_tool_and_the_repository() -> None:
    answer = github_policy(**HELD)(tool_call("mcp__github__create_issue", EVIL))

    assert answer == {
        "result": "DENY",
        "reason": "mcp__github__create_issue: writing to evil/repo is not allowed",
    }


def test_a_denial_uses_the_operators_words() -> None:
    answer = github_policy(deny_reason="ask the release team")(tool_call("create_issue", EVIL))

    assert answer == {"result": "DENY", "reason": "ask the release team"}


@pytest.mark.parametrize("other", [request("git push"), event("tool_result", {"result": "x"}, "push_files")])
def test_other_phases_are_left_alone(other: Json) -> None:
    assert github_policy()(other) is None
