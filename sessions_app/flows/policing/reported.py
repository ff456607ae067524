"""Calls that a native harness reports before it makes them: judged, never stored."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from omnigent.accounts.identity import Principal
from omnigent.policies.types import Phase, PolicyEvent
from omnigent.protocol import inputs, items
from sessions_app.flows.policing.evaluating import evaluate
from sessions_app.flows.policing.rounds import Hold, Subject
from sessions_app.models import HeldAction, HeldKind
from sessions_app.services import gating
from sessions_app.services.inputs import read_payload
from sessions_app.services.policing import held

if TYPE_CHECKING:
    from sessions_app.process import Process

Json = Mapping[str, Any]


def is_asked(event: inputs.SessionEvent) -> bool:
    """Whether an input wants a verdict on a call instead of having it stored."""
    return event.type == "function_call" and bool(event.data.get("evaluate_policy"))


async def answer(
    process: "Process", principal: Principal, session_id: str, event: inputs.SessionEvent
) -> Json:
    """The verdict, or the question that a person has to answer first. Raises OmnigentError."""
    payload = read_payload(event)
    assert isinstance(payload, inputs.StoredItem) and isinstance(payload.item, items.FunctionCall)
    call = payload.item
    gate = await process.pool.run(gating.open_gate, principal, session_id)
    asked = PolicyEvent(
        phase=Phase.TOOL_CALL, data={"name": call.name, "arguments": call.arguments}, target=call.name
    )
    evaluated = await evaluate(
        process,
        Subject(session_pk=gate.session_pk, actor=gate.actor),
        asked,
        hold=Hold(kind=HeldKind.CALL, taker=call.call_id),
        shows_denial=True,
    )
    if evaluated.held_pk is not None:
        row = await process.pool.run(held.get, evaluated.held_pk)
        return {"verdict": "deny", "reason": "the question is gone"} if row is None else _shown(row)
    verdict = evaluated.verdict
    reason = {} if verdict.reason is None else {"reason": verdict.reason}
    return {"verdict": verdict.action.value, **reason}


def _shown(row: HeldAction) -> Json:
    if row.outcome is not None:
        return {"verdict": row.outcome["action"], "reason": row.outcome["reason"]}
    left = max(0, int((row.expires_at - timezone.now()).total_seconds()))
    question = "" if row.elicitation is None else row.elicitation.public_id
    return {"verdict": "pending", "elicitation_id": question, "ask_timeout": left}
