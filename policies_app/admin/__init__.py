"""The operators' policy screen. It shows tables, and writes only through the services that the API uses."""

from policies_app.admin.decisions import DecisionAdmin
from policies_app.admin.history import PolicyVersionAdmin
from policies_app.admin.kill_switches import KillSwitchAdmin
from policies_app.admin.policies import DefaultPolicyAdmin

__all__ = ["DecisionAdmin", "DefaultPolicyAdmin", "KillSwitchAdmin", "PolicyVersionAdmin"]
