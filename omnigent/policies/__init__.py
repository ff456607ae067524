"""Policies: pure functions that allow, deny or ask about what an agent does."""

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
    "evaluate",
]
