"""Reports of what happens elsewhere: status, plans, titles, models, sub-agents of a harness of its own."""

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnigent.ids import ELICITATION, mint
from omnigent.protocol import events, inputs
from sessions_app.models import ElicitationStatus
from sessions_app.services import changes, elicitations, ingest, rules, turns, usage

if TYPE_CHECKING:
    from sessions_app.services.inputs import Input

DONE: Mapping[str, Any] = {"queued": False}
FAILED_ELSEWHERE = "reported_failure"


def tool_output_delta(given: "Input") -> Mapping[str, Any]:
    """Some tool output, only shown."""
    delta: inputs.ExternalToolOutputDelta = given.payload
    given.tick.append(given.session, events.FunctionCallOutputDelta(call_id=delta.call_id, delta=delta.delta))
    return DONE


def reasoning_delta(given: "Input") -> Mapping[str, Any]:
    """Some thinking, only shown."""
    delta: inputs.ExternalReasoningDelta = given.payload
    if delta.started:
        given.tick.append(given.session, events.ReasoningStarted())
    given.tick.append(given.session, events.ReasoningTextDelta(delta=delta.delta))
    return DONE


def status(given: "Input") -> Mapping[str, Any]:
    """An edge of the status, with the same effect as the runner's own."""
    report: inputs.ExternalSessionStatus = given.payload
    tick, session = given.tick, given.session
    edge = events.SessionStatus(
        conversation_id=session.public_id,
        status=report.status,
        response_id=report.response_id,
        background_task_count=report.background_task_count,
        background_tasks=report.background_tasks,
        blocked_on=report.blocked_on,
    )
    if report.status == "running":
        turns.begin_elsewhere(tick, session, edge)
        return DONE
    if report.status == "failed":
        message = report.output or "The turn failed"
        error = events.error_object(FAILED_ELSEWHERE, message)
        turns.failed_edge(tick, session, dataclasses.replace(edge, error=error))
    else:
        turns.rest_elsewhere(tick, session, edge)
    return DONE


def interrupted(given: "Input") -> Mapping[str, Any]:
    """Somebody interrupted the turn elsewhere."""
    report: inputs.ExternalSessionInterrupted = given.payload
    asked = events.Interruption(requested_at=int(given.tick.now.timestamp()), response_id=report.response_id)
    given.tick.append(given.session, events.SessionInterrupted(data=asked))
    return DONE


def used(given: "Input") -> Mapping[str, Any]:
    """Totals that are counted elsewhere."""
    usage.report(given.tick, given.session, given.payload)
    return DONE


def resolved(given: "Input") -> Mapping[str, Any]:
    """A question was answered elsewhere."""
    report: inputs.ExternalElicitationResolved = given.payload
    event = events.ElicitationResolved(elicitation_id=report.elicitation_id)
    elicitations.echo(given.tick, given.session, event, unanswered=ElicitationStatus.CANCELLED)
    return DONE


def compacted(given: "Input") -> Mapping[str, Any]:
    """Compaction that a harness does itself."""
    report: inputs.ExternalCompactionStatus = given.payload
    shown: events.Event = events.CompactionFailed()
    if report.status == "in_progress":
        shown = events.CompactionInProgress(started_at=int(given.tick.now.timestamp()))
    elif report.status == "completed":
        shown = events.CompactionCompleted()
    given.tick.append(given.session, shown)
    return DONE


def title(given: "Input") -> Mapping[str, Any]:
    """A title from elsewhere; a sub-agent's name is its parent's to give."""
    report: inputs.ExternalSessionTitle = given.payload
    if given.session.parent_id is None:
        changes.set_title(given.tick, given.session, report.title.strip())
    return DONE


def todos(given: "Input") -> Mapping[str, Any]:
    """The agent's plan, whole."""
    report: inputs.ExternalSessionTodos = given.payload
    given.session.todos = list(report.todos)
    given.tick.append(
        given.session,
        events.SessionTodos(conversation_id=given.session.public_id, todos=list(report.todos)),
    )
    return DONE


def model(given: "Input") -> Mapping[str, Any]:
    """The model was changed elsewhere."""
    report: inputs.ExternalModelChange = given.payload
    given.session.reported_model = (report.model or "")[: ingest.MAX_MODEL]
    given.tick.append(
        given.session,
        events.SessionModel(conversation_id=given.session.public_id, model=report.model or None),
    )
    return DONE


def effort(given: "Input") -> Mapping[str, Any]:
    """The reasoning effort was changed elsewhere."""
    report: inputs.ExternalReasoningEffortChange = given.payload
    given.session.reasoning_effort = rules.reasoning_effort(report.reasoning_effort or "")
    shown = given.session.reasoning_effort or None
    given.tick.append(
        given.session,
        events.SessionReasoningEffort(conversation_id=given.session.public_id, reasoning_effort=shown),
    )
    return DONE


def ask(given: "Input") -> Mapping[str, Any]:
    """A form for a person to fill in."""
    form: inputs.McpElicitation = given.payload
    request = events.ElicitationRequest(
        elicitation_id=mint(ELICITATION),
        params={"mode": "form", "message": form.message, "requestedSchema": dict(form.requested_schema)},
    )
    elicitations.ask(given.tick, given.session, request)
    return {"queued": False, "elicitation_id": request.elicitation_id}
