"""The rows of session policies: their order, copies for forks, and the history of each of them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from policies_app.models import Change, PolicyVersion
from policies_app.services.default_policies import NewPolicy
from policies_app.services.versions import RESTORED, version_of
from sessions_app.models import PolicyMemory, Session, SessionPolicy
from sessions_app.statements import Slot, Statement, compiled, kept

MAX_NAME = 256
KEPT = (*RESTORED, "type", "created_by")
"""What a copy has of a policy."""


def in_order(session_pk: int) -> list[SessionPolicy]:
    """The session's own policies in the order in which they run."""
    return list(SessionPolicy.objects.filter(session=session_pk).order_by("created_at", "pk"))


def attach(
    session_pk: int, session_id: str, policies: Sequence[NewPolicy], *, by: str
) -> Sequence[SessionPolicy]:
    """Give these policies to a session, behind those it has. They have been checked."""
    return _insert([_row(session_pk, new, by) for new in policies], session_id, by)


def take_over(source_pk: int, session: Session, *, by: str) -> None:
    """Give a session that is being made what binds another one, switched-off ones included."""
    _insert([_copy(row, session.pk) for row in binding(source_pk)], session.public_id, by)


def binding(session_pk: int) -> list[SessionPolicy]:
    """The policies of a sub-agent's root, then its own that are no duplicates of those, in order.

    None of them is stored here; where two have the same name, the second one has another.
    """
    lineage = _lineage().row(session=session_pk)
    if lineage is None or not lineage[1]:
        return []
    root_pk, own = lineage[0], in_order(session_pk)
    if root_pk is None or root_pk == session_pk:
        return own
    found = in_order(root_pk)
    known = [_rule(row) for row in found]
    found += [row for row in own if _rule(row) not in known]
    taken: set[str] = set()
    latest = found[0].created_at if found else None
    for row in found:
        # Chains run by time: a root's later policy would come behind an earlier one of the sub-agent.
        latest = row.created_at = max(row.created_at, latest or row.created_at)
        row.name = _free_name(row.name, taken)
        taken.add(row.name)
    return found


@kept
def _lineage() -> Statement:
    """A session's root, and whether it or its root has any policy: most have none."""
    found = SessionPolicy.objects.filter(Q(session=OuterRef("pk")) | Q(session=OuterRef("root_id")))
    return compiled(Session.objects.filter(pk=Slot("session")).values_list("root_id", Exists(found)))


def restore(rows: Sequence[SessionPolicy], session_ids: Mapping[int, str], *, by: str) -> None:
    """Store policies of an archive; `session_ids` are the public ids of their sessions by key."""
    SessionPolicy.objects.bulk_create(rows)
    now = timezone.now()
    PolicyVersion.objects.bulk_create(
        version_of(
            row, change=Change.CREATED, changed_by=by, changed_at=now, session_id=session_ids[row.session_id]
        )
        for row in rows
    )
    for session_pk in sorted({row.session_id for row in rows}):
        bump_chain(session_pk)


def bump_chain(session_pk: int) -> None:
    """Say that the session's policies have changed, inside the transaction of the change."""
    # A server that evaluates at this moment may be making the row.
    PolicyMemory.objects.bulk_create([PolicyMemory(session_id=session_pk)], ignore_conflicts=True)
    PolicyMemory.objects.filter(pk=session_pk).update(chain_revision=F("chain_revision") + 1)


def _row(session_pk: int, new: NewPolicy, by: str) -> SessionPolicy:
    return SessionPolicy(
        session_id=session_pk,
        name=new.name,
        type=new.type,
        handler=new.handler,
        factory_params=None if new.factory_params is None else dict(new.factory_params),
        enabled=new.enabled,
        mode=new.mode,
        approvers=list(new.approvers),
        quorum=new.quorum,
        ask_timeout=new.ask_timeout,
        created_by=by,
    )


def _copy(row: SessionPolicy, session_pk: int) -> SessionPolicy:
    return SessionPolicy(session_id=session_pk, **_kept(row))


def _kept(row: SessionPolicy) -> dict[str, Any]:
    return {column: getattr(row, column) for column in KEPT}


def _rule(row: SessionPolicy) -> list[Any]:
    """What it does, whoever wrote it."""
    return [getattr(row, column) for column in (*RESTORED, "type")]


def _free_name(name: str, taken: Collection[str]) -> str:
    wanted, number = name, 1
    while wanted in taken:
        number += 1
        mark = f" ({number})"
        wanted = name[: MAX_NAME - len(mark)] + mark
    return wanted


def _insert(rows: Sequence[SessionPolicy], session_id: str, by: str) -> Sequence[SessionPolicy]:
    """Store new rows of one session. They run in the order given: it breaks the tie of equal times."""
    if not rows:
        return rows
    now = timezone.now()
    for row in rows:
        row.created_at = now
    restore(rows, {rows[0].session_id: session_id}, by=by)
    return rows
