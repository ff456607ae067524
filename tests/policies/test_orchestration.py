"""What orchestrating agents may do: dispatches, writes; and the parameters of all policies for them."""

from typing import Any

import pytest

from omnigent.policies.builtins.orchestration import (
    POLICY_REGISTRY,
    blast_radius,
    headless_subagent_purpose_guard,
    read_only_os,
    spawn_bounds,
    worktree_guard,
)
from omnigent.policies.calls import Handler
from omnigent.policies.loading import load
from omnigent.policies.registry import build_registry
from tests.policies.events import request, shell, tool_call, tool_result

COUNTER = "_policy_spawn_bounds_dispatches"


def result_of(handler: Handler, event: dict[str, Any]) -> str:
    """The verdict of one policy; no opinion lets pass."""
    answer = handler(event)
    return "ALLOW" if answer is None else answer["result"]


def dispatch(
    state: dict[str, Any] | None = None, name: str = "sys_session_send", **args: Any
) -> dict[str, Any]:
    return tool_call(name, {"args": args}, state=state)


def test_dispatches_are_counted_and_denied_above_the_limit() -> None:
    bounds, counts = spawn_bounds(max_dispatches_per_turn=2), []
    state: dict[str, Any] = {}

    results = []
    for _ in range(3):
        answer = bounds(dispatch(state)) or {}
        state = {update["key"]: update["value"] for update in answer["state_updates"]}
        results.append(answer["result"])
        counts.append(state[COUNTER])

    assert results == ["ALLOW", "ALLOW", "DENY"]
    assert counts == [1, 2, 3]
    assert "waves" in (bounds(dispatch(state)) or {})["reason"]


def test_a_message_of_a_person_starts_the_count_again() -> None:
    answer = spawn_bounds()(request("go on", state={COUNTER: 9}))

    assert answer == {"result": "ALLOW", "state_updates": [{"key": COUNTER, "action": "set", "value": 0}]}


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (dispatch({COUNTER: 5}), "DENY"),
        (dispatch({COUNTER: 4}), "ALLOW"),
        (dispatch({COUNTER: 5}, "mcp__omnigent__sys_session_send"), "DENY"),
        (dispatch({COUNTER: 5}, "sys_session_list"), "ALLOW"),
        (tool_result("sys_session_send", "ok", state={COUNTER: 5}), "ALLOW"),
    ],
)
def test_only_dispatches_count(event: dict[str, Any], expected: str) -> None:
    assert result_of(spawn_bounds(), event) == expected


def test_other_tools_can_count_as_dispatches() -> None:
    bounds = spawn_bounds(max_dispatches_per_turn=0, dispatch_tools=["sys_session_create"])

    assert result_of(bounds, tool_call("sys_session_create")) == "DENY"
    assert bounds(dispatch()) is None


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (dispatch(purpose="review"), "ALLOW"),
        (dispatch(purpose="implement", title="x"), "ALLOW"),
        (dispatch(purpose="Review"), "DENY"),
        (dispatch(purpose=["review"]), "DENY"),
        (dispatch(), "DENY"),
        (tool_call("sys_session_send", {"args": "purpose: review"}), "DENY"),
        (tool_call("sys_session_send", {"purpose": "review"}), "DENY"),
        (tool_call("mcp__omnigent__sys_session_send"), "DENY"),
        (tool_call("sys_session_list"), "ALLOW"),
        (request("review"), "ALLOW"),
    ],
)
def test_a_dispatch_needs_an_allowed_purpose(event: dict[str, Any], expected: str) -> None:
    assert result_of(headless_subagent_purpose_guard(), event) == expected


def test_purposes_and_reason_of_the_guard_can_be_set() -> None:
    guard = headless_subagent_purpose_guard(allowed_purposes=["scan"], deny_reason="Only scans.")

    assert guard(dispatch(purpose="scan")) is None
    assert guard(dispatch(purpose="review")) == {"result": "DENY", "reason": "Only scans."}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".worktrees/a/x.py", "ALLOW"),
        ("a/../b", "ALLOW"),
        ("..a/b", "ALLOW"),
        ("/etc/passwd", "DENY"),
        (" /etc/passwd", "DENY"),
        ("~/x", "DENY"),
        ("../x", "DENY"),
        ("a/../../x", "DENY"),
        ("a\\b", "DENY"),
        ("C:x", "DENY"),
        (["x"], "DENY"),
    ],
)
@pytest.mark.parametrize("argument", ["path", "file_path", "notebook_path"])
def test_a_write_stays_below_the_working_directory(path: object, expected: str, argument: str) -> None:
    event = tool_call("Edit", {"path": "ok.py"} | {argument: path})

    assert result_of(worktree_guard(), event) == expected


def test_the_worktree_guard_looks_at_write_tools_only_and_names_its_root() -> None:
    guard = worktree_guard(allowed_root="trees")

    assert guard(tool_call("Read", {"path": "/etc/passwd"})) is None
    assert guard(tool_call("Write", {})) is None
    assert "trees" in (guard(tool_call("Write", {"path": "/x"})) or {})["reason"]


@pytest.mark.parametrize(
    ("tool", "expected"), [("Write", "DENY"), ("sys_os_edit", "DENY"), ("Read", "ALLOW")]
)
def test_a_read_only_agent_writes_nothing(tool: str, expected: str) -> None:
    assert result_of(read_only_os(), tool_call(tool, {"path": "x"})) == expected


@pytest.mark.parametrize(
    ("factory", "params", "words"),
    [
        (blast_radius, {"risky_action": "ALLOW"}, "ASK or DENY"),
        (blast_radius, {"gate_pushes": "yes"}, "true or false"),
        (blast_radius, {"deny_reason": 3}, "must be text"),
        (spawn_bounds, {"max_dispatches_per_turn": -1}, "at least 0"),
        (spawn_bounds, {"max_dispatches_per_turn": True}, "an integer"),
        (spawn_bounds, {"dispatch_tools": "sys_session_send"}, "list"),
        (headless_subagent_purpose_guard, {"allowed_purposes": []}, "one or more"),
        (worktree_guard, {"allowed_root": ""}, "directory"),
        (read_only_os, {"deny_reason": []}, "must be text"),
    ],
)
def test_a_bad_parameter_is_refused_in_words(factory: Any, params: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        factory(**params)


@pytest.mark.parametrize("row", POLICY_REGISTRY, ids=lambda row: row["handler"].rpartition(".")[2])
def test_released_paths_lead_to_the_same_policy_with_the_defaults_its_schema_states(
    row: dict[str, Any],
) -> None:
    registry = build_registry()
    entry = registry.get(f"omnigent.inner.nessie.policies.{row['handler'].rpartition('.')[2]}")
    defaults = {name: schema["default"] for name, schema in row["params_schema"]["properties"].items()}

    assert entry is not None and entry.handler == row["handler"]
    for event in (
        shell("git push"),
        shell("rm -rf /"),
        tool_call("Write", {"path": "/x"}),
        dispatch({COUNTER: 5}),
    ):
        assert load(entry, defaults).call(event) == load(entry).call(event)
