"""Budgets: the next request and tool call are asked about at thresholds and denied at the limit."""

from collections.abc import Callable
from typing import Any

import pytest

from omnigent.policies.builtins.cost import (
    POLICY_REGISTRY,
    cost_budget,
    subagent_cost_budget,
    user_daily_cost_budget,
    user_period_cost_budget,
)
from omnigent.policies.params import problems
from omnigent.policies.registry import Entry
from tests.policies import events

Json = dict[str, Any]
TIERS: Json = {"max_cost_usd": 10, "ask_thresholds_usd": [2, 5], "expensive_models": ["opus", "GPT-5"]}
HARD: Json = {"max_cost_usd": 10, "ask_thresholds_usd": [2, 5]}


def spent(
    dollars: float | None,
    *,
    tokens: int = 100,
    state: Json | None = None,
    phase: str = "tool_call",
    **more: Any,
) -> Json:
    """An event of a session whose tree has used tokens for so many dollars, None for an unknown price."""
    usage: Json = {"total_tokens": tokens} | ({} if dollars is None else {"total_cost_usd": dollars})
    data = {"name": "Bash", "arguments": {}} if phase == "tool_call" else {"user_content": "hello"}
    context = {"usage": usage, "subtree_usage": usage, **more}
    return events.event(phase, data, state=state, context=context)


def outcome(answer: Json | None) -> tuple[str, Any]:
    """The verdict, and what it writes: (key, value) of its only state update."""
    if answer is None:
        return "ALLOW", None
    updates = answer.get("state_updates") or [None]
    assert len(updates) == 1
    return answer["result"], updates[0] and (updates[0]["key"], updates[0]["value"])


ASKED = "_policy_cost_ask_approved_usd"


@pytest.mark.parametrize(
    ("params", "event", "expected"),
    [
        (HARD, spent(0), ("ALLOW", None)),
        (HARD, spent(1.99), ("ALLOW", None)),
        (HARD, spent(2), ("ASK", (ASKED, 2.0))),
        (HARD, spent(6), ("ASK", (ASKED, 5.0))),
        (HARD, spent(6, phase="request"), ("ASK", (ASKED, 5.0))),
        (HARD, spent(4, state={ASKED: 2}), ("ALLOW", None)),
        (HARD, spent(5, state={ASKED: 2}), ("ASK", (ASKED, 5.0))),
        (HARD, spent(9.99, state={ASKED: 5.0}), ("ALLOW", None)),
        (HARD, spent(10, state={ASKED: 5.0}), ("DENY", None)),
        (HARD, spent(10, phase="request"), ("DENY", None)),
        (HARD, spent(99, model="tiny"), ("DENY", None)),
        ({"max_cost_usd": 10, "expensive_models": []}, spent(10, model="tiny"), ("DENY", None)),
        (TIERS, spent(10, model="claude-OPUS-4"), ("DENY", None)),
        (TIERS, spent(10, model="gpt-5-mini"), ("DENY", None)),
        (TIERS, spent(10, model=None), ("DENY", None)),
        (TIERS, spent(10, model="claude-haiku"), ("ALLOW", None)),
        (TIERS, spent(6, model="claude-haiku"), ("ASK", (ASKED, 5.0))),
        ({"ask_thresholds_usd": [3]}, spent(1000, state={ASKED: 3}), ("ALLOW", None)),
        ({"ask_thresholds_usd": [3]}, spent(3), ("ASK", (ASKED, 3.0))),
        (HARD, spent(None), ("ASK", ("_policy_cost_unpriced_approved", True))),
        (HARD, spent(None, tokens=0), ("ALLOW", None)),
        (HARD, spent(None, state={"_policy_cost_unpriced_approved": True}), ("ALLOW", None)),
        (HARD, events.tool_call("Bash"), ("ALLOW", None)),
        *(
            (HARD, events.event(phase, {}, context={"usage": {"total_cost_usd": 99}}), ("ALLOW", None))
            for phase in ("tool_result", "response", "llm_request", "llm_response")
        ),
    ],
)
def test_a_sessions_budget(params: Json, event: Json, expected: tuple[str, Any]) -> None:
    assert outcome(cost_budget(**params)(event)) == expected


CAPPED: Json = {"max_cost_usd": 10, "ask_thresholds_usd": [4]}
LIFTED = "subagent_cost_over_budget_approved_usd"


@pytest.mark.parametrize(
    ("params", "event", "expected"),
    [
        (CAPPED, spent(3), ("ALLOW", None)),
        (CAPPED, spent(4), ("ASK", ("subagent_cost_ask_approved_usd", 4.0))),
        (CAPPED, spent(5, state={"subagent_cost_ask_approved_usd": 4}), ("ALLOW", None)),
        (CAPPED, spent(10), ("ASK", (LIFTED, 10.0))),
        (CAPPED, spent(50, state={LIFTED: 10}), ("ALLOW", None)),
        (CAPPED, spent(50, state={LIFTED: 5}), ("ASK", (LIFTED, 10.0))),
        (CAPPED | {"expensive_models": ["opus"]}, spent(10, model="opus"), ("DENY", None)),
        (CAPPED | {"expensive_models": ["opus"]}, spent(10, model="haiku"), ("ALLOW", None)),
        (CAPPED, spent(None), ("ASK", ("_policy_cost_unpriced_approved", True))),
        (CAPPED, events.tool_call("t", context={"usage": {"total_cost_usd": 99}}), ("ALLOW", None)),
    ],
)
def test_a_sub_agents_budget_counts_what_is_below_it(
    params: Json, event: Json, expected: tuple[str, Any]
) -> None:
    assert outcome(subagent_cost_budget(**params)(event)) == expected


def row(day: str, dollars: float, approved: float = 0) -> Json:
    return {"day_utc": day, "cost_usd": dollars, "ask_approved_usd": approved, "user_id": "ann"}


def owned(rows: list[Json], today: str = "2026-05-14", **more: Any) -> Json:
    """An event of a session of Ann's; 14 May 2026 is a Thursday."""
    return spent(0, user_daily_cost=rows, today=today, actor={"run_as": "ann"}, **more)


DAILY = "_policy_user_daily_ask_approved_usd"
EARLIER = [row("2026-05-13", 50), row("2026-05-11", 50), row("2026-01-01", 50)]


@pytest.mark.parametrize(
    ("event", "expected"),
    [
        (owned([]), ("ALLOW", None)),
        (owned(EARLIER), ("ALLOW", None)),
        (owned([row("2026-05-14", 1), *EARLIER]), ("ALLOW", None)),
        (owned([*EARLIER, row("2026-05-14", 2)]), ("ASK", (DAILY, 2.0))),
        (owned([row("2026-05-14", 3, approved=2)]), ("ALLOW", None)),
        (owned([row("2026-05-14", 3), row("2026-05-13", 9, approved=5)]), ("ASK", (DAILY, 2.0))),
        (owned([row("2026-05-14", 10)]), ("DENY", None)),
        (owned([row("2026-05-14", 10)], phase="request"), ("DENY", None)),
        (owned([row("2026-05-14", 10)], today="2026-05-15"), ("ALLOW", None)),
        (owned([row("2026-05-15", 10)]), ("ALLOW", None)),
        (spent(99, user_daily_cost=[]), ("ALLOW", None)),
        (spent(None, user_daily_cost=[]), ("ALLOW", None)),
        (
            spent(None, user_daily_cost=[], today="2026-05-14", actor={"run_as": "ann"}),
            ("ASK", ("_policy_cost_unpriced_approved", True)),
        ),
    ],
)
def test_a_persons_daily_budget_looks_at_today_only(event: Json, expected: tuple[str, Any]) -> None:
    assert outcome(user_daily_cost_budget(**HARD)(event)) == expected


@pytest.mark.parametrize(
    ("period", "today", "first", "before"),
    [
        ("day", "2026-05-14", "2026-05-14", "2026-05-13"),
        ("week", "2026-05-14", "2026-05-11", "2026-05-10"),
        ("week", "2026-05-11", "2026-05-11", "2026-05-10"),
        ("week", "2027-01-01", "2026-12-28", "2026-12-27"),
        ("month", "2026-05-31", "2026-05-01", "2026-04-30"),
        ("quarter", "2026-05-31", "2026-04-01", "2026-03-31"),
        ("quarter", "2026-12-31", "2026-10-01", "2026-09-30"),
        ("quarter", "2026-01-01", "2026-01-01", "2025-12-31"),
        ("year", "2026-12-31", "2026-01-01", "2025-12-31"),
    ],
)
def test_a_persons_budget_for_a_period_begins_with_the_period(
    period: str, today: str, first: str, before: str
) -> None:
    policy = user_period_cost_budget(period=period, max_cost_usd=10)

    within = policy(owned([row(before, 99), row(first, 10)], today=today))
    beyond = policy(owned([row(before, 99), row(first, 9)], today=today))

    assert outcome(within) == ("DENY", None)
    assert outcome(beyond) == ("ALLOW", None)


PERIOD = "_policy_user_period_ask_approved_usd"


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([row("2026-05-12", 3), row("2026-05-14", 3)], ("ASK", (PERIOD, 5.0))),
        ([row("2026-05-12", 3, approved=5), row("2026-05-14", 3)], ("ALLOW", None)),
        ([row("2026-05-12", 3, approved=2), row("2026-05-14", 3)], ("ASK", (PERIOD, 5.0))),
        ([row("2026-05-08", 9, approved=5), row("2026-05-14", 6)], ("ASK", (PERIOD, 5.0))),
        ([row("2026-05-12", 6), row("2026-05-14", 6)], ("DENY", None)),
    ],
)
def test_an_approval_holds_for_the_rest_of_its_period(rows: list[Json], expected: tuple[str, Any]) -> None:
    policy = user_period_cost_budget(period="week", **HARD)

    assert outcome(policy(owned(rows))) == expected


@pytest.mark.parametrize(
    ("params", "event", "words", "silent"),
    [
        (HARD, spent(12), ["This session", "$12.00", "$10.00", "All models", "do not try"], ["cheaper"]),
        (HARD, spent(12, phase="request"), ["All models are blocked"], ["do not try"]),
        (TIERS, spent(12, model="opus"), ["switch to a cheaper model"], ["/model", "All models"]),
        (TIERS, spent(12, model="opus", harness="codex-native"), ["/model in the terminal"], []),
    ],
)
def test_a_denial_says_whose_money_how_much_and_what_to_do(
    params: Json, event: Json, words: list[str], silent: list[str]
) -> None:
    answer = cost_budget(**params)(event)

    assert answer is not None
    assert all(word in answer["reason"] for word in words), answer
    assert not any(word in answer["reason"] for word in silent), answer


@pytest.mark.parametrize(
    "event",
    [
        spent("much"),  # type: ignore[arg-type]  # what a broken ledger gives
        spent(float("nan")),
        spent(5, state={ASKED: "5"}),
    ],
    ids=["text", "not a number", "text in the state"],
)
def test_amounts_that_cannot_be_read_are_a_fault(event: Json) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        cost_budget(**HARD)(event)


@pytest.mark.parametrize("today", [None, "soon", 20260514])
def test_an_unknown_day_is_a_fault(today: Any) -> None:
    with pytest.raises(ValueError, match=r"day|isoformat"):
        user_daily_cost_budget(**HARD)(owned([row("2026-05-14", 1)], today=today))


@pytest.mark.parametrize(
    ("factory", "params", "said"),
    [
        (cost_budget, {}, "requires max_cost_usd or ask_thresholds_usd"),
        (cost_budget, {"max_cost_usd": 0}, "max_cost_usd must be above 0"),
        (cost_budget, {"max_cost_usd": -1}, "max_cost_usd must be above 0"),
        (cost_budget, {"max_cost_usd": True}, "max_cost_usd must be above 0"),
        (cost_budget, {"max_cost_usd": 5, "ask_thresholds_usd": [5]}, "below max_cost_usd"),
        (cost_budget, {"max_cost_usd": 5, "ask_thresholds_usd": [9, 1]}, "below max_cost_usd"),
        (cost_budget, {"ask_thresholds_usd": [0]}, "must be above 0"),
        (cost_budget, {"max_cost_usd": 5, "expensive_models": "opus"}, "list of parts"),
        (cost_budget, {"max_cost_usd": 5, "expensive_models": [""]}, "list of parts"),
        (subagent_cost_budget, {}, "requires max_cost_usd or ask_thresholds_usd"),
        (user_period_cost_budget, {"period": "hour", "max_cost_usd": 5}, "period must be one of"),
    ],
)
def test_parameters_that_make_no_budget_are_refused(
    factory: Callable[..., Any], params: Json, said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        factory(**params)


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("cost_budget", {}, ["requires 'max_cost_usd' or 'ask_thresholds_usd'"]),
        ("cost_budget", {"max_cost_usd": 0}, ["'max_cost_usd' must be greater than 0"]),
        ("cost_budget", {"max_cost_usd": 3}, []),
        ("user_daily_cost_budget", {}, ["requires 'max_cost_usd'"]),
        ("user_period_cost_budget", {"max_cost_usd": 3}, ["requires 'period'"]),
        ("subagent_cost_budget", {"ask_thresholds_usd": ["3"]}, ["'ask_thresholds_usd[0]' must be number"]),
    ],
)
def test_the_schemas_refuse_what_makes_no_budget(name: str, params: Json, said: list[str]) -> None:
    (found,) = (item for item in POLICY_REGISTRY if item["handler"].endswith(f".{name}"))
    entry = Entry(
        handler=found["handler"],
        kind=found["kind"],
        name=name,
        description="",
        target=cost_budget,
        params_schema=found["params_schema"],
    )

    assert problems(entry, params) == said


def test_only_what_is_costly_to_fill_is_declared_as_needed() -> None:
    needs = {row["handler"].rpartition(".")[2]: row.get("needs", []) for row in POLICY_REGISTRY}

    assert needs == {
        "cost_budget": [],
        "user_daily_cost_budget": ["user_daily_cost"],
        "user_period_cost_budget": ["user_daily_cost"],
        "subagent_cost_budget": ["subtree_usage"],
    }
