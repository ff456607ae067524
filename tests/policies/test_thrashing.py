"""An agent whose tools fail again and again."""

from typing import Any

import pytest

from omnigent.policies.builtins.context import POLICY_REGISTRY, detect_thrashing
from omnigent.policies.loading import load
from omnigent.policies.registry import build_registry
from tests.policies.events import request, tool_call, tool_result

STATE_KEY = "_thrashing_results"


def verdicts(results: str, **params: Any) -> list[str]:
    """The verdicts after each of some results, where `x` is a failure and `.` a success."""
    policy, state, found = detect_thrashing(**params), {}, []
    for sign in results:
        text = "Error: no" if sign == "x" else "done"
        answer = policy(tool_result("Bash", text, state=state)) or {}
        state = {update["key"]: update["value"] for update in answer["state_updates"]}
        found.append(answer["result"])
    return found


@pytest.mark.parametrize(
    ("results", "params", "last"),
    [
        ("xxxx", {}, "ALLOW"),
        ("xxxxx", {}, "ASK"),
        ("xxxx.x", {}, "ALLOW"),
        (".....xxxxx", {}, "ASK"),
        ("xxx", {"consecutive_threshold": 3, "action": "DENY"}, "DENY"),
        ("xxxx.xxxx", {}, "ALLOW"),
        ("xxxx.xxxx.", {}, "ASK"),
        ("xxxx.xxx..", {}, "ALLOW"),
        ("xxxx.xxxx..", {}, "ALLOW"),
        ("xxxx.xxxx.", {"window_error_rate": 0}, "ALLOW"),
        ("xxxxxxxxx", {"consecutive_threshold": 0}, "ALLOW"),
        ("xxxxxxxxxx", {"consecutive_threshold": 0}, "ASK"),
        ("xxxxxxxxxx", {"consecutive_threshold": 0, "window_error_rate": 0}, "ALLOW"),
        ("xxxx", {"consecutive_threshold": 4, "window": 2, "window_error_rate": 0}, "ASK"),
        (".x", {"window": 2, "window_error_rate": 0.5}, "ASK"),
        ("x", {"window": 1, "window_error_rate": 1}, "ASK"),
    ],
)
def test_too_many_failures_are_held(results: str, params: dict[str, Any], last: str) -> None:
    assert verdicts(results, **params)[-1] == last


@pytest.mark.parametrize(
    ("result", "is_failure"),
    [
        ("Error: x", 1),
        ("  ERROR - x", 1),
        ("failed: x", 1),
        ("Traceback (most recent call last):", 1),
        ("Exception: x", 1),
        ("fatal: not a git repository", 1),
        ("Command failed with code 1", 1),
        ("Permission denied", 1),
        ("No such file or directory", 1),
        ("ENOENT: x", 1),
        ("eacces: x", 1),
        ("EPERM: x", 1),
        ('{"ok": false, "error": "x"}', 1),
        ({"error": {"code": 3}}, 1),
        ('{"error": null, "data": 1}', 0),
        ('{"data": "' + "x" * 600 + '", "error": "y"}', 0),
        ("2 tests, 0 errors", 0),
        ("the error: x", 0),
        ("", 0),
        (None, 0),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_failure_is_known_by_how_the_result_begins(result: object, is_failure: int) -> None:
    answer = detect_thrashing()(tool_result("Bash", result)) or {}

    assert answer["state_updates"] == [{"key": STATE_KEY, "action": "set", "value": [is_failure]}]


def test_no_more_than_the_window_is_remembered_and_nothing_resets_it() -> None:
    policy = detect_thrashing(window=3, consecutive_threshold=2)
    held = policy(tool_result("Bash", "Error: x", state={STATE_KEY: [0, 1, 1]})) or {}

    assert held["result"] == "ASK"
    assert held["reason"] == "The last 2 tool results were all errors."
    assert held["state_updates"] == [{"key": STATE_KEY, "action": "set", "value": [1, 1, 1]}]


def test_only_tool_results_are_looked_at() -> None:
    state = {STATE_KEY: [1] * 10}

    assert detect_thrashing()(tool_call("Bash", state=state)) is None
    assert detect_thrashing()(request("Error: x", state=state)) is None


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"consecutive_threshold": -1}, "consecutive_threshold must be at least 0"),
        ({"window": 0}, "window must be at least 1"),
        ({"window": True}, "window must be an integer"),
        ({"window_error_rate": 1.1}, "between 0 and 1"),
        ({"window_error_rate": float("nan")}, "between 0 and 1"),
        ({"window_error_rate": "0.8"}, "must be a number"),
        ({"action": "ALLOW"}, "ASK or DENY"),
    ],
)
def test_a_bad_parameter_is_refused_in_words(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        detect_thrashing(**params)


def test_the_defaults_of_the_schema_are_those_of_the_policy() -> None:
    entry = build_registry().get("omnigent.policies.builtins.context.detect_thrashing")
    row = next(row for row in POLICY_REGISTRY if row["handler"].endswith("thrashing"))
    defaults = {name: schema["default"] for name, schema in row["params_schema"]["properties"].items()}

    assert entry is not None
    for results in ([1] * 4, [1] * 3, [1, 1, 1, 1, 0, 1, 1, 1, 0], [0] * 9):
        event = tool_result("Bash", "Error: x", state={STATE_KEY: results})
        assert load(entry, defaults).call(event) == load(entry).call(event)
