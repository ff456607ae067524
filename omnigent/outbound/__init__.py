"""Requests to addresses that users chose: guarded, so that nobody reaches what only this machine can see."""

from omnigent.outbound.client import Answer, Limits, OutboundClient
from omnigent.outbound.errors import BadAnswer, NotReached, OutboundError, Refused, TooSlow
from omnigent.outbound.guard import Guard, OutboundRules
from omnigent.outbound.resolving import Resolver, SystemResolver
from omnigent.outbound.targets import Target, read_target

__all__ = [
    "Answer",
    "BadAnswer",
    "Guard",
    "Limits",
    "NotReached",
    "OutboundClient",
    "OutboundError",
    "OutboundRules",
    "Refused",
    "Resolver",
    "SystemResolver",
    "Target",
    "TooSlow",
    "read_target",
]
