"""Usage in buckets by model: adding them up, and what they cost as far as anybody knows."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

Bucket = dict[str, Any]
Buckets = dict[str, Bucket]

TOKENS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)
COST = "total_cost_usd"


def empty() -> Bucket:
    """Nothing used, at an unknown price."""
    return {**dict.fromkeys(TOKENS, 0), COST: None}


def copied(usage: Mapping[str, Bucket] | None) -> Buckets:
    """Buckets that may be changed."""
    return {model: dict(bucket) for model, bucket in (usage or {}).items()}


def added(parts: Iterable[Mapping[str, Bucket] | None]) -> Buckets:
    """Buckets added up; a figure that no part knows stays null."""
    total: Buckets = {}
    for part in parts:
        for model, bucket in (part or {}).items():
            into = total.setdefault(model, dict.fromkeys(bucket))
            for name, value in bucket.items():
                if value is not None:
                    into[name] = (into.get(name) or 0) + value
    return total


def cost_of(usage: Mapping[str, Bucket] | None) -> float | None:
    """What is known of the cost; null when none of it has a price, never 0 for what nobody knows."""
    costs = [bucket[COST] for bucket in (usage or {}).values() if bucket.get(COST) is not None]
    return math.fsum(costs) if costs else None
