"""Who may do what with a session: grants, inheritance from parents, and the rights of its bound runner."""

from dataclasses import dataclass
from enum import IntEnum

from django.conf import settings
from django.db.models import Max, OuterRef, Subquery

from omnigent.accounts.identity import Principal, recognise
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import SESSION, canonical
from sessions_app.models import Grant, Session
from sessions_app.querysets import PUBLIC_USER
from sessions_app.statements import Row, Slot, Statement, compiled, kept

MAX_ANCESTORS = 32


class Level(IntEnum):
    """What a grant allows; each level includes the ones below."""

    READ = 1
    EDIT = 2
    MANAGE = 3
    OWNER = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Access:
    """A caller's way into one session. `level` is what answers show: null where there is only one user."""

    pk: int
    public_id: str
    level: int | None
    runner_id: str
    is_bound_runner: bool


def is_single_user() -> bool:
    """Whether everybody who gets through the door is the one local user."""
    return bool(settings.OMNIGENT_AUTH_MODE == "single-user")


def session_id_of(text: str) -> str:
    """The stored form of a session id from a request; 404 when it is not id-shaped."""
    public_id = canonical(SESSION, text)
    if public_id is None:
        raise OmnigentError(ErrorCode.NOT_FOUND, "Not found.")
    return public_id


def not_found() -> OmnigentError:
    """The one answer for a session that is missing and for one that the caller must not know of."""
    return OmnigentError(ErrorCode.NOT_FOUND, "Session not found")


def too_low(principal: Principal, public_id: str, level: Level) -> OmnigentError:
    """The answer to somebody who may know of a session but not do that."""
    message = f"'{principal.user_id}' needs {level.name.lower()} permission on session '{public_id}'"
    return OmnigentError(ErrorCode.FORBIDDEN, message)


def require(principal: Principal, session_id: str, level: Level) -> Access:
    """The session as the caller may use it. Raises 404 for none or unknown, 403 for too low a level."""
    public_id = session_id_of(session_id)
    row = _row(principal, public_id)
    if row is None:
        raise not_found()
    pk, runner_id, _, _ = row
    held = _level(principal, row)
    if held is None:
        raise not_found()
    if held < level:
        raise too_low(principal, public_id, level)
    return Access(
        pk=pk,
        public_id=public_id,
        level=None if is_single_user() else held,
        runner_id=runner_id,
        is_bound_runner=bool(runner_id) and principal.runner_id == runner_id,
    )


def level(principal: Principal, session: Session) -> int | None:
    """The level that a caller holds on a session; None is no access at all."""
    row = _row(principal, session.public_id)
    return None if row is None else _level(principal, row)


def may_read(principal: Principal, session_id: str) -> bool:
    """Whether the caller may read the session now; what open streams ask again from time to time.

    The caller is recognised anew: its token may have been revoked and its account closed meanwhile.
    """
    current = recognise(principal)
    if current is None:
        return False
    row = _row(current, session_id)
    return row is not None and _level(current, row) is not None


def _level(principal: Principal, row: Row) -> int | None:
    _, runner_id, parent_id, granted = row
    if principal.kind == "runner":
        return Level.EDIT if runner_id and runner_id == principal.runner_id else None
    if principal.is_auditor:
        return Level.READ
    if is_single_user() or principal.is_admin:
        return Level.OWNER
    if granted is not None or parent_id is None:
        return granted  # type: ignore[no-any-return]  # a database row
    return _inherited(principal, parent_id)


def _inherited(principal: Principal, parent_id: int) -> int | None:
    statement = _statement(by_pk=True, with_grants=True)
    for _ in range(MAX_ANCESTORS):
        row = statement.row(key=parent_id, user=principal.user_id)
        if row is None:
            return None
        _, _, above, granted = row
        if granted is not None or above is None:
            return granted  # type: ignore[no-any-return]  # a database row
        parent_id = above
    return None


def _row(principal: Principal, public_id: str) -> Row | None:
    if principal.kind == "runner":
        return _bound_statement().row(key=public_id, runner=principal.runner_id or "")
    asks_grants = not (is_single_user() or principal.sees_everything)
    return _statement(by_pk=False, with_grants=asks_grants).row(key=public_id, user=principal.user_id)


@kept
def _bound_statement() -> Statement:
    bound = Session.objects.filter(public_id=Slot("key")).run_by(Slot("runner"))
    return compiled(bound.values_list("id", "runner_id", "parent_id", "kind"))


@kept
def _statement(*, by_pk: bool, with_grants: bool) -> Statement:
    found = Session.objects.filter(pk=Slot("key")) if by_pk else Session.objects.filter(public_id=Slot("key"))
    if not with_grants:
        return compiled(found.values_list("id", "runner_id", "parent_id", "kind"))
    grants = Grant.objects.filter(session=OuterRef("pk"))
    direct = grants.filter(user_id=Slot("user")) | grants.filter(user_id=PUBLIC_USER)
    best = direct.order_by().values("session").annotate(best=Max("level")).values("best")
    return compiled(found.values_list("id", "runner_id", "parent_id", Subquery(best)))
