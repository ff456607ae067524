"""Elicitations: recorded when asked, answered once, void when their turn is over."""

from dataclasses import dataclass, replace
from typing import Any, Literal, cast

from omnigent.protocol import events
from sessions_app.models import Elicitation, ElicitationStatus, HeldKind, Session
from sessions_app.services.tick import Tick


@dataclass(frozen=True, slots=True)
class Answered:
    """An elicitation with its verdict, and whether it was given just now."""

    row: Elicitation
    was_answered_now: bool


ANSWERS = {
    "accept": ElicitationStatus.ACCEPTED,
    "decline": ElicitationStatus.DECLINED,
    "cancel": ElicitationStatus.CANCELLED,
}


def ask(tick: Tick, session: Session, event: events.ElicitationRequest) -> Elicitation | None:
    """Record a question and show it; asked again with the same id while it is open it is only shown again.

    One that was void is open again, because somebody waits for it after all. One that a person has answered
    is not asked twice: it is given, so that whoever asks learns the verdict.
    """
    row, is_new = Elicitation.objects.get_or_create(
        session=session,
        public_id=event.elicitation_id,
        defaults={
            "response_id": session.active_response_id,
            "request": _plain(event),
            "created_at": tick.now,
        },
    )
    if row.held_kind:
        # A policy's question is the policy's: a runner neither words it nor opens it again.
        return None if row.status == ElicitationStatus.PENDING else row
    if not is_new and row.status != ElicitationStatus.PENDING:
        if row.resolved_by:
            return row
        _reopen(row)
    tick.voided.discard(row.pk)
    session.questions[row.pk] = row.public_id
    tick.append(session, event)
    return None


def open_question(
    tick: Tick, session: Session, event: events.ElicitationRequest, *, kind: HeldKind, digest: str
) -> Elicitation:
    """Ask on behalf of a policy, about the action of this digest."""
    row = Elicitation.objects.create(
        session=session,
        public_id=event.elicitation_id,
        response_id=session.active_response_id,
        request=_plain(event),
        digest=digest,
        held_kind=kind,
        created_at=tick.now,
    )
    session.questions[row.pk] = row.public_id
    session.held_questions[row.pk] = kind
    tick.append(session, event)
    return row


def _reopen(row: Elicitation) -> None:
    Elicitation.objects.filter(pk=row.pk).update(
        status=ElicitationStatus.PENDING, action="", content=None, resolved_at=None, delivered_at=None
    )


def _plain(event: events.ElicitationRequest) -> dict[str, Any]:
    return {
        "type": event.type,
        "elicitation_id": event.elicitation_id,
        "method": event.method,
        "params": event.params,
    }


def answer(
    tick: Tick, session: Session, *, elicitation_id: str, action: str, content: Any, user_id: str
) -> Answered | None:
    """Give the verdict on an open question; None when it is unknown. The first verdict stands."""
    pending = Elicitation.objects.filter(
        session=session, public_id=elicitation_id, status=ElicitationStatus.PENDING
    )
    won = pending.update(
        status=ANSWERS[action], action=action, content=content, resolved_at=tick.now, resolved_by=user_id
    )
    if won:
        _forget(session, elicitation_id)
        given = cast("Literal['accept', 'decline', 'cancel']", action)  # a key of ANSWERS
        tick.append(session, events.ElicitationResolved(elicitation_id=elicitation_id, action=given))
    row = Elicitation.objects.filter(session=session, public_id=elicitation_id).first()
    return None if row is None else Answered(row, was_answered_now=bool(won))


def echo(
    tick: Tick,
    session: Session,
    event: events.ElicitationResolved,
    *,
    unanswered: ElicitationStatus = ElicitationStatus.EXPIRED,
) -> None:
    """The runner says that a question is closed: a verdict is delivered, or it has waited long enough.

    A question without a verdict here was answered there as the event says, or else becomes `unanswered`.
    What a policy asks is answered nowhere else: a runner may give up its own call, and no more.
    """
    rows = Elicitation.objects.filter(session=session, public_id=event.elicitation_id)
    asked = rows.exclude(held_kind="").filter(status=ElicitationStatus.PENDING).first()
    if asked is not None:
        if asked.held_kind != HeldKind.TOOL:
            return
        event = replace(event, action="cancel")
    rows.filter(status__in=[*ANSWERS.values()]).update(
        status=ElicitationStatus.DELIVERED, delivered_at=tick.now
    )
    rows.filter(status=ElicitationStatus.PENDING).update(
        status=ANSWERS.get(event.action or "", unanswered),
        action=event.action or "cancel",
        resolved_at=tick.now,
    )
    _forget(session, event.elicitation_id)
    tick.append(session, event)


def _forget(session: Session, elicitation_id: str) -> None:
    session.questions = {pk: known for pk, known in session.questions.items() if known != elicitation_id}


def void(tick: Tick, session: Session, *, is_lost: bool = False) -> None:
    """The turn is over: nobody waits for its open questions any more.

    A held message waits for no turn; and an action whose runner `is_lost` may come again, with another one.
    """
    held = session.held_questions
    kept = {pk for pk, kind in held.items() if is_lost or kind == HeldKind.MESSAGE}
    for pk, elicitation_id in session.questions.items():
        if pk not in kept:
            tick.append(session, events.ElicitationResolved(elicitation_id=elicitation_id, action="cancel"))
    tick.voided.update(session.questions.keys() - kept)
    session.questions = {pk: known for pk, known in session.questions.items() if pk in kept}


def expire(tick: Tick, session: Session, elicitation_id: str) -> bool:
    """Nobody has answered in time."""
    pending = Elicitation.objects.filter(
        session=session, public_id=elicitation_id, status=ElicitationStatus.PENDING
    )
    won = pending.update(status=ElicitationStatus.EXPIRED, action="cancel", resolved_at=tick.now)
    if won:
        _forget(session, elicitation_id)
        tick.append(session, events.ElicitationResolved(elicitation_id=elicitation_id, action="cancel"))
    return bool(won)
