"""What a person's sessions have cost: by day, and by session with its sub-agents."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app import buckets
from sessions_app.models import Grant, Session, UserDailyCost
from sessions_app.services import spending
from sessions_app.services.access import Level

MAX_SESSIONS = 1000
"""A report names the sessions that were last active; its sums hold all of them."""

Costs = Mapping[date, float | None]


def usage_report(*, principal: Principal) -> Mapping[str, Any]:
    """The caller's own report, up to this moment.

    Its sums are numbers, which the released command line needs: what has no price is not in them, and is
    named by `unpriced_models`.
    """
    if principal.kind != "user":
        raise OmnigentError(ErrorCode.FORBIDDEN, "A usage report is for the person whose it is")
    today = timezone.now().astimezone(UTC).date()
    owned = _owned_by(principal.user_id)
    costs = _daily_costs(principal.user_id, owned, today)
    return {
        "object": "usage_report",
        "cost_today": _since(costs, today),
        "cost_last_7d": _since(costs, today - timedelta(days=6)),
        "cost_last_30d": _since(costs, today - timedelta(days=29)),
        "total_cost_usd": _since(costs, date.min),
        "daily_costs": [{"day_utc": day.isoformat(), "cost_usd": costs[day]} for day in sorted(costs)],
        "sessions": _sessions(owned),
    }


def _owned_by(user_id: str) -> "QuerySet[Session]":
    grants = Grant.objects.filter(user_id=user_id, level=Level.OWNER).values("session_id")
    owned: QuerySet[Session] = Session.objects.filter(Q(pk__in=grants) | Q(root_id__in=grants))
    return owned.filter(usage_by_model__isnull=False)


def _daily_costs(user_id: str, owned: "QuerySet[Session]", today: date) -> Costs:
    costs: dict[date, float | None] = dict(
        UserDailyCost.objects.filter(user_id=user_id).values_list("day", "cost_usd")
    )
    is_due, cost = spending.unaccounted(owned.filter(is_usage_due=True))
    if is_due:
        known = costs.setdefault(today, None)
        if cost is not None:
            costs[today] = (known or 0.0) + cost
    return costs


def _since(costs: Costs, first: date) -> float:
    return float(sum(cost for day, cost in costs.items() if day >= first and cost is not None))


def _sessions(owned: "QuerySet[Session]") -> Sequence[Mapping[str, Any]]:
    """The newest rows first; what sub-agents used is their root's."""
    rows = owned.select_related("agent", "root", "root__agent").order_by("-updated_at", "-pk")[:MAX_SESSIONS]
    trees: dict[int, list[Session]] = defaultdict(list)
    for row in rows:
        trees[row.root_id or row.pk].append(row)
    return [_row(tree) for tree in trees.values()]


def _row(tree: Sequence[Session]) -> Mapping[str, Any]:
    top = tree[0].root or tree[0]
    used = buckets.added(session.usage_by_model for session in tree)
    harness = _harness(top)
    return {
        "id": top.public_id,
        "created_at": _seconds(top.created_at),
        "updated_at": _seconds(top.updated_at),
        "title": top.title or None,
        "cost_usd": buckets.cost_of(used) or 0.0,
        "models": {model: float(used[model].get(buckets.COST) or 0.0) for model in sorted(used)},
        "unpriced_models": sorted(model for model in used if used[model].get(buckets.COST) is None),
        "harness": harness,
        "other_harnesses": _others(map(_harness, tree), harness),
        "llm_model": top.reported_model or (top.agent.model if top.agent else "") or None,
        "agent_name": top.agent.name if top.agent else None,
    }


def _harness(session: Session) -> str | None:
    return session.harness_override or (session.agent.harness if session.agent else None) or None


def _others(names: Iterable[str | None], own: str | None) -> list[str]:
    return sorted({name for name in names if name is not None and name != own})


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
