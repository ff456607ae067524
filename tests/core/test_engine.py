"""The policy chain: order, verdicts, resumption, failure, state, labels and rewritten data."""

from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from omnigent.policies import Action, Chain, Phase, PolicyEvent, PolicyRef, PolicyState, Verdict, evaluate
from omnigent.policies.answers import apply_updates

CALL = PolicyEvent(
    phase=Phase.TOOL_CALL,
    target="sys_os_shell",
    data={"name": "sys_os_shell", "arguments": {"command": "ls"}},
)


def policy(name: str, answer: Any = None, **fields: Any) -> PolicyRef:
    """A policy that always gives one answer."""
    return PolicyRef(name=name, handler=lambda event: answer, **fields)


def seen(events: list[Mapping[str, Any]], answer: Any = None) -> Callable[[Mapping[str, Any]], Any]:
    """A handler that notes the events it gets."""

    def handler(event: Mapping[str, Any]) -> Any:
        events.append(event)
        return answer

    return handler


ALLOW = {"result": "ALLOW"}
DENY = {"result": "DENY", "reason": "no"}
ASK = {"result": "ASK", "reason": "sure?"}


def test_no_policies_allow() -> None:
    assert evaluate(CALL, []) == Verdict(action=Action.ALLOW)


def test_policies_without_an_opinion_allow() -> None:
    verdict = evaluate(CALL, [policy("a"), policy("b", ALLOW)])

    assert (verdict.action, verdict.policy, verdict.deciding_policies) == (Action.ALLOW, None, ())


@pytest.mark.parametrize(
    ("answers", "action", "index"),
    [
        ((None, DENY, ASK), Action.DENY, 1),
        ((None, ASK, DENY), Action.ASK, 1),
        ((DENY, ASK), Action.DENY, 0),
        ((ALLOW, ALLOW, ASK), Action.ASK, 2),
    ],
)
def test_the_first_deny_or_ask_decides(answers: tuple[Any, ...], action: Action, index: int) -> None:
    refs = [policy(f"p{number}", answer) for number, answer in enumerate(answers)]
    verdict = evaluate(CALL, refs)

    assert (verdict.action, verdict.index, verdict.policy) == (action, index, f"p{index}")
    assert verdict.deciding_policies == (f"p{index}",)


def test_policies_after_the_decision_are_not_called() -> None:
    events: list[Mapping[str, Any]] = []
    evaluate(CALL, [policy("a", DENY), PolicyRef(name="b", handler=seen(events))])

    assert events == []


def test_an_accepted_ask_resumes_at_the_next_policy_so_a_later_deny_still_blocks() -> None:
    refs = [policy("a", ASK), policy("b", ASK), policy("c", DENY)]

    first = evaluate(CALL, refs)
    assert first.index == 0
    second = evaluate(CALL, refs, start=first.index + 1)
    assert (second.action, second.index) == (Action.ASK, 1)
    third = evaluate(CALL, refs, start=2)
    assert (third.action, third.policy) == (Action.DENY, "c")
    assert evaluate(CALL, refs, start=3).action is Action.ALLOW


def test_reasons_name_the_policy_that_asks() -> None:
    assert evaluate(CALL, [policy("gate", ASK)]).reason == "gate: sure?"
    assert evaluate(CALL, [policy("gate", {"result": "ask"})]).reason == "gate: approval required"
    assert evaluate(CALL, [policy("gate", DENY)]).reason == "no"
    assert "'gate'" in str(evaluate(CALL, [policy("gate", {"result": "deny"})]).reason)


def test_an_ask_carries_the_deciding_policys_timeout() -> None:
    assert evaluate(CALL, [policy("a", ASK, ask_timeout=3.0)]).ask_timeout == 3.0
    assert evaluate(CALL, [policy("a", DENY, ask_timeout=3.0)]).ask_timeout is None


@pytest.mark.parametrize("error", [ValueError("broken"), KeyError("x"), SystemExit(1), RecursionError()])
def test_a_policy_that_raises_denies_by_name(error: BaseException) -> None:
    def handler(event: Mapping[str, Any]) -> None:
        raise error

    verdict = evaluate(CALL, [PolicyRef(name="shaky", handler=handler), policy("later", ALLOW)])

    assert (verdict.action, verdict.policy) == (Action.DENY, "shaky")
    assert "'shaky'" in str(verdict.reason)
    assert type(error).__name__ in str(verdict.reason)


@pytest.mark.parametrize(
    "answer",
    [
        "DENY", 1, True, [], {}, {"reason": "x"}, {"result": None}, {"result": "maybe"}, {"result": 1},
        {"result": "allow", "state_updates": 3}, {"result": "allow", "state_updates": [{"key": "a"}]},
        {"result": "allow", "state_updates": [{"action": "set"}]},
        {"result": "allow", "state_updates": [{"key": "a", "action": "explode"}]},
        {"result": "allow", "state_updates": [{"key": "text", "action": "increment"}]},
        {"result": "allow", "state_updates": [{"key": "text", "action": "append", "value": 1}]},
        {"result": "allow", "set_labels": ["a"]},
    ],
    ids=repr,
)  # fmt: skip
def test_an_unclear_answer_denies(answer: Any) -> None:
    state = PolicyState(session_state={"text": "t"})

    assert evaluate(CALL, [policy("odd", answer)], state).action is Action.DENY


def test_a_coroutine_is_no_answer_here() -> None:
    async def handler(event: Mapping[str, Any]) -> None:
        return None

    assert evaluate(CALL, [PolicyRef(name="slow", handler=handler)]).action is Action.DENY


def test_an_object_with_an_action_is_an_answer() -> None:
    answer = SimpleNamespace(action=Action.DENY, reason="typed", set_labels={"a": "1"}, state_updates=None)
    verdict = evaluate(CALL, [policy("typed", answer)])

    assert (verdict.action, verdict.reason, verdict.set_labels) == (Action.DENY, "typed", {"a": "1"})


@pytest.mark.parametrize("word", ["deny", "DENY", "Deny"])
def test_results_are_read_in_any_case(word: str) -> None:
    assert evaluate(CALL, [policy("a", {"result": word})]).action is Action.DENY


def test_disabled_policies_are_skipped() -> None:
    assert evaluate(CALL, [policy("off", DENY, enabled=False)]).action is Action.ALLOW


@pytest.mark.parametrize(
    ("condition", "applies"),
    [
        ({}, True),
        ({"tier": ("gold",)}, True),
        ({"tier": ("silver", "gold")}, True),
        ({"tier": ("silver",)}, False),
        ({"tier": ("gold",), "team": ("a",)}, False),
        ({"missing": ("x",)}, False),
    ],
)
def test_a_condition_gates_on_labels(condition: dict[str, tuple[str, ...]], applies: bool) -> None:
    state = PolicyState(labels={"tier": "gold"})
    verdict = evaluate(CALL, [policy("gated", DENY, condition=condition)], state)

    assert (verdict.action is Action.DENY) == applies


def test_handlers_see_the_event_in_the_contracts_shape() -> None:
    events: list[Mapping[str, Any]] = []
    event = PolicyEvent(
        phase=Phase.TOOL_RESULT,
        target="t",
        data={"result": "r"},
        context={"model": "m"},
        request_data={"name": "t", "arguments": {}},
    )
    state = PolicyState(session_state={"n": 1}, labels={"a": "1"})
    evaluate(event, [PolicyRef(name="a", handler=seen(events))], state)

    assert events == [
        {
            "type": "tool_result",
            "target": "t",
            "data": {"result": "r"},
            "context": {"model": "m", "labels": {"a": "1"}},
            "session_state": {"n": 1},
            "request_data": {"name": "t", "arguments": {}},
            "llm_client": None,
        }
    ]


def test_request_data_is_absent_elsewhere() -> None:
    events: list[Mapping[str, Any]] = []
    evaluate(CALL, [PolicyRef(name="a", handler=seen(events))])

    assert "request_data" not in events[0]


def test_a_handler_cannot_change_what_others_see() -> None:
    def vandal(event: dict[str, Any]) -> None:
        event["data"]["arguments"]["command"] = "rm"
        event["session_state"]["x"] = 1

    events: list[Mapping[str, Any]] = []
    state = PolicyState(session_state={"list": [1]})
    evaluate(CALL, [PolicyRef(name="a", handler=vandal), PolicyRef(name="b", handler=seen(events))], state)

    assert events[0]["data"]["arguments"] == {"command": "ls"}
    assert events[0]["session_state"] == {"list": [1]}
    assert CALL.data["arguments"] == {"command": "ls"}


def test_config_is_given_to_handlers_that_take_it() -> None:
    given: list[Any] = []
    ref = PolicyRef(
        name="a", handler=lambda event, config: given.append(config), takes_config=True, config={"k": 1}
    )
    evaluate(CALL, [ref])

    assert given == [{"k": 1}]


def test_rewritten_data_is_chained_and_returned() -> None:
    events: list[Mapping[str, Any]] = []
    refs = [policy("a", {"result": "allow", "data": {"v": 1}}), PolicyRef(name="b", handler=seen(events))]
    verdict = evaluate(CALL, refs)

    assert events[0]["data"] == {"v": 1}
    assert (verdict.has_data, verdict.data) == (True, {"v": 1})


def test_rewritten_data_is_held_by_an_ask_and_dropped_by_a_deny() -> None:
    rewrite = policy("a", {"result": "allow", "data": {"v": 1}})

    assert evaluate(CALL, [rewrite, policy("b", ASK)]).data == {"v": 1}
    denied = evaluate(CALL, [rewrite, policy("b", DENY)])
    assert (denied.has_data, denied.data) == (False, None)


def test_labels_and_state_add_up_and_respect_the_whitelist() -> None:
    refs = [
        policy("a", {"result": "allow", "set_labels": {"x": 1, "y": "2"}}, set_labels=frozenset({"x"})),
        policy("b", {"result": "allow", "state_updates": {"n": 1}}),
        policy("c", {"result": "deny", "state_updates": [{"key": "n", "action": "increment", "value": 2}]}),
    ]
    verdict = evaluate(CALL, refs)

    assert verdict.set_labels == {"x": "1"}
    assert apply_updates({}, verdict.state_updates) == {"n": 3}


def test_labels_of_a_failing_policy_are_dropped() -> None:
    bad = {"result": "allow", "set_labels": {"x": "1"}, "state_updates": [{"key": "k", "action": "no"}]}
    verdict = evaluate(CALL, [policy("a", {"result": "allow", "set_labels": {"y": "1"}}), policy("b", bad)])

    assert (verdict.action, verdict.set_labels) == (Action.DENY, {"y": "1"})


@pytest.mark.parametrize("key", ["_policy_anything", "subagent_cost_ask_approved_usd"])
def test_approvals_are_recorded_only_by_an_ask(key: str) -> None:
    update = {"state_updates": {key: 1}}

    assert evaluate(CALL, [policy("a", {"result": "allow", **update})]).action is Action.DENY
    asked = evaluate(CALL, [policy("a", {"result": "ask", **update})])
    assert asked.action is Action.ASK
    assert asked.state_updates[0].key == key


def test_a_policys_own_counter_may_be_written_in_any_verdict() -> None:
    ref = policy(
        "a", {"result": "deny", "state_updates": {"_policy_tool_call_count": 1}},
        counters=frozenset({"_policy_tool_call_count"}),
    )  # fmt: skip
    verdict = evaluate(CALL, [ref])

    assert (verdict.reason, len(verdict.state_updates)) == ("denied by policy 'a'", 1)


@pytest.mark.parametrize(
    ("before", "update", "after"),
    [
        ({}, {"key": "n", "action": "increment", "value": 2}, {"n": 2}),
        ({"n": 1}, {"key": "n", "action": "increment"}, {"n": 2}),
        ({}, {"key": "l", "action": "append", "value": 1}, {"l": [1]}),
        ({"l": [1]}, {"key": "l", "action": "append", "value": 2}, {"l": [1, 2]}),
        ({"k": 1}, {"key": "k", "action": "delete"}, {}),
        ({}, {"key": "k", "action": "delete"}, {}),
        ({"k": 1}, {"key": "k", "action": "set", "value": None}, {"k": None}),
    ],
)
def test_state_updates_do_what_they_say(
    before: dict[str, Any], update: dict[str, Any], after: dict[str, Any]
) -> None:
    verdict = evaluate(CALL, [policy("a", {"result": "allow", "state_updates": [update]})])

    assert apply_updates(before, verdict.state_updates) == after


def test_a_chain_can_be_driven_by_hand() -> None:
    refs = [policy("a"), policy("off", enabled=False), policy("c")]
    chain = Chain(CALL, refs, PolicyState())
    names = []
    while (ref := chain.pending()) is not None:
        assert chain.pending() is ref
        names.append(ref.name)
        chain.answer(None)

    assert names == ["a", "c"]
    assert chain.verdict().action is Action.ALLOW


def test_wire_names_are_the_endpoints() -> None:
    assert [phase.wire for phase in Phase if Phase.from_wire(phase.wire)] == [
        "PHASE_REQUEST", "PHASE_TOOL_CALL", "PHASE_TOOL_RESULT", "PHASE_LLM_REQUEST", "PHASE_LLM_RESPONSE",
    ]  # fmt: skip
    assert Phase.from_wire("request") is None
    assert Action.ASK.wire == "POLICY_ACTION_ASK"


def test_a_shadow_policy_counts_for_itself_and_decides_nothing() -> None:
    def counting(event: dict[str, Any]) -> dict[str, Any]:
        count = event["session_state"].get("calls", 0)
        if count >= 2:
            return {"result": "DENY", "reason": "enough"}
        return {"result": "ALLOW", "state_updates": [{"key": "calls", "action": "set", "value": count + 1}]}

    ref = PolicyRef(name="draft", policy_id="pol_1", handler=counting, shadow=True)
    state, said = PolicyState(), []
    for _ in range(3):
        verdict = evaluate(PolicyEvent(phase=Phase.TOOL_CALL), [ref], state)
        assert verdict.action is Action.ALLOW and not verdict.state_updates
        said.append(verdict.steps[0].action)
        state = PolicyState(session_state=apply_updates(state.session_state, verdict.shadow_updates))

    assert said == [Action.ALLOW, Action.ALLOW, Action.DENY]
    assert "calls" not in state.session_state
