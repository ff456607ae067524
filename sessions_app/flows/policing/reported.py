"""Calls that a native harness reports before it makes them: judged, never stored."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson
from django.utils import timezone

from omnigent.accounts.identity import Principal
from omnigent.policies.types import Action, Phase, PolicyEvent
from omnigent.protocol import inputs, items
from sessions_app.flows.policing import holding
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
        phase=Phase.TOOL_CALL,
        data={"name": call.name, "arguments": _arguments(call.arguments)},
        target=call.name,
    )
    evaluated = await evaluate(
        process,
        Subject(session_pk=gate.session_pk, actor=gate.actor),
        asked,
        hold=Hold(kind=HeldKind.CALL, taker=call.call_id),
        shows_denial=True,
    )
    if evaluated.held_pk is not None:
        row = await holding.looked_at(process, evaluated.held_pk)
        if row.outcome is None:
            return _pending(row)
        is_allowed = row.outcome["action"] == Action.ALLOW
        if is_allowed and not await process.pool.run(held.consume, row.pk, by=call.call_id):
            return {"verdict": "deny", "reason": "this call was approved once, and made"}
        return {"verdict": row.outcome["action"], "reason": row.outcome["reason"]}
    verdict = evaluated.verdict
    reason = {} if verdict.reason is None else {"reason": verdict.reason}
    return {"verdict": verdict.action.value, **reason}


def _pending(row: HeldAction) -> Json:
    left = max(0, int((row.expires_at - timezone.now()).total_seconds()))
    question = "" if row.elicitation is None else row.elicitation.public_id
    return {"verdict": "pending", "elicitation_id": question, "ask_timeout": left}


def _arguments(text: str) -> Any:
    """The arguments as policies are shown them: the object that the text stands for, or else the text."""
    try:
        found = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return found if isinstance(found, dict) else text
