"""Policies for agents that set other agents to work."""

from typing import Any

from omnigent.policies.builtins.orchestration.dispatches import (
    PURPOSE_GUARD,
    SPAWN_BOUNDS,
    headless_subagent_purpose_guard,
    spawn_bounds,
)
from omnigent.policies.builtins.orchestration.shell_gate import BLAST_RADIUS, blast_radius
from omnigent.policies.builtins.orchestration.writes import (
    READ_ONLY_OS,
    WORKTREE_GUARD,
    read_only_os,
    worktree_guard,
)

__all__ = [
    "POLICY_REGISTRY",
    "blast_radius",
    "headless_subagent_purpose_guard",
    "read_only_os",
    "spawn_bounds",
    "worktree_guard",
]

POLICY_REGISTRY: list[dict[str, Any]] = [
    BLAST_RADIUS,
    SPAWN_BOUNDS,
    PURPOSE_GUARD,
    WORKTREE_GUARD,
    READ_ONLY_OS,
]
