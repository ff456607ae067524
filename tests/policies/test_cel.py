"""Policies written in CEL: what they see, what they answer, and that none of them runs away."""

import sys
import time
from typing import Any

import pytest

from omnigent.policies import evaluate
from omnigent.policies.builtins.cel import POLICY_REGISTRY, cel_policy
from omnigent.policies.types import Action, Phase, PolicyEvent, PolicyRef
from tests.policies import events

Json = dict[str, Any]
SHELL_DENIED = "event.type == 'tool_call' && event.data.name == 'Bash' ? {'result': 'DENY'} : {}"


@pytest.mark.parametrize(
    ("expression", "event", "answer"),
    [
        (SHELL_DENIED, events.tool_call("Bash"), {"result": "deny", "reason": "Denied by policy."}),
        (SHELL_DENIED, events.tool_call("Read"), None),
        ("null", events.tool_call("Read"), None),
        ("{'result': 'Allow'}", events.tool_call("Read"), {"result": "allow"}),
        ("{'result': 'ask', 'reason': 'sure?'}", events.request("x"), {"result": "ask", "reason": "sure?"}),
        (
            "event.data.contains('secret') ? {'result': 'deny', 'reason': event.data} : {}",
            events.request("a secret"),
            {"result": "deny", "reason": "a secret"},
        ),
        (
            "event.data.arguments.n > 3.5 ? {'result': 'deny', 'reason': 'n'} : {}",
            events.tool_call("t", {"n": 4.5}),
            {"result": "deny", "reason": "n"},
        ),
        (
            "event.data.arguments.n > 3.5 ? {'result': 'deny', 'reason': 'n'} : {}",
            events.tool_call("t", {"n": 2**70}),
            {"result": "deny", "reason": "n"},
        ),
        (
            "has(event.data.arguments.path) && event.data.arguments.path.matches('^/etc/') "
            "? {'result': 'deny', 'reason': 'etc'} : {}",
            events.tool_call("Read", {"path": "/etc/passwd"}),
            {"result": "deny", "reason": "etc"},
        ),
        (
            "event.data.arguments.list.exists(x, x == 2) ? {'result': 'ask', 'reason': 'two'} : {}",
            events.tool_call("t", {"list": [1, 2, 3]}),
            {"result": "ask", "reason": "two"},
        ),
        (
            "event.context.model == null && event.session_state.n == 1 "
            "? {'result': 'ask', 'reason': 'x'} : {}",
            events.tool_call("t", state={"n": 1}),
            {"result": "ask", "reason": "x"},
        ),
        (
            "{'result': 'allow', 'state_updates': "
            "[{'key': 'n', 'action': 'set', 'value': [1, 2.5, true, null, 'x', {'a': 1}]}]}",
            events.tool_call("t"),
            {
                "result": "allow",
                "state_updates": [
                    {"key": "n", "action": "set", "value": [1, 2.5, True, None, "x", {"a": 1}]},
                ],
            },
        ),
        ("has(event.llm_client) ? {'result': 'deny'} : {}", events.tool_call("t"), None),
    ],
)
def test_an_expression_decides(expression: str, event: Json, answer: Json | None) -> None:
    assert cel_policy(expression=expression)(event) == answer


def test_what_an_expression_gives_is_plain_json() -> None:
    answer = cel_policy(expression="{'result': 'ask', 'reason': 'x' + 'y'}")(events.request("x"))

    assert answer is not None
    assert {type(value) for value in answer.values()} == {str}


def test_the_reason_given_with_the_policy_is_used_when_the_expression_has_none() -> None:
    policy = cel_policy(expression="{'result': 'deny'}", reason="Not here.")

    assert policy(events.request("x")) == {"result": "deny", "reason": "Not here."}


@pytest.mark.parametrize(
    "expression",
    ["", "  ", "event.", "{'result': ", "a b c", "[1].reduce(r, i, 0, r + i)", "1+" * 3000 + "1"],
)
def test_an_expression_that_cannot_be_compiled_is_refused_when_attached(expression: str) -> None:
    with pytest.raises(ValueError, match="expression"):
        cel_policy(expression=expression)


FAULTY = [
    *("'deny'", "true", "event.data", "{'reason': 'x'}", "{'result': 'maybe'}", "{'result': 1}"),
    *("event.nope == 1 ? {} : {}", "1 / 0 == 1 ? {} : {}", "'a' + 1 == 'a' ? {} : {}", "bogus(1)"),
    *("{'result': 'allow', 'state_updates': {}}", "{'result': 'allow', 'state_updates': [1]}"),
    "{'result': 'ask', 'state_updates': [{'key': '_policy_x', 'action': 'set', 'value': 1}]}",
    "{'result': 'ask', 'state_updates': "
    "[{'key': 'subagent_cost_ask_approved_usd', 'action': 'set', 'value': 1}]}",
    "(" * 150 + "1" + ")" * 150,
]


@pytest.mark.parametrize("expression", FAULTY)
@pytest.mark.parametrize(
    ("phase", "action"),
    [
        (Phase.REQUEST, Action.DENY),
        (Phase.TOOL_CALL, Action.DENY),
        (Phase.TOOL_RESULT, Action.ALLOW),
        (Phase.RESPONSE, Action.ALLOW),
        (Phase.LLM_REQUEST, Action.ALLOW),
    ],
)
def test_a_faulty_condition_denies_what_is_about_to_be_done(
    expression: str, phase: Phase, action: Action
) -> None:
    advisory = POLICY_REGISTRY[0]["advisory"]
    ref = PolicyRef(name="rule", handler=cel_policy(expression=expression), advisory=advisory)

    verdict = evaluate(PolicyEvent(phase=phase, data={"name": "t", "arguments": {}}), [ref])

    assert verdict.action is action


def loop(depth: int) -> str:
    body = "1"
    for number in range(depth):
        body = f"event.data.arguments.l.map(x{number}, {body})"
    return f"{body}.size() > 0 ? {{'result': 'allow'}} : {{}}"


@pytest.mark.parametrize(
    "expression",
    [
        loop(3),
        "[1]" + "".join(f".map(x{n}, [x{n}, x{n}, x{n}, x{n}])" for n in range(60)) + " == [] ? {} : {}",
        "event.data.arguments.l.map(x, event.data.arguments == event.data.arguments) == [] ? {} : {}",
    ],
    ids=["nested loops", "doubling", "long comparisons"],
)
def test_an_expression_that_would_run_for_long_is_stopped(expression: str) -> None:
    policy = cel_policy(expression=expression)
    event = events.tool_call("t", {"l": list(range(400))})
    began = time.process_time()

    with pytest.raises(ValueError, match="steps"):
        policy(event)

    assert time.process_time() - began < 5


def test_the_interpreter_is_left_as_it_was() -> None:

    before = sys.getrecursionlimit()

    cel_policy(expression="{'result': 'allow'}")(events.request("x"))

    assert sys.getrecursionlimit() == before
