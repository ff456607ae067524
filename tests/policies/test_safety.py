"""Tool limits, loops, OS tools, skills and the mandatory guards."""

from typing import Any

import pytest

from omnigent.policies.builtins.safety import (
    ask_on_add_policy,
    ask_on_os_tools,
    ask_on_scheduled_task_change,
    block_skills,
    detect_loop,
    max_tool_calls_per_session,
)
from tests.policies.events import event, request, tool_call, tool_result

Json = dict[str, Any]
COUNT = "_policy_tool_call_count"
HASHES = "_policy_loop_recent_hashes"


def result_of(answer: Json | None) -> str | None:
    return None if answer is None else answer["result"]


@pytest.mark.parametrize(("made", "result"), [(0, "ALLOW"), (2, "ALLOW"), (3, "DENY"), (4, "DENY")])
def test_tool_calls_are_denied_from_the_limit_on(made: int, result: str) -> None:
    answer = max_tool_calls_per_session(limit=3)(tool_call("x", state={COUNT: made}))

    assert result_of(answer) == result


def test_an_allowed_call_sets_the_count_and_a_denied_one_does_not() -> None:
    limit = max_tool_calls_per_session(limit=3)

    allowed, denied = limit(tool_call("x", state={COUNT: 2})), limit(tool_call("x", state={COUNT: 3}))

    assert allowed is not None
    assert allowed["state_updates"] == [{"key": COUNT, "action": "set", "value": 3}]
    assert denied is not None
    assert "3" in denied["reason"]
    assert "state_updates" not in denied


@pytest.mark.parametrize("other", [request("hello"), tool_result("x", "done")])
def test_only_tool_calls_are_counted(other: Json) -> None:
    assert max_tool_calls_per_session(limit=0)(other) is None


def test_a_call_that_repeats_is_asked_about() -> None:
    watch = detect_loop(window=4, threshold=3)
    remembered: list[str] = []
    results, reason = [], ""
    for arguments in ({"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": 2}, {"a": 1, "b": 2}):
        answer = watch(tool_call("x", arguments, state={HASHES: remembered}))
        assert answer is not None
        results.append(answer["result"])
        reason = answer.get("reason", "")
        remembered = answer["state_updates"][0]["value"]

    assert results == ["ALLOW", "ALLOW", "ALLOW", "ASK"]
    assert reason == "x was called 3 times with the same arguments in the last 4 calls"


def test_calls_outside_the_window_are_forgotten() -> None:
    watch = detect_loop(window=2, threshold=2)
    remembered: list[str] = []
    for name in ("x", "y", "x"):
        answer = watch(tool_call(name, state={HASHES: remembered}))
        assert answer is not None
        assert answer["result"] == "ALLOW"
        remembered = answer["state_updates"][0]["value"]

    assert len(remembered) == 2


OS_CALLS = [
    ("Bash", {"command": "ls -la"}, "Bash('ls -la')"),
    ("sys_os_shell", {"command": "ls"}, "sys_os_shell('ls')"),
    ("Grep", {"pattern": "x+", "path": "/etc"}, "Grep('x+')"),
    ("search_files", {"pattern": "x"}, "search_files('x')"),
    ("execute_code", {"code": "y" * 200}, f"execute_code('{'y' * 80}')"),
    ("Read", {"file_path": "/etc/hosts"}, "Read('/etc/hosts')"),
    ("NotebookEdit", {"notebook_path": "a.ipynb"}, "NotebookEdit('a.ipynb')"),
    ("sys_os_write", {"path": "a"}, "sys_os_write('a')"),
    ("developer__tree", {}, "developer__tree()"),
]


@pytest.mark.parametrize(("tool", "arguments", "reason"), OS_CALLS, ids=[row[0] for row in OS_CALLS])
def test_an_os_tool_is_asked_about_with_what_it_would_touch(tool: str, arguments: Json, reason: str) -> None:
    assert ask_on_os_tools(tool_call(tool, arguments)) == {"result": "ASK", "reason": reason}


@pytest.mark.parametrize("other", [tool_call("web_search", {"query": "x"}), tool_result("Bash", "x")])
def test_other_tools_and_phases_are_not_asked_about(other: Json) -> None:
    assert ask_on_os_tools(other) is None


SKILLS = [
    (["deploy"], tool_call("load_skill", {"name": "Deploy"}), "DENY"),
    (["deploy"], tool_call("read_skill_file", {"skill_name": "deploy"}), "DENY"),
    (["deploy"], tool_call("Skill", {"skill": "/deploy"}), "DENY"),
    (["deploy"], tool_call("Skill", {"skill": "ops:deploy"}), "DENY"),
    (["DEPLOY"], request("/deploy now"), "DENY"),
    (["deploy"], request("  /ops:Deploy"), "DENY"),
    (["deploy"], request("/\uff44eploy"), "DENY"),
    (["ops:deploy"], request("/deploy"), "DENY"),
    (["ops:deploy"], request("/ops:deploy"), "DENY"),
    (["ops:deploy"], request("/dev:deploy"), None),
    (["deploy"], request("/deployment"), None),
    (["deploy"], request("please /deploy"), None),
    (["deploy"], tool_call("load_skill", {"name": "review"}), None),
    (["deploy"], tool_call("Skill", {"name": "deploy"}), None),
    (["deploy"], tool_call("Bash", {"command": "/deploy"}), None),
    (["deploy"], tool_result("load_skill", "x", {"name": "deploy"}), None),
    ([], request("/deploy"), None),
]


@pytest.mark.parametrize(("blocked", "given", "result"), SKILLS)
def test_blocked_skills_are_denied_however_they_are_asked_for(
    blocked: list[str], given: Json, result: str | None
) -> None:
    assert result_of(block_skills(blocked=blocked)(given)) == result


def test_the_reason_names_the_skill() -> None:
    answer = block_skills(blocked=["deploy"])(request("/Deploy now"))

    assert answer is not None
    assert "Deploy" in answer["reason"]


def test_adding_a_policy_always_asks_and_names_policy_and_handler() -> None:
    answer = ask_on_add_policy(tool_call("sys_add_policy", {"name": "mine", "handler": "a.b"}))

    assert answer is not None
    assert answer["result"] == "ASK"
    assert "mine" in answer["reason"]
    assert "a.b" in answer["reason"]


def test_the_guards_go_by_the_target_too() -> None:
    for guard, tool in (
        (ask_on_add_policy, "sys_add_policy"),
        (ask_on_scheduled_task_change, "sys_scheduled_task_update"),
    ):
        hidden = event("tool_call", {"name": "harmless", "arguments": {}}, tool)
        assert result_of(guard(hidden)) == "ASK"
        assert guard(tool_call("web_search")) is None
        assert guard(tool_result(tool, "done")) is None


def test_a_scheduled_task_is_shown_in_a_fixed_order_and_cut_to_size() -> None:
    arguments = {
        "prompt": "p" * 500,
        "other": "o" * 500,
        "rrule": "r" * 500,
        "name": "nightly",
        "x": "y" * 500,
    }
    arguments |= {f"extra{number}": "z" * 50 for number in range(9)}

    answer = ask_on_scheduled_task_change(tool_call("sys_scheduled_task_create", arguments))

    assert answer is not None
    reason = answer["reason"]
    places = [reason.index(part) for part in ("name=nightly", "rrule=", "prompt of 500 characters", "other=")]
    assert places == sorted(places)
    assert "r" * 59 + "…" in reason
    assert "p" * 61 not in reason
    assert len(reason[places[-1] :]) == 200


BAD = [
    (max_tool_calls_per_session, {"limit": "3"}, "limit must be an integer"),
    (max_tool_calls_per_session, {"limit": True}, "limit must be an integer"),
    (max_tool_calls_per_session, {"limit": -1}, "limit must be at least 0"),
    (detect_loop, {"window": 0}, "window must be at least 1"),
    (detect_loop, {"threshold": 0}, "threshold must be at least 1"),
    (block_skills, {"blocked": "deploy"}, "blocked must be a list of strings"),
    (block_skills, {"blocked": [1]}, "blocked must be a list of strings"),
    (block_skills, {"blocked": [" / "]}, "empty name"),
]


@pytest.mark.parametrize(("factory", "params", "words"), BAD)
def test_bad_parameters_are_refused_in_words(factory: Any, params: Json, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        factory(**params)


@pytest.mark.parametrize(
    ("policy", "state"),
    [(max_tool_calls_per_session(limit=3), {COUNT: "2"}), (detect_loop(), {HASHES: "x"})],
)
def test_spoilt_state_is_an_error_and_not_a_fresh_start(policy: Any, state: Json) -> None:
    with pytest.raises(ValueError, match="_policy_"):
        policy(tool_call("x", state=state))
