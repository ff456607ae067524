"""What a policy in shadow mode would have said, from the decision log."""

import time
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db.models import Max, Min, TextField
from django.db.models.functions import Cast
from django.utils import timezone

from policies_app.models import Decision
from policies_app.services.chain import json_text
from policies_app.services.differences import UNCHANGED, difference, no_differences

ROWS = 1000
MAX_SECONDS = 3.0
MAX_EXAMPLES = 20

COLUMNS = ("seq", "decision_id", "session_id", "target", "verdict", "reason", "said")

Row = tuple[Any, ...]  # a row's values in the order of COLUMNS, what shadow policies said as text


def shadow_summary(policy_id: str, days: int, *, max_seconds: float = MAX_SECONDS) -> dict[str, Any]:
    """What it said on the last days' decisions, the newest first, and how that differs from what was decided.

    `is_partial` when that took too long to read: then the oldest are missing.
    """
    now = timezone.now()
    began = time.monotonic()
    said, failed, counts = {"allow": 0, "deny": 0, "ask": 0}, 0, no_differences()
    examples: dict[str, list[dict[str, Any]]] = {kind: [] for kind in counts if kind != UNCHANGED}
    is_partial = False
    for row in _rows(policy_id, now - timedelta(days=days)):
        if time.monotonic() - began >= max_seconds:
            is_partial = True
            break
        step = next((one for one in orjson.loads(row[-1]) if one.get("id") == policy_id), None)
        if step is None:
            continue
        said[step["verdict"]] += 1
        failed += bool(step.get("failed"))
        kind = difference(row[4], step["verdict"])
        counts[kind] += 1
        if kind != UNCHANGED and len(examples[kind]) < MAX_EXAMPLES:
            examples[kind].append(_example(row, step))
    return {
        "object": "policy_shadow",
        "policy_id": policy_id,
        "days": days,
        "decisions": sum(said.values()),
        "said": said,
        "failed": failed,
        "is_partial": is_partial,
        "counts": counts,
        "examples": examples,
    }


def _rows(policy_id: str, since: datetime) -> Iterator[Row]:
    """The rows in which the policy had a say, the newest first."""
    recent = Decision.objects.filter(created_at__gte=since)
    ends = recent.aggregate(first=Min("seq"), last=Max("seq"))
    first, before = ends["first"] or 1, (ends["last"] or 0) + 1
    named = json_text({"id": policy_id})[1:-1]
    while before > first:
        # So many numbers, not so many hits: a piece takes as long however rare the policy is.
        span = Decision.objects.filter(seq__lt=before, seq__gte=max(first, before - ROWS))
        hits = span.annotate(said=Cast("shadow", TextField())).filter(said__contains=named)
        yield from hits.order_by("-seq").values_list(*COLUMNS)
        before -= ROWS


def _example(row: Row, step: dict[str, Any]) -> dict[str, Any]:
    return {
        "decision_id": row[1],
        "session_id": row[2] or None,
        "target": row[3] or None,
        "before": {"verdict": row[4], "reason": row[5] or None},
        "after": {"verdict": step["verdict"], "reason": step.get("reason")},
    }
