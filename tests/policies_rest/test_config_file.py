"""The operator's config file: its policies, its modules, and what is wrong with it."""

import pytest

from policies_app.checks import check_catalogue
from tests.policies_rest.conftest import Build
from tests.policies_rest.people import ASK, MAX_CALLS, NEW, URL, local, send

MODULE = "tests.policies_rest.operators_module"
GOOD = f"""
policy_modules: [{MODULE}]
policies:
  limit_calls:
    type: function
    handler: {MAX_CALLS}
    factory_params: {{limit: 3}}
  ask_first:
    type: function
    function: {{path: {ASK}}}
    ask_timeout: 60
  closed:
    type: function
    handler: {MODULE}.deny_everything
llm: {{model: openai/gpt-5}}
"""


@pytest.mark.django_db
def test_policies_of_the_file_are_listed_last_and_cannot_be_changed(configured: Build) -> None:
    stored = send(local(), "POST", URL, NEW).json()
    configured(GOOD)

    rows = send(local(), "GET", URL).json()["data"]

    assert rows[0] == stored
    assert rows[1] == {
        "id": None,
        "object": "default_policy",
        "name": "limit_calls",
        "type": "python",
        "handler": MAX_CALLS,
        "factory_params": {"limit": 3},
        "enabled": True,
        "source": "config",
        "created_at": None,
        "updated_at": None,
        "created_by": None,
    }
    assert [row["name"] for row in rows[2:]] == ["ask_first", "closed"]
    assert "factory_params" not in rows[2]
    assert send(local(), "PATCH", f"{URL}/None", {"enabled": False}).status_code == 404


def test_good_file_has_no_problem(configured: Build) -> None:
    found = configured(GOOD)

    assert check_catalogue(found) == []
    assert found.llm == {"model": "openai/gpt-5"}
    assert found.registry.get(f"{MODULE}.deny_everything") is not None


BAD = {
    "not YAML": ("policies: [", "policies_app.E001", "line"),
    "not a mapping": ("- a", "policies_app.E001", "must be a mapping"),
    "unknown key": ("polices: {}", "policies_app.E001", "polices: unknown key"),
    "policy of the wrong shape": ("policies: {a: 1}", "policies_app.E001", "policies.a"),
    "no type": (f"policies: {{a: {{handler: {ASK}}}}}", "policies_app.E001", "type"),
    "no handler": ("policies: {a: {type: function}}", "policies_app.E001", "handler: required"),
    "unknown handler": (
        "policies: {a: {type: function, handler: os.system}}",
        "policies_app.E001",
        "'os.system' is not registered",
    ),
    "wrong params": (
        f"policies: {{a: {{type: function, handler: {MAX_CALLS}, factory_params: {{limit: x}}}}}}",
        "policies_app.E001",
        "'limit' must be integer",
    ),
    "no such module": ("policy_modules: [no.such.module]", "policies_app.E002", "no.such.module cannot"),
    "module without registry": ("policy_modules: [json]", "policies_app.E002", "json has no list"),
}


@pytest.mark.parametrize(("text", "check_id", "words"), BAD.values(), ids=BAD)
def test_problem_is_reported_in_words(configured: Build, text: str, check_id: str, words: str) -> None:
    problems = check_catalogue(configured(text))

    assert [problem.id for problem in problems] == [check_id]
    assert words in problems[0].msg
    assert problems[0].hint


def test_file_that_is_not_there_is_a_problem(configured: Build) -> None:
    from_nowhere = configured(GOOD, modules=["no.such.module"])

    assert [problem.id for problem in check_catalogue(from_nowhere)] == ["policies_app.E002"]


@pytest.mark.parametrize("allowed", [["not a host"], ["0.0.0.0/0"], ["::/0"]])
def test_exceptions_that_make_no_sense_are_reported_and_none_holds(
    configured: Build, allowed: list[str]
) -> None:
    found = configured(allowed=[*allowed, "10.0.0.0/24"])

    assert [problem.id for problem in check_catalogue(found)] == ["policies_app.E003"]
    assert found.outbound.networks == ()
