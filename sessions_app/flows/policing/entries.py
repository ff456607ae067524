"""What is said of an evaluation: in the decision log, in the session, and to whoever asked."""

from collections.abc import Mapping
from typing import Any

from omnigent.policies.types import PolicyEvent, Step, Verdict
from omnigent.protocol import events
from policies_app.services.decisions import NewDecision
from policies_app.services.inputs import kept_input
from sessions_app.services.policing import actions
from sessions_app.services.policing.facts import Facts


def decision(
    found: Facts,
    event: PolicyEvent,
    verdict: Verdict,
    *,
    actor: str,
    micros: int,
    accepted: str = "",
    elicitation_id: str = "",
) -> NewDecision:
    """The row of the decision log. `accepted` is what the actor has agreed to before."""
    reason = verdict.reason or (f"{accepted} (accepted)" if accepted else "")
    ref = verdict.deciding
    decided: dict[str, Any] = {}
    if ref is not None:
        decided = {
            "policy_id": ref.policy_id,
            "policy_name": ref.name,
            "policy_version": ref.version,
            "level": ref.level.value,
        }
    return NewDecision(
        phase=event.phase.value,
        verdict=verdict.action.value,
        input_digest=actions.digest(event),
        input=kept_input(actions.to_json(event)),
        session_id=found.public_id,
        root_session_id=found.root_id,
        agent_id=found.agent_id,
        actor=actor,
        target=event.target or "",
        reason=actions.plain(reason, actions.REASON),
        shadow=[_said(step) for step in verdict.steps if step.ref.shadow],
        steps=[_said(step) for step in verdict.steps if not step.ref.shadow],
        elicitation_id=elicitation_id,
        latency_us=micros,
        **decided,
    )


def _said(step: Step) -> dict[str, Any]:
    said: dict[str, Any] = {
        "id": step.ref.policy_id,
        "name": step.ref.name,
        "version": step.ref.version,
        "verdict": step.action.value,
        "micros": step.micros,
    }
    if step.reason:
        said["reason"] = actions.plain(step.reason, actions.PREVIEW)
    if step.failed:
        said["failed"] = True
    return said


def denial(found: Facts, event: PolicyEvent, verdict: Verdict) -> events.PolicyDenied:
    """What the session's clients are shown."""
    return events.PolicyDenied(
        conversation_id=found.public_id,
        reason=actions.plain(verdict.reason or "", actions.REASON),
        phase=event.phase.value,
    )


def outcome(verdict: Verdict) -> Mapping[str, Any]:
    """How a held action has ended."""
    data = {"data": verdict.data} if verdict.has_data else {}
    return {"action": verdict.action.value, "reason": verdict.reason, **data}
