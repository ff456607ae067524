"""Binding a session to a host by request: its runner is launched there, in the workspace that is named."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from django.db import transaction

from omnigent.accounts.identity import Principal
from sessions_app.bodies import LaunchOnHost
from sessions_app.events import publish
from sessions_app.models import Runner, Session, SessionLabel, TunnelKind
from sessions_app.services import (
    access,
    harness_readiness,
    hosts,
    launching,
    messages,
    presence,
    recovery,
    rules,
    turns,
)
from sessions_app.services.access import Level
from sessions_app.services.hosts import Place
from sessions_app.services.launching import Launch
from sessions_app.services.receipts import Receipts
from sessions_app.services.sessions import write_labels
from sessions_app.services.tick import tick_of

BOUND = "session already has a runner bound"
PLACED = ("runner_id", "host_id", "workspace", "git_branch")


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """A launch that may be made: of which session, where, and instead of which runner, which is gone.

    With `is_made` an earlier attempt of the same request has bound that runner already.
    """

    session_pk: int
    session_id: str
    host_id: str
    instead_of: str
    is_made: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Bound:
    """A launch under way, and how its sessions were placed before: the values of PLACED by key, and the work
    tree that had been made for the one that is launched.
    """

    launch: Launch
    before: Mapping[int, tuple[str, ...]]
    worktree: str | None


def check(principal: Principal, host_text: str, body: LaunchOnHost, receipts: Receipts) -> Wish:
    """What the caller may launch there. Raises 404, 403 and 409 for the host, 404 and 403 for the session,
    400 while it has a runner, 410 without its agent, 412 without its harness.
    """
    host = hosts.connected(principal, host_text)
    found = access.require(principal, body.session_id, Level.OWNER)
    session = Session.objects.select_related("agent").filter(pk=found.pk).first()
    if session is None:
        raise access.not_found()
    messages.require_agent(session)
    is_made = bool(receipts.resource)
    if _has_runner(session) and not is_made:
        raise rules.invalid(BOUND)
    harness = session.harness_override or (session.agent.harness if session.agent else "") or ""
    harness_readiness.require(host, harness)
    return Wish(
        session_pk=session.pk,
        session_id=session.public_id,
        host_id=host.public_id,
        instead_of=session.runner_id,
        is_made=is_made,
    )


def _has_runner(session: Session) -> bool:
    """Whether its runner is there, on its way, or gone so recently that it may come back."""
    if not session.runner_id:
        return False
    standing = launching.standing(session.pk)
    may_return = standing.has_connected and presence.is_trusted(TunnelKind.RUNNER, session.runner_id)
    return standing.is_online or standing.is_starting or may_return


def bind(wish: Wish, place: Place, receipts: Receipts) -> Bound:
    """Place the session, and all of its tree that shared its runner, and mint their new runner.

    A failure of the old one is forgiven and a message that nobody answered is delivered. Raises 400 when
    somebody else has bound the session meanwhile.
    """
    with transaction.atomic():
        with tick_of(launching.together(wish.session_pk)) as tick:
            session = tick.sessions.get(wish.session_pk)
            if session is None:
                raise access.not_found()
            if session.runner_id != wish.instead_of:
                raise rules.invalid(BOUND)
            moved = [one for one in tick.sessions.values() if one.runner_id == wish.instead_of]
            before = {one.pk: tuple(getattr(one, name) for name in PLACED) for one in moved}
            made = SessionLabel.objects.filter(session=session, key=rules.WORKTREE)
            worktree = made.values_list("value", flat=True).first()
            write_labels(session, _label(session, wish.host_id, place))
            for one in moved:
                _put(one, wish.host_id, place)
        launch = launching.prepare(wish.session_pk, instead_of=wish.instead_of)
        if launch is None:
            raise rules.invalid(BOUND)
        receipts.note(launch.runner_id)
        with tick_of([wish.session_pk]) as tick:
            turns.forgive(tick, tick.sessions[wish.session_pk])
            recovery.deliver_unanswered(tick, tick.sessions[wish.session_pk])
        transaction.on_commit(partial(publish.ring, "outbox", str(wish.session_pk)))
    return Bound(launch=launch, before=before, worktree=worktree)


def _put(session: Session, host_id: str, place: Place) -> None:
    is_elsewhere = (session.host_id, session.workspace) != (host_id, place.workspace)
    session.host_id, session.workspace = host_id, place.workspace
    if place.git_branch or is_elsewhere:
        session.git_branch = place.git_branch


def _label(session: Session, host_id: str, place: Place) -> Mapping[str, str | None]:
    """The work tree that was made for the session; one on another host is not its any more."""
    if place.worktree:
        return {rules.WORKTREE: place.worktree}
    return {} if session.host_id == host_id else {rules.WORKTREE: None}


def restore(bound: Bound, receipts: Receipts) -> None:
    """Nothing was launched: what still waits for that runner is placed as it was before.

    Where the host could not say so, the runner may be there after all; its token is good for nothing now.
    """
    with tick_of(bound.before) as tick:
        receipts.note("")
        Runner.objects.filter(public_id=bound.launch.runner_id).update(revoked_at=tick.now)
        for session in tick.sessions.values():
            if session.runner_id == bound.launch.runner_id:
                for name, value in zip(PLACED, bound.before[session.pk], strict=True):
                    setattr(session, name, value)
                if session.pk == bound.launch.session_pk:
                    write_labels(session, {rules.WORKTREE: bound.worktree})
