"""Grants on a session: who holds one, giving and withdrawing them. A sub-agent's are those of its root.

Managers give them. An agent gives them as far as the specification of its root session's agent says, and
takes nothing away.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import transaction

from agents_app import services as agents
from omnigent.accounts.identity import Principal
from omnigent.api.pagination import stale_cursor
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.spec.types import Sharing
from sessions_app.events import publish
from sessions_app.models import Grant, ReadState, Session
from sessions_app.querysets import PUBLIC_USER
from sessions_app.services import access, sharing
from sessions_app.services.access import Level
from sessions_app.services.sessions import with_descendants

MAX_USER_ID = 150


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """Some grants in the order they were given; `next_cursor` is the last one's user when there are more."""

    rows: tuple[Mapping[str, Any], ...]
    next_cursor: str | None


def list_permissions(*, principal: Principal, session_id: str, limit: int, cursor: str | None = None) -> Page:
    """The grants on a session, or on its root; for managers. `cursor` is a user id, stale once it is gone."""
    found = access.require(principal, session_id, Level.MANAGE)
    root_pk, root_id = _root(found)
    grants = Grant.objects.filter(session=root_pk).order_by("pk")
    if cursor is not None:
        if len(cursor) > MAX_USER_ID:
            raise OmnigentError(ErrorCode.NOT_FOUND, "Not found.")
        place = grants.filter(user_id=cursor).values_list("pk", flat=True).first()
        if place is None:
            raise stale_cursor(cursor)
        grants = grants.filter(pk__gt=place)
    listed = list(grants.values_list("user_id", "level", "may_approve")[: limit + 1])
    rows = tuple(_row(root_id, *row) for row in listed[:limit])
    return Page(rows=rows, next_cursor=rows[-1]["user_id"] if len(listed) > limit else None)


def grant_permission(
    *, principal: Principal, session_id: str, user_id: str, level: int, may_approve: bool | None = None
) -> Mapping[str, Any]:
    """Give somebody a level from read to manage, or change it; gives the grant.

    With `may_approve` the owner lets a person answer in his place what policies ask, or does no more.
    """
    if principal.kind == "runner":
        found = _require_sharing_agent(
            principal, session_id, user_id=user_id, level=level, may_approve=may_approve
        )
    else:
        found = access.require(principal, session_id, Level.MANAGE if may_approve is None else Level.OWNER)
    with transaction.atomic():
        _lock(found, "Share the root session instead of its sub-agent")
        if user_id == principal.user_id:
            raise OmnigentError(ErrorCode.FORBIDDEN, "Cannot modify your own permissions")
        _refuse_owner(found, user_id)
        if principal.kind == "runner" and _holds_more(found, user_id, level):
            raise OmnigentError(ErrorCode.FORBIDDEN, "An agent may not lower a permission")
        if may_approve and user_id == PUBLIC_USER:
            raise OmnigentError(ErrorCode.INVALID_INPUT, "Not everybody may approve")
        sharing.refuse_grant(user_id=user_id, level=level)
        values: dict[str, Any] = {"level": level} | (
            {} if may_approve is None else {"may_approve": may_approve}
        )
        grant, _ = Grant.objects.update_or_create(session_id=found.pk, user_id=user_id, defaults=values)
        _announce(found, shown=True)
    return _row(found.public_id, user_id, level, grant.may_approve)


def revoke_permission(*, principal: Principal, session_id: str, user_id: str) -> bool:
    """Withdraw somebody's grant, or leave a session; false when there was none."""
    is_leaving = user_id == principal.user_id and principal.kind == "user"
    found = access.require(principal, session_id, Level.READ if is_leaving else Level.MANAGE)
    with transaction.atomic():
        _lock(found, "A sub-agent's session is left and closed by way of its root")
        _refuse_owner(found, user_id)
        removed, _ = Grant.objects.filter(session_id=found.pk, user_id=user_id).delete()
        ReadState.objects.filter(session_id__in=with_descendants(found.pk), user_id=user_id).delete()
        _announce(found)
    return bool(removed)


def _require_sharing_agent(
    principal: Principal, session_id: str, *, user_id: str, level: int, may_approve: bool | None
) -> access.Access:
    """The session that its runner shares for the agent. Raises 404 for one that is bound to no such runner,
    403 for what the specification of the tree's root does not allow.
    """
    found = access.require(principal, session_id, Level.EDIT)
    allowed = _agents_sharing(found)
    if allowed == "none":
        raise OmnigentError(ErrorCode.FORBIDDEN, "This session's agent may not share it")
    if may_approve is not None:
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only the owner may let others approve")
    if user_id == PUBLIC_USER and (allowed != "public" or level > Level.READ):
        what = "share it with everybody" if allowed != "public" else "give everybody more than read access"
        raise OmnigentError(ErrorCode.FORBIDDEN, f"This session's agent may not {what}")
    return found


def _agents_sharing(found: access.Access) -> Sharing:
    """What the agent of the tree's root may share; one that is gone or cannot be read shares nothing."""
    session = Session.objects.select_related("agent", "root__agent").filter(pk=found.pk).first()
    root = session if session is None or session.root is None else session.root
    if root is None or root.agent is None:
        return "none"
    try:
        return agents.spec_of(root.agent).sharing
    except OmnigentError:
        return "none"


def _holds_more(found: access.Access, user_id: str, level: int) -> bool:
    return Grant.objects.filter(session_id=found.pk, user_id=user_id, level__gt=level).exists()


def _lock(found: access.Access, sub_agent_refusal: str) -> None:
    """Hold the session while its grants change. Raises 404 when it is gone, 400 for a sub-agent."""
    rows = Session.objects.select_for_update(of=("self",)).filter(pk=found.pk)
    row = rows.values_list("parent_id").first()
    if row is None:
        raise access.not_found()
    if row[0] is not None:
        raise OmnigentError(ErrorCode.INVALID_INPUT, sub_agent_refusal)


def _refuse_owner(found: access.Access, user_id: str) -> None:
    if Grant.objects.filter(session_id=found.pk, user_id=user_id, level=Level.OWNER).exists():
        raise OmnigentError(ErrorCode.FORBIDDEN, "The owner's permission cannot be changed")


def _announce(found: access.Access, *, shown: bool = False) -> None:
    """Open streams ask again whether their readers may go on, those of sub-agents too; the tree may be new
    to somebody when it is `shown` to them.
    """
    tree = with_descendants(found.pk)
    transaction.on_commit(partial(publish.ring, "access", *map(str, tree)))
    if shown:
        transaction.on_commit(partial(publish.ring, "shown", *map(str, tree)))


def _root(found: access.Access) -> tuple[int, str]:
    row = Session.objects.filter(pk=found.pk).values_list("root_id", "root__public_id").first()
    return (row[0], row[1]) if row is not None and row[0] is not None else (found.pk, found.public_id)


def _row(session_id: str, user_id: str, level: int, may_approve: bool) -> Mapping[str, Any]:  # noqa: FBT001 - the columns of a row, in their order
    row = {"user_id": user_id, "conversation_id": session_id, "level": level}
    return {**row, "may_approve": True} if may_approve else row
