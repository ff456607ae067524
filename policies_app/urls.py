"""Routes of policies, under /v1."""

from django.urls import path

from policies_app.api.decisions import Decisions
from policies_app.api.kill_switches import KillSwitches, OneKillSwitch
from policies_app.api.policies import DefaultPolicies, OneDefaultPolicy, PolicyRegistry
from policies_app.api.simulations import Backtests, Shadow, Simulations

urlpatterns = [
    path("v1/policies", DefaultPolicies.as_view(), name="default-policies"),
    path("v1/policies/<str:policy_id>", OneDefaultPolicy.as_view(), name="default-policy"),
    path("v1/policies/<str:policy_id>/shadow", Shadow.as_view(), name="default-policy-shadow"),
    path("v1/policy-simulations", Simulations.as_view(), name="policy-simulations"),
    path("v1/policy-backtests", Backtests.as_view(), name="policy-backtests"),
    path("v1/policy-registry", PolicyRegistry.as_view(), name="policy-registry"),
    path("v1/policy-decisions", Decisions.as_view(), name="policy-decisions"),
    path("v1/kill-switches", KillSwitches.as_view(), name="kill-switches"),
    path("v1/kill-switches/<str:kill_switch_id>", OneKillSwitch.as_view(), name="kill-switch"),
]
