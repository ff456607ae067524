"""Policies that an operator's own service answers, over HTTPS."""

from omnigent.policies.remote.breaker import BreakerOpen
from omnigent.policies.remote.endpoints import EndpointStatus
from omnigent.policies.remote.errors import RemotePolicyError
from omnigent.policies.remote.policies import RemotePolicies, RemotePolicy, RemoteRules, url_problem

__all__ = [
    "BreakerOpen",
    "EndpointStatus",
    "RemotePolicies",
    "RemotePolicy",
    "RemotePolicyError",
    "RemoteRules",
    "url_problem",
]
