"""Policies: pure functions that allow, deny or ask about what an agent does."""

from omnigent.policies.builtins.safety import ask_on_os_tools, block_long_sleep
from omnigent.policies.engine import Chain, evaluate
from omnigent.policies.types import Action, Phase, PolicyEvent, PolicyRef, PolicyState, StateUpdate, Verdict

__all__ = [
    "Action",
    "Chain",
    "Phase",
    "PolicyEvent",
    "PolicyRef",
    "PolicyState",
    "StateUpdate",
    "Verdict",
    "ask_on_os_tools",
    "block_long_sleep",
    "evaluate",
]
