"""Tokens and money that a session has used, by model, and the size of its context."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

from django.db import transaction

from omnigent.protocol import events, inputs
from sessions_app import buckets
from sessions_app.events import publish
from sessions_app.models import Session
from sessions_app.services.tick import Tick

MOST = 2**53
"""More than anybody can have used: what numbers in JSON are good for."""
MAX_MODEL = 256
UNKNOWN = "unknown"

CUMULATIVE = {
    "input_tokens": "cumulative_input_tokens",
    "output_tokens": "cumulative_output_tokens",
    "cache_read_input_tokens": "cumulative_cache_read_input_tokens",
}


def add(tick: Tick, session: Session, response_usage: Mapping[str, Any]) -> None:
    """Add what one response used; shows the model when it changed, and the new totals."""
    model = str(response_usage.get("model") or session.reported_model or "")[:MAX_MODEL]
    if not response_usage:
        return
    if model and model != session.reported_model:
        session.reported_model = model
        tick.append(session, events.SessionModel(conversation_id=session.public_id, model=model))
    own = buckets.copied(session.usage_by_model)
    counts = own.setdefault(model or UNKNOWN, buckets.empty())
    for key in buckets.TOKENS:
        counts[key] = (counts.get(key) or 0) + _count(response_usage.get(key))
    _charge(counts, _money(response_usage.get("cost_usd")))
    if _count(response_usage.get("context_tokens")):
        session.context_tokens = _count(response_usage["context_tokens"])
    _keep(tick, session, own)


def report(tick: Tick, session: Session, totals: inputs.ExternalSessionUsage) -> None:
    """Take totals that are counted elsewhere: what they have grown by is the named model's; none shrinks."""
    own = buckets.copied(session.usage_by_model)
    counts = own.setdefault((totals.model or session.reported_model or UNKNOWN)[:MAX_MODEL], buckets.empty())
    for key, name in CUMULATIVE.items():
        growth = _count(getattr(totals, name)) - sum(bucket.get(key) or 0 for bucket in own.values())
        if growth > 0:
            counts[key] = (counts.get(key) or 0) + growth
            if key in ("input_tokens", "output_tokens"):
                counts["total_tokens"] = (counts.get("total_tokens") or 0) + growth
    cost = _money(totals.cumulative_cost_usd)
    if cost is not None:
        _charge(counts, max(0.0, cost - (buckets.cost_of(own) or 0.0)))
    priced, known = _money(totals.policy_cost_usd), session.policy_cost_usd
    if priced is not None and (known is None or priced > known):
        session.policy_cost_usd = priced
        _enter(session)
    if totals.context_tokens is not None:
        session.context_tokens = min(totals.context_tokens, MOST)
    if totals.context_window is not None:
        session.context_window = min(totals.context_window, MOST)
    is_empty = counts == buckets.empty()
    _keep(tick, session, {name: own[name] for name in own if not (is_empty and own[name] is counts)})


def show(tick: Tick, session: Session) -> None:
    """Tell what the session and its sub-agents have used together."""
    total = buckets.added([session.usage_by_model, session.usage_below])
    tick.append(
        session,
        events.SessionUsage(
            conversation_id=session.public_id,
            context_tokens=session.context_tokens,
            context_window=session.context_window,
            total_cost_usd=buckets.cost_of(total),
            usage_by_model=total or None,
        ),
    )


def _keep(tick: Tick, session: Session, own: buckets.Buckets) -> None:
    if own != (session.usage_by_model or {}):
        session.usage_by_model = own
        _enter(session)
    show(tick, session)


def _enter(session: Session) -> None:
    """The daily costs, the sessions above and the budgets take it up outside this transaction, which has to
    be short.
    """
    if not session.is_usage_due:
        session.is_usage_due = True
        transaction.on_commit(partial(publish.ring, "usage", str(session.pk)))


def _charge(counts: buckets.Bucket, cost: float | None) -> None:
    if cost is not None:
        counts[buckets.COST] = (counts.get(buckets.COST) or 0.0) + cost


def _count(value: object) -> int:
    return value if isinstance(value, int) and 0 < value < MOST else 0


def _money(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and 0 <= value < MOST else None
