"""Handlers as an operator would bring them along."""

from collections.abc import Mapping
from typing import Any


def deny_everything(event: Mapping[str, Any]) -> dict[str, str]:
    """Deny."""
    return {"result": "DENY", "reason": "closed"}


POLICY_REGISTRY = [
    {
        "handler": f"{__name__}.deny_everything",
        "kind": "callable",
        "description": "Denies everything.",
    },
    {
        "handler": f"{__name__}.hidden",
        "kind": "callable",
        "description": "Denies everything, but is not shown.",
        "internal_only": True,
    },
]

hidden = deny_everything
