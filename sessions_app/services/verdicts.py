"""Verdicts on elicitations that come by their own address."""

from collections.abc import Mapping
from typing import Any

from django.conf import settings

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import mint
from sessions_app.models import Elicitation, OutboxKind, Session
from sessions_app.services import elicitations, outbox
from sessions_app.services.access import Access, Level, not_found, require
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
    access = require(principal, session_id, level())
    access = asking(principal, access, elicitation_id)
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


def asking(principal: Principal, access: Access, elicitation_id: str) -> Access:
    """Where a verdict belongs that was posted to a session: there, or below it where the question was asked.

    Raises 404 and 403 for somebody who may not answer there.
    """
    public_id = target(access.pk, elicitation_id)
    if public_id is None or public_id == access.public_id:
        return access
    return require(principal, public_id, level())


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
