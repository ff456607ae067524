"""The evaluate endpoint: a runner, or a hook of a native harness, asks before it goes on."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import mint
from omnigent.policies.types import Action, Phase, PolicyEvent, Verdict
from sessions_app.flows.policing import holding
from sessions_app.flows.policing.evaluating import evaluate
from sessions_app.flows.policing.rounds import Hold, Subject
from sessions_app.models import HeldKind
from sessions_app.services import gating
from sessions_app.services.access import Level
from sessions_app.services.policing import held

if TYPE_CHECKING:
    from sessions_app.process import Process

HELD_PHASES = frozenset({Phase.REQUEST, Phase.TOOL_CALL, Phase.LLM_REQUEST})
NAMED = re.compile(r"elicit_evaluate_[0-9a-f]{32}")
EVALUATE = "elicit_evaluate"

Json = Mapping[str, Any]


async def answer(process: "Process", principal: Principal, session_id: str, body: Json) -> Json:
    """The verdict on one event, once a person has decided if one must. Raises INVALID_INPUT for what is none.

    Somebody who may only read the session is told what the policies would say, and nothing comes of it.
    """
    event, named = read_event(body), read_name(body)
    gate = await process.pool.run(gating.open_gate, principal, session_id, Level.READ)
    subject = Subject(
        session_pk=gate.session_pk,
        actor=gate.actor,
        model=_text(event.context.get("model")),
        harness=_text(event.context.get("harness")),
    )
    hold: Hold | None = None
    if gate.may_act and event.phase in HELD_PHASES:
        elicitation_id = named or mint(EVALUATE)
        hold = Hold(kind=HeldKind.EVALUATION, elicitation_id=elicitation_id, taker=elicitation_id)
    evaluated = await evaluate(
        process,
        subject,
        event,
        hold=hold,
        is_binding=gate.may_act,
        shows_denial=event.phase is Phase.TOOL_CALL,
    )
    if evaluated.held_pk is None or hold is None:
        return shown(evaluated.verdict)
    row = await holding.settled(process, evaluated.held_pk)
    outcome = row.outcome or {}
    if outcome.get("action") == "allow" and not await process.pool.run(held.consume, row.pk, by=hold.taker):
        outcome = {"action": "deny", "reason": "this action was approved once, and done"}
    return {
        "result": Action(outcome["action"]).wire,
        **{key: outcome[key] for key in ("reason", "data") if outcome.get(key) is not None},
    }


def read_event(body: Json) -> PolicyEvent:
    """The event in an evaluate body. An unknown phase is refused, so that nothing passes by a misspelling."""
    event = body.get("event")
    if not isinstance(event, Mapping) or not isinstance(event.get("type"), str):
        raise _invalid("event.type must be a string")
    phase = Phase.from_wire(event["type"])
    if phase is None:
        known = ", ".join(one.wire for one in Phase if one is not Phase.RESPONSE)
        raise _invalid(f"Unknown phase {event['type'][:100]!r}; known are {known}")
    data, context, request_data = event.get("data"), event.get("context"), event.get("request_data")
    if not isinstance(context, Mapping | None) or not isinstance(request_data, Mapping | None):
        raise _invalid("event.context and event.request_data must be objects")
    if not isinstance(data, Mapping) and not (phase is Phase.REQUEST and isinstance(data, str)):
        raise _invalid("event.data must be an object")
    target = event.get("target")
    if not isinstance(target, str | None):
        raise _invalid("event.target must be a string")
    target = _target(phase, data, request_data, target)
    return PolicyEvent(
        phase=phase,
        data=_request(data) if phase is Phase.REQUEST else data,
        target=target,
        context=context or {},
        request_data=request_data,
    )


def _target(phase: Phase, data: Any, request_data: Json | None, target: str | None) -> str | None:
    """The tool that a tool's event is about. Raises when nobody says which."""
    if phase is Phase.TOOL_CALL:
        if not isinstance(data.get("name"), str) or not data["name"]:
            raise _invalid("event.data.name must be a string")
        return str(data["name"])
    if phase is Phase.TOOL_RESULT:
        name = (request_data or {}).get("name") or target
        if not isinstance(name, str) or not name:
            raise _invalid("event.request_data.name or event.target must name the tool")
        return name
    return target


def _request(data: Any) -> dict[str, Any]:
    if isinstance(data, str):
        return {"user_content": data, "attachments": []}
    if "user_content" in data:
        return dict(data)
    words = next((data[key] for key in ("text", "content") if data.get(key) is not None), None)
    return {"user_content": words if isinstance(words, str | list) else str(data), "attachments": []}


def read_name(body: Json) -> str:
    """The id under which a caller asks again; empty when it gives none."""
    named = body.get("_omnigent_elicitation_id")
    if named is None:
        return ""
    if not isinstance(named, str) or not NAMED.fullmatch(named):
        raise _invalid("_omnigent_elicitation_id must be elicit_evaluate_ and 32 hexadecimal digits")
    return named


def _invalid(message: str) -> OmnigentError:
    return OmnigentError(ErrorCode.INVALID_INPUT, message)


def _text(value: Any) -> str | None:
    return value[:256] if isinstance(value, str) and value else None


def shown(verdict: Verdict) -> Json:
    """A verdict as runners read it."""
    answer: dict[str, Any] = {"result": verdict.action.wire}
    if verdict.reason is not None:
        answer["reason"] = verdict.reason
    if verdict.has_data:
        answer["data"] = verdict.data
    return answer
