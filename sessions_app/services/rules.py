"""What may be written into a session's settings and labels."""

import re
from collections.abc import Mapping
from types import MappingProxyType

from omnigent.errors import ErrorCode, OmnigentError

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")
CLEARING = frozenset({"default", "off", "reset"})
MODEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/\[\]-]{0,255}")

PIN = "omnigent.pinned"
PROJECT = "omni_project"
ARCHIVED_AT = "omnigent.archived_at"
WORKTREE = "omnigent.worktree_root"

INTERNAL = frozenset({"omnigent.turn_actor", ARCHIVED_AT, WORKTREE})
INTERNAL_PREFIXES = ("omnigent.sandbox.", "omnigent.mcp_selection.")
RUNNER_PREFIX = "cost_control."

FORK_SOURCE = "omnigent.fork.source_id"
# What the server writes about one session, and what a person files it under, means nothing to its fork.
NOT_FORKED = frozenset({*INTERNAL, "omnigent.closed", FORK_SOURCE, PROJECT})
NOT_FORKED_PREFIXES = (*INTERNAL_PREFIXES, f"{PIN}.", "omnigent.last_")


def reasoning_effort(value: str) -> str:
    """The stored form of an effort; empty when the agent's own applies."""
    if value in CLEARING or value == "":
        return ""
    if value not in EFFORTS:
        raise invalid(f"reasoning_effort must be one of {', '.join(EFFORTS)}; 'default' clears it")
    return value


def model_override(value: str) -> str:
    """The stored form of a model name; empty when the agent's own applies."""
    if value in CLEARING or value == "":
        return ""
    if not MODEL.fullmatch(value):
        raise invalid(
            "model_override must start with a letter or digit and hold only letters, digits and ._:/[]-"
        )
    return value


def labels(wanted: Mapping[str, str], *, user_id: str, is_bound_runner: bool) -> Mapping[str, str | None]:
    """Labels as they are stored; None removes one. Raises for keys that only server or runner may set."""
    stored: dict[str, str | None] = {}
    for key, value in wanted.items():
        if key in INTERNAL or key.startswith((*INTERNAL_PREFIXES, f"{PIN}.")):
            raise invalid(f"label '{key}' is server-internal and cannot be set by clients")
        if key.startswith(RUNNER_PREFIX) and not is_bound_runner:
            raise OmnigentError(ErrorCode.FORBIDDEN, f"label '{key}' can only be set by the session's runner")
        if key == PIN:
            stored[f"{PIN}.{user_id}"] = value or None
        elif key == PROJECT:
            stored[key] = value or None
        else:
            stored[key] = value
    return MappingProxyType(stored)


def is_forked(label: str) -> bool:
    """Whether a fork has this label of its source."""
    return label not in NOT_FORKED and not label.startswith(NOT_FORKED_PREFIXES)


def invalid(message: str) -> OmnigentError:
    """A 400 in words."""
    return OmnigentError(ErrorCode.INVALID_INPUT, message)
