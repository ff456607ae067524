"""Who stands at the gate: the session in which something is about to be done, and who asks."""

from dataclasses import dataclass

from omnigent.accounts.identity import Principal
from sessions_app.services.access import Level, require


@dataclass(frozen=True, kw_only=True, slots=True)
class Gate:
    """A session in which something is about to be done. Who may only read it changes nothing by asking."""

    session_pk: int
    session_id: str
    runner_id: str
    actor: str
    may_act: bool


def open_gate(principal: Principal, session_id: str, level: Level = Level.EDIT) -> Gate:
    """The session behind a call of its runner or of somebody who may edit it. Raises 404 and 403."""
    found = require(principal, session_id, level)
    may_act = found.level is None or found.level >= Level.EDIT or found.is_bound_runner
    return Gate(
        session_pk=found.pk,
        session_id=found.public_id,
        runner_id=found.runner_id,
        actor=principal.user_id,
        may_act=may_act,
    )
