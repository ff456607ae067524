"""Budgets: ask at thresholds, deny at the limit; for a session's tree, a sub-agent, a person."""

from typing import Any

from omnigent.policies.builtins.cost.people import (
    USER_DAILY,
    USER_PERIOD,
    user_daily_cost_budget,
    user_period_cost_budget,
)
from omnigent.policies.builtins.cost.trees import SESSION, SUBAGENT, cost_budget, subagent_cost_budget

__all__ = [
    "POLICY_REGISTRY",
    "cost_budget",
    "subagent_cost_budget",
    "user_daily_cost_budget",
    "user_period_cost_budget",
]

POLICY_REGISTRY: list[dict[str, Any]] = [SESSION, USER_DAILY, USER_PERIOD, SUBAGENT]
