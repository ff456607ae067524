"""The life of a turn. This is the only module that changes a session's status.

Every function works on a locked session of an open tick, names the states it expects, and tells whether it
changed anything: losing a race is a normal result.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

from omnigent.protocol import events
from sessions_app.models import Session, Status, TurnStatus
from sessions_app.services import elicitations, failures, pending_inputs
from sessions_app.services.tick import Tick

BUSY = (Status.RUNNING, Status.WAITING)

TURN_ENDS: Mapping[str, TurnStatus] = {
    "response.completed": TurnStatus.COMPLETED,
    "response.failed": TurnStatus.FAILED,
    "response.cancelled": TurnStatus.CANCELLED,
    "response.incomplete": TurnStatus.INCOMPLETE,
}


def begin(tick: Tick, session: Session) -> bool:
    """A message was taken: the session is running until a turn ends or fails."""
    session.last_task_error = None
    if session.status == Status.RUNNING:
        return False
    session.status = Status.RUNNING
    session.active_response_id = ""
    session.interrupt_fence = False
    session.updated_at = tick.now
    _show(tick, session, _status(session))
    return True


def open_response(tick: Tick, session: Session, response_id: str) -> None:
    """The runner began a response: it names the turn that was opened on forwarding, or opens a follow-up."""
    session.active_response_id = response_id
    turn = tick.turn(session)
    if turn is None or turn.response_id not in ("", response_id):
        tick.open_turn(session, response_id)
    else:
        turn.response_id = response_id
        tick.save_turn(turn)


def close_response(tick: Tick, session: Session, event: events.Event) -> None:
    """The runner ended its response: the turn is over, whatever the session does next."""
    session.interrupt_fence = False
    turn = tick.turn(session)
    if turn is not None:
        turn.status = TURN_ENDS[event.type]
        turn.ended_at = tick.now
        if turn.status == TurnStatus.FAILED:
            turn.error_code = failures.readable_error(getattr(event, "response", {}).get("error"))["code"]
        tick.save_turn(turn)


def running_edge(tick: Tick, session: Session, event: events.SessionStatus) -> None:
    """The runner says that it runs. The first such edge after a message repeats ours and is not shown."""
    session.interrupt_fence = False
    session.last_task_error = None
    is_known = event.blocked_on is None and _background(event) in (None, session.background)
    if session.status == Status.RUNNING and not session.active_response_id and is_known:
        return
    session.status = Status.RUNNING
    session.active_response_id = ""
    _show(tick, session, event)


def resting_edge(tick: Tick, session: Session, event: events.SessionStatus) -> None:
    """The runner says idle or waiting. A failure stays; a message that it cannot know of keeps it running.

    A message that was sent before may have been taken and answered: then this edge is the end of its turn.
    That a runner was out of reach is no failure any more when it says this.
    """
    session.interrupt_fence = False
    if is_given_up(session):
        session.last_task_error = None
    elif session.status == Status.FAILED:
        return
    if session.has_new_input:
        return
    pending_inputs.settle(tick, session)
    session.active_response_id = ""
    _close_turn(tick, session, TurnStatus.CANCELLED)
    elicitations.void(tick, session)
    if session.last_task_error is not None:
        # A message was refused while this turn ran.
        session.status = Status.FAILED
        _show(tick, session, _status(session, error=failures.readable_error(session.last_task_error)))
        return
    event = dataclasses.replace(event, status="waiting") if session.awaits_children else event
    session.status = Status.WAITING if event.status == "waiting" else Status.IDLE
    _show(tick, session, event)


def begin_elsewhere(tick: Tick, session: Session, event: events.SessionStatus) -> None:
    """Somebody reports that a turn runs that no runner's stream tells of."""
    running_edge(tick, session, event)
    if tick.turn(session) is None:
        tick.open_turn(session)


def rest_elsewhere(tick: Tick, session: Session, event: events.SessionStatus) -> None:
    """Somebody reports that it is over; a turn without a response has ended well then."""
    turn = tick.turn(session)
    if turn is not None and not turn.response_id and not session.has_new_input:
        _close_turn(tick, session, TurnStatus.COMPLETED)
    resting_edge(tick, session, event)


def is_given_up(session: Session) -> bool:
    """Whether the session has failed for no other reason than that its runner was out of reach."""
    error = session.last_task_error or {}
    return session.status == Status.FAILED and error.get("code") == failures.RUNNER_DISCONNECTED


def fail(tick: Tick, session: Session, error: Mapping[str, Any], *, item_id: str = "") -> bool:
    """The turn cannot go on: close its response, store the error, and say so. Idle sessions stay idle.

    So do those that wait for sub-agents: they have no turn to lose, and are told what became of these.
    """
    if session.status not in BUSY or _is_waiting(session):
        return False
    whole = failures.readable_error(error)
    response_id = session.active_response_id
    pending_inputs.settle(tick, session)
    failures.store_error(
        tick, session, whole, response_id=response_id or session.public_id, source="execution"
    )
    if _close_turn(tick, session, TurnStatus.FAILED, whole["code"]):
        tick.append(
            session,
            events.ResponseFailed(source="execution", response=_ended(tick, session, "failed", whole)),
        )
    record_failure(tick, session, whole, item_id=item_id)
    _show(tick, session, _status(session, response_id=response_id or None, error=whole))
    return True


def refuse(tick: Tick, session: Session, error: Mapping[str, Any], *, item_id: str) -> None:
    """A message was not taken. A response that is under way goes on; the failure shows when it has ended."""
    turn = tick.turn(session)
    if turn is None or not turn.response_id or session.status not in BUSY:
        if not fail(tick, session, error, item_id=item_id):
            _fail_at_rest(tick, session, failures.readable_error(error), item_id=item_id)
        return
    whole = failures.readable_error(error)
    failures.store_error(tick, session, whole, response_id=session.public_id, source="execution")
    session.last_task_error = failures.kept(whole, item_id)


def _fail_at_rest(tick: Tick, session: Session, error: dict[str, Any], *, item_id: str) -> None:
    failures.store_error(tick, session, error, response_id=session.public_id, source="execution")
    record_failure(tick, session, error, item_id=item_id)
    _show(tick, session, _status(session, error=error))


def failed_edge(tick: Tick, session: Session, event: events.SessionStatus) -> None:
    """The runner says that the turn failed; its response and error item came before."""
    if session.status == Status.FAILED:
        return
    error = failures.readable_error(event.error)
    pending_inputs.settle(tick, session)
    _close_turn(tick, session, TurnStatus.FAILED, error["code"])
    record_failure(tick, session, error)
    _show(tick, session, dataclasses.replace(event, error=error))


def record_failure(tick: Tick, session: Session, error: Mapping[str, Any], *, item_id: str = "") -> None:
    """Set the failed status and what the snapshot shows of it; open questions are void."""
    session.last_task_error = failures.kept(error, item_id)
    session.status = Status.FAILED
    session.active_response_id = ""
    session.interrupt_fence = False
    session.updated_at = tick.now
    elicitations.void(tick, session, is_lost=error.get("code") in failures.RUNNER_LOST)


def rest(tick: Tick, session: Session) -> bool:
    """The runner went away on purpose: a busy session becomes idle, unless it waits for sub-agents."""
    if session.status not in BUSY or _is_waiting(session):
        return False
    pending_inputs.settle(tick, session)
    if _close_turn(tick, session, TurnStatus.CANCELLED):
        tick.append(session, events.ResponseCancelled(response=_ended(tick, session, "cancelled")))
    session.status = Status.IDLE
    session.active_response_id = ""
    session.interrupt_fence = False
    session.updated_at = tick.now
    elicitations.void(tick, session)
    _show(tick, session, _status(session))
    return True


def wait_no_more(tick: Tick, session: Session) -> bool:
    """No sub-agent is at work for it any more: a session that waited is idle."""
    is_over = session.status == Status.WAITING and not (session.awaits_children or session.has_input)
    if is_over:
        session.status = Status.IDLE
        _show(tick, session, _status(session))
    return is_over


def _is_waiting(session: Session) -> bool:
    return session.status == Status.WAITING and session.awaits_children


def forgive(tick: Tick, session: Session) -> bool:
    """A runner was bound: a failure of the old one is over."""
    if session.status != Status.FAILED:
        return False
    session.status = Status.IDLE
    session.last_task_error = None
    _show(tick, session, _status(session))
    return True


def _close_turn(tick: Tick, session: Session, status: TurnStatus, error_code: str = "") -> bool:
    """End the turn that is running; true when its response has begun and its end has to be shown."""
    turn = tick.turn(session)
    if turn is None:
        return False
    turn.status = status
    turn.error_code = error_code
    turn.ended_at = tick.now
    tick.save_turn(turn)
    return bool(turn.response_id) and turn.response_id == session.active_response_id


def _ended(
    tick: Tick, session: Session, status: events.ResponseStatus, error: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return events.response_object(
        id=session.active_response_id,
        status=status,
        model=session.agent.name if session.agent else "",
        created_at=int(tick.now.timestamp()),
        error=error,
    )


def _show(tick: Tick, session: Session, event: events.SessionStatus) -> None:
    """Show an edge, and keep what it says of work in the background until the next one."""
    session.background = _background(event)
    tick.append(session, event)


def _background(event: events.SessionStatus) -> dict[str, Any] | None:
    count, tasks = event.background_task_count, event.background_tasks
    return None if count is None and tasks is None else {"count": count, "tasks": tasks}


def _status(
    session: Session, *, response_id: str | None = None, error: dict[str, Any] | None = None
) -> events.SessionStatus:
    return events.SessionStatus(
        conversation_id=session.public_id,
        status=cast(events.SessionStatusWord, session.status),
        response_id=response_id,
        error=error,
    )
