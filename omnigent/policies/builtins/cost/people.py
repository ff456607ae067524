"""Budgets of a person over all sessions, by UTC day or calendar period."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from omnigent.policies.builtins.cost.limits import (
    PROPERTIES,
    Limits,
    amount,
    is_gated,
    limits,
    spending,
    unpriced,
)
from omnigent.policies.calls import Answer, Event, Handler, context_of

DAILY_APPROVED = "_policy_user_daily_ask_approved_usd"
PERIOD_APPROVED = "_policy_user_period_ask_approved_usd"
PERIODS = ("day", "week", "month", "quarter", "year")

USER_DAILY: dict[str, Any] = {
    "handler": "omnigent.policies.builtins.cost.user_daily_cost_budget",
    "kind": "factory",
    "name": "Daily budget of a person",
    "description": "Ask at thresholds and deny at a limit of what the owner's sessions cost in a UTC day.",
    "params_schema": {
        "type": "object",
        "properties": PROPERTIES,
        "required": ["max_cost_usd"],
        "additionalProperties": False,
    },
    "needs": ["user_daily_cost"],
}
USER_PERIOD: dict[str, Any] = {
    "handler": "omnigent.policies.builtins.cost.user_period_cost_budget",
    "kind": "factory",
    "name": "Budget of a person for a period",
    "description": "Ask at thresholds and deny at a limit of what the owner's sessions cost in a period.",
    "params_schema": {
        "type": "object",
        "properties": {
            "period": {
                "type": "string",
                "enum": list(PERIODS),
                "description": "The calendar period in UTC; weeks begin on Monday.",
            },
            **PROPERTIES,
        },
        "required": ["period", "max_cost_usd"],
        "additionalProperties": False,
    },
    "needs": ["user_daily_cost"],
}
Rows = list[Mapping[str, Any]]


def user_daily_cost_budget(
    *,
    max_cost_usd: float,
    ask_thresholds_usd: Sequence[float] | None = None,
    expensive_models: Sequence[str] | None = None,
) -> Handler:
    """What the session's owner has spent today."""
    budget = limits(max_cost_usd, ask_thresholds_usd, expensive_models)
    return _budget(budget, "day", "today", DAILY_APPROVED)


def user_period_cost_budget(
    *,
    period: str,
    max_cost_usd: float,
    ask_thresholds_usd: Sequence[float] | None = None,
    expensive_models: Sequence[str] | None = None,
) -> Handler:
    """What the session's owner has spent since the period began."""
    if period not in PERIODS:
        raise ValueError(f"period must be one of {', '.join(PERIODS)}")
    budget = limits(max_cost_usd, ask_thresholds_usd, expensive_models)
    return _budget(budget, period, f"this {period}", PERIOD_APPROVED)


def _budget(budget: Limits, period: str, when: str, approval_key: str) -> Handler:
    def decide(event: Event) -> Answer | None:
        context = context_of(event)
        rows = _rows(context)
        if not is_gated(event) or not _has_owner(context, rows):
            return None
        within = _within(rows, period, _day(context.get("today")))
        usage = context.get("usage")
        asked = unpriced(event, usage if isinstance(usage, Mapping) else {})
        return asked or spending(
            event,
            budget,
            whose=f"The owner of this session ({when})",
            spent=sum(amount(row, "cost_usd") for row in within),
            approved=max((amount(row, "ask_approved_usd") for row in within), default=0.0),
            approval_key=approval_key,
        )

    return decide


def _rows(context: Mapping[str, Any]) -> Rows:
    rows = context.get("user_daily_cost") or []
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise ValueError("user_daily_cost must be a list of daily rows")
    return rows


def _has_owner(context: Mapping[str, Any], rows: Rows) -> bool:
    """Without sign-in nobody owns a session. An owner who spent nothing yet has no row."""
    actor = context.get("actor")
    return bool(rows) or (isinstance(actor, Mapping) and bool(actor.get("run_as")))


def _within(rows: Rows, period: str, today: date) -> Rows:
    """The rows of this policy's own period; others in the chain may look further back."""
    start = _start(period, today)
    return [row for row in rows if start <= _day(row.get("day_utc")) <= today]


def _start(period: str, today: date) -> date:
    starts = {
        "day": today,
        "week": today - timedelta(days=today.weekday()),
        "month": today.replace(day=1),
        "quarter": today.replace(month=today.month - (today.month - 1) % 3, day=1),
        "year": today.replace(month=1, day=1),
    }
    return starts[period]


def _day(value: object) -> date:
    if not isinstance(value, str):
        raise ValueError("the day of a cost is not known")
    return date.fromisoformat(value)
