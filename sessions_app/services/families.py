"""What the followers of a session see of the sub-agents below it.

A sub-agent's tick locks the sessions above it as well, their smaller ids first, and writes their copies in
the same transaction: so a copy is there exactly when its original is, at whatever moment a process dies, and
nothing has to be found out and made up for afterwards. Text, thinking and items concern nobody above, so
a sub-agent that streams never waits for its parent.
"""

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson

from omnigent.protocol import events
from sessions_app import children
from sessions_app.models import Session

SHOWN_ABOVE = frozenset({"session.status", "session.title"})
"""What changes a sub-agent's row in its parent's list."""
COPIED = frozenset({"response.elicitation_request", "response.elicitation_resolved"})
"""What every session above shows too, because somebody may answer there."""
RAISING = SHOWN_ABOVE | COPIED | events.TERMINAL | {"response.in_progress"}
"""What a runner says that may lead to any of these."""
TOLD = frozenset({"session.created", "session.child_session.updated"})
"""What the server tells of them from its own rows; a released runner says it too."""

MOST_SHOWN = 100
"""As many sub-agents are shown to a new reader; the others are in their list."""


def is_raising(batch: Sequence[events.Event]) -> bool:
    """Whether a runner's events may concern the sessions above; if so these must be locked with it."""
    return any(event.type in RAISING for event in batch)


def chain(session: Session, locked: Mapping[int, Session]) -> list[Session]:
    """The sessions above one, its parent first. Raises LookupError when the tick has not locked them."""
    found: list[Session] = []
    at = session.parent_id
    while at is not None:
        if at not in locked:
            raise LookupError(f"session {session.pk} was locked without session {at} above it")
        found.append(locked[at])
        at = locked[at].parent_id
    return found


def copied(event: events.Event, origin: Session) -> events.Event:
    """A question or its end as the sessions above show it: a question names the session that asks."""
    if isinstance(event, events.ElicitationRequest):
        return dataclasses.replace(event, params={**event.params, "target_session_id": origin.public_id})
    return event


def created(parent: Session, child: Session) -> events.SessionCreated:
    """What the parent shows when a sub-agent comes into being."""
    return events.SessionCreated(
        conversation_id=parent.public_id,
        child_session_id=child.public_id,
        agent_id=child.agent.public_id if child.agent else None,
        parent_session_id=parent.public_id,
    )


def updates(
    session_pks: Collection[int], locked: Mapping[int, Session]
) -> list[tuple[Session, events.SessionChildUpdated]]:
    """(parent, its event) for each of these sub-agents: the whole row of the parent's list, as it is now.

    It is read after everything else was written, so that it never differs from what the list would show.
    """
    return [
        (locked[parent_pk], _updated(locked[parent_pk], row)) for parent_pk, row in children.rows(session_pks)
    ]


def present(session: Session) -> list[events.SessionChildUpdated]:
    """How each of the newest sub-agents of a session stands, for a reader that has just come."""
    newest = Session.objects.children_of(session.pk).order_by("-id").values_list("pk", flat=True)
    pks = list(newest[:MOST_SHOWN])
    return [_updated(session, row) for _, row in children.rows(pks)] if pks else []


def _updated(parent: Session, row: Mapping[str, Any]) -> events.SessionChildUpdated:
    child: dict[str, Any] = orjson.loads(orjson.dumps(row))
    return events.SessionChildUpdated(
        conversation_id=parent.public_id, child_session_id=child["id"], child=child
    )
