"""Tokens a session has used, by model, and the size of its context."""

from collections.abc import Mapping
from typing import Any

from omnigent.protocol import events
from sessions_app.models import Session
from sessions_app.services.tick import Tick

COUNTED = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)
MOST = 2**53
"""More than anybody can have used: what numbers in JSON are good for."""


def add(tick: Tick, session: Session, response_usage: Mapping[str, Any]) -> None:
    """Add what one response used; shows the model when it changed, and the new totals."""
    model = str(response_usage.get("model") or session.reported_model or "")
    if not response_usage:
        return
    if model and model != session.reported_model:
        session.reported_model = model
        tick.append(session, events.SessionModel(conversation_id=session.public_id, model=model))
    totals = {name: dict(counts) for name, counts in (session.usage_by_model or {}).items()}
    counts = totals.setdefault(model or "unknown", {**dict.fromkeys(COUNTED, 0), "total_cost_usd": None})
    for key in COUNTED:
        counts[key] += _count(response_usage.get(key))
    session.usage_by_model = totals
    if _count(response_usage.get("context_tokens")):
        session.context_tokens = _count(response_usage["context_tokens"])
    tick.append(
        session,
        events.SessionUsage(
            conversation_id=session.public_id,
            context_tokens=session.context_tokens,
            context_window=session.context_window,
            usage_by_model=totals,
        ),
    )


def _count(value: object) -> int:
    return value if isinstance(value, int) and 0 < value < MOST else 0
