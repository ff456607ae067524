"""Policies that watch the course of a session: failures that repeat, tasks that change."""

from typing import Any

from omnigent.policies.builtins.context.task_switch import DETECT_TASK_SWITCH, detect_task_switch
from omnigent.policies.builtins.context.thrashing import DETECT_THRASHING, detect_thrashing

__all__ = ["POLICY_REGISTRY", "detect_task_switch", "detect_thrashing"]

POLICY_REGISTRY: list[dict[str, Any]] = [DETECT_THRASHING, DETECT_TASK_SWITCH]
