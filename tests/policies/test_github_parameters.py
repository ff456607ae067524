"""The parameters of the GitHub policy, and which repository a text names."""

import inspect

import pytest

from omnigent.policies.builtins.github import POLICY_REGISTRY, github_policy
from omnigent.policies.loading import load
from omnigent.policies.params import problems
from omnigent.policies.registry import build_registry
from tests.policies.events import Json, shell

HANDLER = "omnigent.policies.builtins.github.github_policy"


@pytest.mark.parametrize(
    "text",
    [
        *("ok/repo", "OK/Repo", "ok/repo.git", "github.com/ok/repo", "https://github.com/ok/repo"),
        *("https://github.com/ok/repo/", "https://github.com/ok/repo.git", "http://www.github.com/ok/repo"),
        *(
            "https://user:token@github.com/ok/repo",
            "git@github.com:ok/repo.git",
            "ssh://git@github.com/ok/repo",
        ),
        *("ssh://git@ssh.github.com:443/ok/repo.git", "https://api.github.com/repos/ok/repo/issues"),
        *("https://github.com/ok/repo/pull/5", "git://github.com/ok/repo", "GIT@GITHUB.COM:OK/REPO"),
    ],
)
def test_a_repository_is_known_however_it_is_written(text: str) -> None:
    evaluate = github_policy(write_repos=[text])

    assert evaluate(shell("gh issue create -R ok/repo --title x")) is None


@pytest.mark.parametrize(
    "text",
    [
        *("repo", "ok/", "/repo", "ok/repo/more", "ok/..", "ok/.git", "-ok/repo", "../ok/repo", "ok repo/x"),
        *("https://github.com.evil.example/ok/repo", "https://evilgithub.com/ok/repo"),
        *("https://github.com@evil.example/ok/repo", "https://evil.example/github.com/ok/repo"),
        *("https://evil.example#@github.com/ok/repo", "https://github.com\\@evil.example/ok/repo"),
        *(
            "git@github.com.evil.example:ok/repo.git",
            "git@evil.example:github.com/ok/repo",
            "ftp://github.com/a/b",
        ),
        *(
            "https://github.com/ok/repo/../../evil/x",
            "https://github.com/ok/%2e%2e/x",
            "https://github.com//ok/x",
        ),
        *(
            "https://github.com/ok",
            "https://[github.com/ok/repo",
            "ext::sh -c id",
            "https://gist.github.com/ok/x",
        ),
        *("https://github。com/ok/repo", "https://github.com/ок/repo", "ok/repo\n", "git@github.com:ok/../x"),
    ],
)
def test_an_address_in_doubt_names_no_repository(text: str) -> None:
    if text.strip() == text:
        with pytest.raises(ValueError, match="neither owner/repo nor an address"):
            github_policy(write_repos=[text])

    answer = github_policy(write_repos=["ok/repo", "ok/x"])(shell(f"git push '{text}' main"))

    assert answer is not None
    assert answer["result"] == "ASK"


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"read_all": "yes"}, "read_all must be true or false"),
        ({"allow_destructive": 1}, "allow_destructive must be true or false"),
        ({"read_repos": "ok/repo"}, "read_repos must be a list of texts"),
        ({"write_branches": [""]}, "write_branches must be a list of texts"),
        ({"write_branches": [7]}, "write_branches must be a list of texts"),
        ({"shell_tools": None}, "shell_tools must be a list of texts"),
        ({"deny_reason": None}, "deny_reason must be a text"),
    ],
)
def test_bad_parameters_are_refused_in_words(params: Json, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        github_policy(**params)


def test_the_schema_names_every_parameter_with_its_default() -> None:
    schema = POLICY_REGISTRY[0]["params_schema"]
    assert isinstance(schema, dict)
    signature = inspect.signature(github_policy)

    defaults = {name: parameter.default for name, parameter in signature.parameters.items()}
    described = {name: rule["default"] for name, rule in schema["properties"].items()}

    assert {
        name: list(value) if isinstance(value, tuple) else value for name, value in defaults.items()
    } == described
    assert all(rule["description"] for rule in schema["properties"].values())


def test_the_registry_builds_the_policy_and_refuses_unknown_parameters() -> None:
    entry = build_registry([]).get(HANDLER)
    assert entry is not None

    assert problems(entry, {"read_al": True}) == ["unknown parameter 'read_al'"]
    assert problems(entry, {"write_repos": ["ok/repo"], "read_all": False}) == []
    assert load(entry, {"write_repos": ["ok/repo"]}) is not None
