"""Verdicts on elicitations that come by their own address."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db.models.functions import Coalesce

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import mint
from omnigent.protocol import events
from sessions_app.models import (
    Elicitation,
    ElicitationStatus,
    Grant,
    HeldAction,
    HeldKind,
    OutboxKind,
    Session,
)
from sessions_app.services import elicitations, outbox, turns
from sessions_app.services.access import Access, Level, not_found, require
from sessions_app.services.policing import held
from sessions_app.services.receipts import Receipts
from sessions_app.services.tick import Tick, tick_of
from sessions_app.statements import query


def resolve(
    principal: Principal,
    session_id: str,
    *,
    elicitation_id: str,
    action: str,
    content: Any,
    receipts: Receipts,
) -> Mapping[str, Any]:
    """Give a verdict. Raises NOT_FOUND for an unknown elicitation; the second verdict is told the first."""
    access = admit(principal, session_id, elicitation_id)
    with receipts.replayed(principal) as replay:
        if replay is not None:
            return replay
        with tick_of([access.pk]) as tick:
            session = tick.sessions.get(access.pk)
            if session is None:
                raise not_found()
            row = decide(
                tick,
                session,
                elicitation_id=elicitation_id,
                action=action,
                content=content,
                user_id=principal.user_id,
            )
            if row is None:
                raise OmnigentError(ErrorCode.NOT_FOUND, "Elicitation not found")
            answer: dict[str, Any] = {"queued": False}
            if not row.was_answered_now:
                answer["resolution"] = resolution(row)
            receipts.record(202, answer)
    return answer


def level() -> Level:
    """What it takes to answer: the operator's choice."""
    return Level.EDIT if settings.OMNIGENT_APPROVERS == "edit" else Level.OWNER


_ASKED_BELOW = """
WITH RECURSIVE tree(id, depth) AS (
  SELECT id, 0 FROM sessions_app_session WHERE id = %s
  UNION ALL
  SELECT child.id, depth + 1 FROM sessions_app_session child JOIN tree ON child.parent_id = tree.id
)
SELECT session.public_id FROM tree
JOIN sessions_app_elicitation elicitation
  ON elicitation.session_id = tree.id AND elicitation.public_id = %s
JOIN sessions_app_session session ON session.id = tree.id
ORDER BY tree.depth, tree.id LIMIT 1
"""


def target(session_pk: int, elicitation_id: str) -> str | None:
    """The session that asks this question, itself or one below it; the nearest one when there are several."""
    found = query(_ASKED_BELOW, [session_pk, elicitation_id])
    return found[0][0] if found else None


def admit(principal: Principal, session_id: str, elicitation_id: str | None) -> Access:
    """Where a verdict belongs that was posted to a session: there, or below it where the question was asked.

    Raises 404 and 403 for somebody who may not answer there. Whoever a policy names as an approver needs to
    see the session only, and no runner decides about what it asks for itself.
    """
    access = require(principal, session_id, Level.READ)
    public_id = target(access.pk, elicitation_id) if elicitation_id is not None else None
    if public_id is not None and public_id != access.public_id:
        access = require(principal, public_id, Level.READ)
    row = None if public_id is None or elicitation_id is None else held.of_question(access.pk, elicitation_id)
    if row is not None and principal.kind == "runner":
        raise OmnigentError(ErrorCode.FORBIDDEN, "A runner may not answer what a policy asks")
    if row is not None and row.approvers:
        held.require_voter(row, principal.user_id)
        return access
    return access if _is_delegate(principal, access) else require(principal, access.public_id, level())


def _is_delegate(principal: Principal, access: Access) -> bool:
    """Whether the owner lets this person answer."""
    return Grant.objects.filter(
        session__in=Session.objects.filter(pk=access.pk).values(top=Coalesce("root_id", "id")),
        user_id=principal.user_id,
        may_approve=True,
    ).exists()


def decide(
    tick: Tick, session: Session, *, elicitation_id: str, action: str, content: Any, user_id: str
) -> elicitations.Answered | None:
    """Give a verdict in an open tick and send it to the runner; None when nobody knows the elicitation.

    One approval of several that a policy wants leaves the question open.
    """
    row = held.of_question(session.pk, elicitation_id)
    if row is not None and action == "accept" and _is_open(row) and held.vote(row, user_id):
        return elicitations.Answered(row.elicitation, was_answered_now=False)  # type: ignore[arg-type]  # an open question is there
    answered = elicitations.answer(
        tick, session, elicitation_id=elicitation_id, action=action, content=content, user_id=user_id
    )
    if answered is None or not answered.was_answered_now:
        return answered
    if row is None or row.kind in (HeldKind.TOOL, HeldKind.CALL):
        send(tick, session, elicitation_id=elicitation_id, action=action, content=content)
    if row is not None:
        # A runner whose call it was ends its turn by itself; an interrupt might hit the next one.
        if action == "decline" and row.kind in (HeldKind.EVALUATION, HeldKind.CALL):
            interrupt(tick, session)
        held.ring(row.pk)
    return answered


def expire(session_pk: int, elicitation_id: str) -> None:
    """Close a policy's question that nobody has answered in time, and tell a runner that waits for it."""
    with tick_of([session_pk]) as tick:
        session = tick.sessions.get(session_pk)
        if session is None or not elicitations.expire(tick, session, elicitation_id):
            return
        row = held.of_question(session_pk, elicitation_id)
        if row is None:
            return
        if row.kind == HeldKind.TOOL:
            send(tick, session, elicitation_id=elicitation_id, action="cancel")
        held.ring(row.pk)


def _is_open(row: HeldAction) -> bool:
    return row.elicitation is not None and row.elicitation.status == ElicitationStatus.PENDING


def interrupt(tick: Tick, session: Session) -> None:
    """Stop the turn that runs, if one does."""
    interrupt_all(tick, [session])


def interrupt_all(tick: Tick, sessions: Iterable[Session]) -> None:
    """Stop the turns of several sessions."""
    deliveries: list[tuple[Session, Mapping[str, Any]]] = []
    for session in sessions:
        asked = events.Interruption(
            requested_at=int(tick.now.timestamp()), response_id=session.active_response_id or None
        )
        tick.append(session, events.SessionInterrupted(data=asked))
        if session.status in turns.BUSY:
            session.interrupt_fence = bool(session.active_response_id)
            deliveries.append((session, {"type": "interrupt", "delivery_id": mint("dlv")}))
    if deliveries:
        outbox.put_all(tick, OutboxKind.INTERRUPT, deliveries)


def send(tick: Tick, session: Session, *, elicitation_id: str, action: str, content: Any = None) -> None:
    """Put a verdict into the outbox."""
    data: dict[str, Any] = {"elicitation_id": elicitation_id, "action": action}
    if content is not None:
        data["content"] = content
    body = {"type": "approval", "data": data, "delivery_id": mint("dlv")}
    outbox.put(tick, session, OutboxKind.APPROVAL, body, item_id=elicitation_id)


def repeat(tick: Tick, session: Session, row: Elicitation) -> None:
    """Put the verdict that stands into the outbox again."""
    send(tick, session, elicitation_id=row.public_id, action=row.action, content=row.content)


def resolution(row: elicitations.Answered) -> Mapping[str, Any]:
    """The verdict that stands, as a later one is told."""
    found: Elicitation = row.row
    if found.status == ElicitationStatus.PENDING:
        return {"action": None, "resolved_by": None, "resolved_at": None}
    return {
        "action": found.action,
        "resolved_by": found.resolved_by or None,
        "resolved_at": int(found.resolved_at.timestamp()) if found.resolved_at else None,
    }
