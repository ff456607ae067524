"""The rows of policies: what applies to every session, its history, and what was decided."""

from policies_app.models.decision import Decision, DecisionHead, Level, VerdictName
from policies_app.models.imported_decision import ImportedDecision
from policies_app.models.kill_switch import KillSwitch, KillSwitchKind
from policies_app.models.policy import DefaultPolicy, Mode, PolicyBase, PolicyType
from policies_app.models.version import Change, PolicyScope, PolicyVersion, ServerRevision

__all__ = [
    "Change",
    "Decision",
    "DecisionHead",
    "DefaultPolicy",
    "ImportedDecision",
    "KillSwitch",
    "KillSwitchKind",
    "Level",
    "Mode",
    "PolicyBase",
    "PolicyScope",
    "PolicyType",
    "PolicyVersion",
    "ServerRevision",
    "VerdictName",
]
