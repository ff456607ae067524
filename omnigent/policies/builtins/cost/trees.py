"""Budgets of a session with everything it started, and of one sub-agent with everything below it."""

from collections.abc import Mapping, Sequence
from typing import Any

from omnigent.policies.builtins.cost.limits import (
    EITHER,
    PROPERTIES,
    Limits,
    amount,
    is_gated,
    limits,
    spending,
    unpriced,
    usd,
)
from omnigent.policies.calls import Answer, Event, Handler, ask, context_of, set_state, state_of

SESSION_APPROVED = "_policy_cost_ask_approved_usd"
SUBAGENT_APPROVED = "subagent_cost_ask_approved_usd"
CAP_LIFTED = "subagent_cost_over_budget_approved_usd"

_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": PROPERTIES,
    "anyOf": EITHER,
    "additionalProperties": False,
}
SESSION: dict[str, Any] = {
    "handler": "omnigent.policies.builtins.cost.cost_budget",
    "kind": "factory",
    "name": "Session budget",
    "description": "Ask at thresholds and deny at a limit of what a session and all its sub-agents cost.",
    "params_schema": _SCHEMA,
}
SUBAGENT: dict[str, Any] = {
    "handler": "omnigent.policies.builtins.cost.subagent_cost_budget",
    "kind": "factory",
    "name": "Sub-agent budget",
    "description": "Ask at thresholds and at a limit of what one sub-agent and those below it cost.",
    "params_schema": _SCHEMA,
    "internal_only": True,
    "needs": ["subtree_usage"],
}


def cost_budget(
    *,
    max_cost_usd: float | None = None,
    ask_thresholds_usd: Sequence[float] | None = None,
    expensive_models: Sequence[str] | None = None,
) -> Handler:
    """The cost of the whole tree, of which the session is the root or a part."""
    budget = limits(max_cost_usd, ask_thresholds_usd, expensive_models)

    def decide(event: Event) -> Answer | None:
        if not is_gated(event):
            return None
        usage = _usage(event, "usage")
        return unpriced(event, usage) or spending(
            event,
            budget,
            whose="This session",
            spent=amount(usage, "total_cost_usd"),
            approved=amount(state_of(event), SESSION_APPROVED),
            approval_key=SESSION_APPROVED,
        )

    return decide


def subagent_cost_budget(
    *,
    max_cost_usd: float | None = None,
    ask_thresholds_usd: Sequence[float] | None = None,
    expensive_models: Sequence[str] | None = None,
) -> Handler:
    """The cost of a sub-agent. A person may lift its limit once, unless a cheaper model is the way out."""
    budget = limits(max_cost_usd, ask_thresholds_usd, expensive_models)

    def decide(event: Event) -> Answer | None:
        if not is_gated(event):
            return None
        usage = _usage(event, "subtree_usage")
        return unpriced(event, usage) or _below(event, budget, amount(usage, "total_cost_usd"))

    return decide


def _below(event: Event, budget: Limits, spent: float) -> Answer | None:
    state, cap = state_of(event), budget.maximum
    if cap is not None and spent >= cap and not budget.expensive_models:
        if amount(state, CAP_LIFTED) >= cap:
            return None
        return ask(
            f"This sub-agent has spent {usd(spent)} of its limit of {usd(cap)}. Continue without the limit?",
            state_updates=[set_state(CAP_LIFTED, cap)],
        )
    return spending(
        event,
        budget,
        whose="This sub-agent",
        spent=spent,
        approved=amount(state, SUBAGENT_APPROVED),
        approval_key=SUBAGENT_APPROVED,
    )


def _usage(event: Event, key: str) -> Mapping[str, Any]:
    usage = context_of(event).get(key)
    return usage if isinstance(usage, Mapping) else {}
