"""Safety: what agents may touch, how often, for how long, and what may be sent to a model."""

from typing import Any

from omnigent.policies.builtins.safety import (
    counting,
    guards,
    os_tools,
    personal_data,
    sandboxing,
    skills,
    sleeping,
)
from omnigent.policies.builtins.safety.counting import detect_loop, max_tool_calls_per_session
from omnigent.policies.builtins.safety.guards import ask_on_add_policy, ask_on_scheduled_task_change
from omnigent.policies.builtins.safety.os_tools import ask_on_os_tools
from omnigent.policies.builtins.safety.personal_data import deny_pii_in_llm_request
from omnigent.policies.builtins.safety.sandboxing import enforce_sandbox
from omnigent.policies.builtins.safety.skills import block_skills
from omnigent.policies.builtins.safety.sleeping import block_long_sleep

__all__ = [
    "POLICY_REGISTRY",
    "ask_on_add_policy",
    "ask_on_os_tools",
    "ask_on_scheduled_task_change",
    "block_long_sleep",
    "block_skills",
    "deny_pii_in_llm_request",
    "detect_loop",
    "enforce_sandbox",
    "max_tool_calls_per_session",
]

POLICY_REGISTRY: list[dict[str, Any]] = [
    os_tools.ENTRY,
    sleeping.ENTRY,
    counting.MAX_TOOL_CALLS_ENTRY,
    counting.DETECT_LOOP_ENTRY,
    skills.ENTRY,
    sandboxing.ENTRY,
    personal_data.ENTRY,
    guards.ADD_POLICY_ENTRY,
    guards.TASK_CHANGE_ENTRY,
]
