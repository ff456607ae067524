"""The steps of deleting a session: what has to be stopped first, and the rows."""

from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from django.utils import timezone

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.models import Runner, Session, TunnelKind
from sessions_app.services import access, presence, receipts, worktrees
from sessions_app.services.access import Level
from sessions_app.services.receipts import Answer, Claim
from sessions_app.services.sessions import delete_session, with_descendants
from sessions_app.services.turns import BUSY
from sessions_app.services.worktrees import Tree


@dataclass(frozen=True, kw_only=True, slots=True)
class Doomed:
    """One session that a connected runner still knows."""

    session_id: str
    runner_id: str
    is_busy: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Removal:
    """What goes with a session: its tree on runners, the runners launched for it, its work tree."""

    session_pk: int
    session_id: str
    tree: Sequence[Doomed]
    own_runners: Sequence[tuple[str, str]]
    worktree: Tree | None
    is_worktree_shared: bool


def prepare(principal: Principal, session_id: str, claimed: Claim | None) -> Answer | Removal:
    """Check that the caller may delete, and find what has to be told."""
    known = receipts.look(claimed)
    if known.answer is not None:
        return known.answer
    found = _require_owner(principal, session_id)
    pks = with_descendants(found.pk)
    rows = list(Session.objects.filter(pk__in=pks).only("public_id", "runner_id", "status"))
    online = presence.online(TunnelKind.RUNNER, [row.runner_id for row in rows])
    session = next((row for row in rows if row.pk == found.pk), None)
    if session is None:
        raise access.not_found()
    launched = Runner.objects.filter(session_id__in=pks, exited_at__isnull=True).exclude(host_id="")
    tree = worktrees.made_for(session.pk)
    return Removal(
        session_pk=session.pk,
        session_id=session.public_id,
        tree=[
            Doomed(session_id=row.public_id, runner_id=row.runner_id, is_busy=row.status in BUSY)
            for row in rows
            if row.runner_id in online
        ],
        own_runners=[
            (host_id, runner_id) for host_id, runner_id in launched.values_list("host_id", "public_id")
        ],
        worktree=tree,
        is_worktree_shared=tree is not None and worktrees.is_worked_in(tree, besides=pks),
    )


def _require_owner(principal: Principal, session_id: str) -> access.Access:
    found = access.require(principal, session_id, Level.READ)
    if found.level is None and not found.is_bound_runner:
        return found
    if found.level is not None and found.level >= Level.OWNER:
        return found
    raise OmnigentError(ErrorCode.FORBIDDEN, "Only the session owner can delete this session")


def commit(removal: Removal, claimed: Claim | None, *, is_worktree_gone: bool) -> Answer:
    """Delete the rows together with the receipt. Raises NOT_FOUND when somebody else was first.

    A work tree that stays keeps its note, by which it is found later.
    """

    def work() -> Answer:
        if not delete_session(session_pk=removal.session_pk):
            raise access.not_found()
        launched = [runner_id for _, runner_id in removal.own_runners]
        Runner.objects.filter(public_id__in=launched).update(revoked_at=timezone.now())
        if removal.worktree is not None and not is_worktree_gone:
            worktrees.remember(removal.worktree, session_id=removal.session_id)
        body = {"id": removal.session_id, "object": "conversation.deleted", "deleted": True}
        return Answer(200, orjson.dumps(body))

    return receipts.once(claimed, work)
