"""A score that grows with calls and labels, and the tools that are held once it is high."""

import json
from typing import Any

import pytest

from omnigent.policies.builtins.risk_score import POLICY_REGISTRY, risk_score_policy
from omnigent.policies.engine import evaluate
from omnigent.policies.loading import load
from omnigent.policies.registry import build_registry
from omnigent.policies.types import Action, Phase, PolicyEvent, PolicyRef, PolicyState
from tests.policies.events import request, tool_call, tool_result

LABELS = {"Confidential": 30, "secret": 60}
PARAMS: dict[str, Any] = {
    "tool_points": {"fetch": 10, "web__fetch": 5},
    "sensitive_labels": LABELS,
    "guarded_tools": ["send_mail"],
    "initial_scores_by_actor": {"guest": 45},
}


def grown(points: int, key: str = "risk_score") -> dict[str, Any]:
    return {"result": "ALLOW", "state_updates": [{"key": key, "action": "increment", "value": points}]}


@pytest.mark.parametrize(
    ("name", "points"),
    [("fetch", 10), ("mcp__web__fetch", 15), ("web__fetch", 15), ("prefetch", 0), ("fetch_all", 0)],
)
def test_a_call_adds_the_points_of_every_name_it_matches(name: str, points: int) -> None:
    assert risk_score_policy(**PARAMS)(tool_call(name)) == (grown(points) if points else None)


@pytest.mark.parametrize(
    ("score", "actor", "expected"),
    [
        (49, "owner", "ALLOW"),
        (50, "owner", "ASK"),
        (4, "guest", "ALLOW"),
        (5, "guest", "ASK"),
        (80, None, "ASK"),
    ],
)
@pytest.mark.parametrize("name", ["send_mail", "mcp__post__send_mail"])
def test_a_guarded_tool_is_held_from_the_threshold_on(
    score: int, actor: str, expected: str, name: str
) -> None:
    context = {"actor": {"run_as": actor}}
    event = tool_call(name, state={"risk_score": score}, context=context)

    answer = risk_score_policy(**PARAMS)(event) or {"result": "ALLOW"}

    assert answer["result"] == expected


def test_a_held_tool_adds_nothing_and_the_reason_tells_score_threshold_and_tool() -> None:
    params = PARAMS | {"tool_points": {"send_mail": 7}, "escalate_action": "DENY", "reason": "Data guard:"}
    policy = risk_score_policy(**params)

    assert policy(tool_call("send_mail", state={"risk_score": 49})) == grown(7)
    assert policy(tool_call("send_mail", state={"risk_score": 56})) == {
        "result": "DENY",
        "reason": "Data guard: Risk score 56 has reached 50: send_mail is held.",
    }


def test_tools_that_are_not_guarded_pass_at_any_score() -> None:
    assert risk_score_policy(**PARAMS)(tool_call("fetch", state={"risk_score": 900})) == grown(10)
    assert risk_score_policy(**PARAMS)(request("hello", state={"risk_score": 900})) is None


def nested(levels: int) -> object:
    value: object = {"classification": "secret"}
    for _ in range(levels):
        value = {"x": value}
    return value


@pytest.mark.parametrize(
    ("result", "points"),
    [
        ({"classification": "CONFIDENTIAL"}, 30),
        ('{"Sensitivity": "secret"}', 60),
        ('[{"dlp_label": "confidential"}, {"sensitivity_label": "Secret"}]', 60),
        ({"label_classification": ["public", "confidential"]}, 30),
        ({"classification": {"name": " Confidential "}}, 30),
        ({"content": [{"type": "text", "text": json.dumps({"classification": "secret"})}]}, 60),
        (nested(19), 60),
        (nested(20), 0),
        ({"title": "secret"}, 0),
        ({"classification": "public"}, 0),
        ("classification: secret", 0),
        ("{not json", 0),
        ("[" * 50_000, 0),
        (None, 0),
        (7, 0),
    ],
    ids=lambda value: str(value)[:40],
)
def test_the_most_sensitive_label_of_a_result_counts(result: object, points: int) -> None:
    answer = risk_score_policy(**PARAMS)(tool_result("fetch", result))

    assert answer == (grown(points) if points else None)


def test_keys_of_labels_and_of_the_state_can_be_set() -> None:
    policy = risk_score_policy(sensitive_labels=LABELS, label_keys=["Level"], state_key="leak")

    assert policy(tool_result("fetch", {"level": "secret"})) == grown(60, "leak")
    assert policy(tool_result("fetch", {"classification": "secret"})) is None


def test_a_chain_keeps_the_score_and_holds_the_tool_that_follows() -> None:
    chain = [PolicyRef(name="risk", handler=risk_score_policy(**PARAMS))]
    read = PolicyEvent(
        phase=Phase.TOOL_RESULT, data={"result": '{"classification": "secret"}'}, target="fetch"
    )
    send = PolicyEvent(phase=Phase.TOOL_CALL, data={"name": "send_mail", "arguments": {}}, target="send_mail")

    before = evaluate(send, chain)
    updates = evaluate(read, chain).state_updates
    after = evaluate(send, chain, PolicyState(session_state={u.key: u.value for u in updates}))
    broken = evaluate(send, chain, PolicyState(session_state={"risk_score": "low"}))

    assert [before.action, after.action, broken.action] == [Action.ALLOW, Action.ASK, Action.DENY]


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"threshold": -1}, "threshold must be at least 0"),
        ({"threshold": True}, "threshold must be an integer"),
        ({"tool_points": {"a": -5}}, "tool_points.a"),
        ({"tool_points": ["a"]}, "tool_points must be an object"),
        ({"sensitive_labels": {"a": 1.5}}, "sensitive_labels.a"),
        ({"initial_scores_by_actor": {"": 1}}, "initial_scores_by_actor must be"),
        ({"guarded_tools": "a"}, "guarded_tools must be a list"),
        ({"label_keys": [1]}, "label_keys must be a list"),
        ({"escalate_action": "ALLOW"}, "ASK or DENY"),
        ({"state_key": "_policy_tool_call_count"}, "not reserved"),
        ({"state_key": ""}, "state_key"),
        ({"reason": 1}, "reason must be text"),
    ],
)
def test_a_bad_parameter_is_refused_in_words(params: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        risk_score_policy(**params)


def test_the_defaults_of_the_schema_are_those_of_the_policy() -> None:
    entry = build_registry().get("omnigent.policies.builtins.risk_score.risk_score_policy")
    properties = POLICY_REGISTRY[0]["params_schema"]["properties"]
    defaults = {name: schema["default"] for name, schema in properties.items()}
    used = {"guarded_tools": ["a"], "sensitive_labels": LABELS}

    assert entry is not None
    for event in (tool_call("a", state={"risk_score": 50}), tool_result("a", {"classification": "secret"})):
        assert load(entry, defaults | used).call(event) == load(entry, used).call(event) is not None
