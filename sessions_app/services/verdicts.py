"""Verdicts on elicitations that come by their own address."""

from collections.abc import Mapping
from typing import Any

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import mint
from sessions_app.models import Elicitation, OutboxKind, Session
from sessions_app.services import elicitations, outbox
from sessions_app.services.access import Level, require
from sessions_app.services.receipts import Receipts
from sessions_app.services.tick import Tick, tick_of


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
    access = require(principal, session_id, Level.EDIT)
    with receipts.replayed(principal) as replay:
        if replay is not None:
            return replay
        with tick_of([access.pk]) as tick:
            session = tick.sessions[access.pk]
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


def decide(
    tick: Tick, session: Session, *, elicitation_id: str, action: str, content: Any, user_id: str
) -> elicitations.Answered | None:
    """Give a verdict in an open tick and send it to the runner; None when nobody knows the elicitation."""
    row = elicitations.answer(
        tick, session, elicitation_id=elicitation_id, action=action, content=content, user_id=user_id
    )
    if row is not None and row.was_answered_now:
        send(tick, session, elicitation_id=elicitation_id, action=action, content=content)
    return row


def send(tick: Tick, session: Session, *, elicitation_id: str, action: str, content: Any = None) -> None:
    """Put a verdict into the outbox."""
    data: dict[str, Any] = {"elicitation_id": elicitation_id, "action": action}
    if content is not None:
        data["content"] = content
    body = {"type": "approval", "data": data, "delivery_id": mint("dlv")}
    outbox.put(tick, session, OutboxKind.APPROVAL, body, item_id=elicitation_id)


def resolution(row: elicitations.Answered) -> Mapping[str, Any]:
    """The verdict that stands, as a later one is told."""
    found: Elicitation = row.row
    return {
        "action": found.action,
        "resolved_by": found.resolved_by or None,
        "resolved_at": int(found.resolved_at.timestamp()) if found.resolved_at else None,
    }
