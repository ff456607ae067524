"""What stands between an agent and its actions: who asks, and what the policies say."""

from dataclasses import dataclass

from omnigent.accounts.identity import Principal
from omnigent.policies import engine
from omnigent.policies.types import PolicyEvent, PolicyState, Verdict
from sessions_app.services.access import Level, require


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """A session whose runner asks for something."""

    session_pk: int
    session_id: str
    runner_id: str


def open_gate(principal: Principal, session_id: str) -> Gate:
    """The session behind a call of its runner or of somebody who may edit it. Raises 404 and 403."""
    found = require(principal, session_id, Level.EDIT)
    return Gate(session_pk=found.pk, session_id=found.public_id, runner_id=found.runner_id)


def evaluate(gate: Gate, event: PolicyEvent) -> Verdict:
    """The verdict of the session's chain of policies. None can be attached yet, so it is empty."""
    return engine.evaluate(event, (), PolicyState())
