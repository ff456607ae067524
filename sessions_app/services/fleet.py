"""What happens to sessions when runners come and go."""

import re
from datetime import timedelta

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Now
from django.utils import timezone

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode
from omnigent.protocol import events
from sessions_app.events import publish
from sessions_app.models import (
    Elicitation,
    ElicitationStatus,
    HeldKind,
    Lease,
    Outbox,
    OutboxKind,
    Runner,
    Session,
    Status,
    TunnelKind,
    Turn,
)
from sessions_app.services import failures, ingest, outbox, presence, turns, verdicts
from sessions_app.services.memory import recall
from sessions_app.services.tick import tick_of

INVALID = ErrorCode.INVALID_INPUT
CONFLICT = ErrorCode.CONFLICT

OWN_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
MINTED = "runner_token_"
BUSY = [Status.RUNNING, Status.WAITING]


def owner_of_runner(*, runner_id: str, principal: Principal, has_token: bool) -> str | None:
    """Whose runner dials in under this id; None when it may not.

    With its token a runner is the one that was launched (or binds a new id to the caller). Without one, a
    local process may use any id that no launch minted: identity has checked that the peer is local.
    """
    known = Runner.objects.filter(public_id=runner_id).values_list("owner", "host_id", "revoked_at").first()
    if known is not None and known[2] is not None:
        return None
    if has_token:
        return known[0] if known else principal.user_id
    if runner_id.startswith(MINTED) or (known is not None and known[1]):
        return None
    return principal.user_id if OWN_ID.fullmatch(runner_id) else None


def runner_exited(*, runner_id: str, host_id: str, report: str, had_connected: bool | None) -> None:
    """A host saw its runner end: what it was doing has failed, and that is known at once."""
    sessions = presence.report_exit(runner_id=runner_id, host_id=host_id, report=report)
    said_hello = Runner.objects.filter(public_id=runner_id, said_hello_at__isnull=False).exists()
    code = "runner_disconnected" if (had_connected or said_hello) else "runner_failed_to_start"
    summary = report.partition("\n")[0] or "The runner ended unexpectedly"
    for session_pk in sessions:
        fail_turn(session_pk, runner_id, code=code, message=summary, cause=report or None)
    publish.ring("tunnel", TunnelKind.RUNNER, runner_id)
    publish.ring("outbox")


def process_began(*, runner_id: str, process_id: str) -> None:
    """This process of a runner is here now: what an earlier one of the same id was doing is lost with it.

    Runners of a host have a new id with every process. One that is started by hand, or by a service manager,
    may come back under its old id while its lease still lives, and then nobody else would find the loss.
    """
    runners = Runner.objects.filter(public_id=runner_id)
    known = runners.values_list("process_id", flat=True).first()
    if not process_id or known == process_id:
        return
    if known:
        busy = Session.objects.filter(runner_id=runner_id, status__in=BUSY)
        for session_pk in list(busy.values_list("pk", flat=True)):
            fail_turn(
                session_pk,
                runner_id,
                code=failures.RUNNER_DISCONNECTED,
                message="The runner was started again in the middle of the turn",
            )
    # Last, so that a server that dies before has it done by the next one.
    runners.update(process_id=process_id)


def fail_turn(
    session_pk: int,
    runner_id: str,
    *,
    code: str,
    message: str,
    cause: str | None = None,
    if_lost: bool = False,
) -> bool:
    """Fail a busy session whose runner is gone, keeping the text that was shown. Idle sessions stay idle.

    A message that the runner has not been given yet is delivered to the next one. With `if_lost` a runner
    that has come back in the meantime is left alone.
    """
    with tick_of([session_pk]) as tick:
        for session in tick.sessions.values():
            if session.runner_id != runner_id or session.status not in turns.BUSY:
                return False
            if if_lost and presence.is_trusted(TunnelKind.RUNNER, runner_id):
                return False
            session.relay_generation += 1
            memory = recall(session)
            ingest.flush_text(tick, session, memory, interrupted=True)
            if session.has_input and not memory.is_open:
                return False
            return turns.fail(tick, session, events.error_object(code, message, cause=cause))
    return False


def settle_idle_shutdown(*, runner_id: str) -> None:
    """A runner left because it had nothing to do: its sessions are idle, and it is not missed."""
    has_left = Lease.objects.filter(kind=TunnelKind.RUNNER, name=runner_id, closed_at__isnull=False)
    if has_left.update(expires_at=Now()):
        # The next message need not wait for it, although its process may take a moment to end.
        Runner.objects.filter(public_id=runner_id, exited_at__isnull=True).update(exited_at=timezone.now())
    for session_pk in Session.objects.filter(runner_id=runner_id, status__in=BUSY).values_list(
        "pk", flat=True
    ):
        with tick_of([session_pk]) as tick:
            for session in tick.sessions.values():
                if session.runner_id == runner_id and not session.has_input:
                    session.relay_generation += 1
                    ingest.flush_text(tick, session, recall(session), interrupted=True)
                    turns.rest(tick, session)


def lost_sessions() -> list[tuple[int, str]]:
    """(session, runner) of busy sessions that no live lease backs and nothing is on its way to."""
    live = Lease.objects.filter(kind=TunnelKind.RUNNER, name=OuterRef("runner_id"), expires_at__gt=Now())
    pending = Outbox.objects.filter(session=OuterRef("pk"), kind=OutboxKind.MESSAGE)
    stale = Now() - timedelta(seconds=settings.OMNIGENT_LEASE_SECONDS)
    had_lease = Lease.objects.filter(kind=TunnelKind.RUNNER, name=OuterRef("runner_id"))
    busy = Session.objects.filter(status__in=BUSY).exclude(Exists(pending)).exclude(Exists(live))
    lost = busy.filter(Q(Exists(had_lease)) | Q(updated_at__lt=stale))
    return list(lost.values_list("pk", "runner_id"))


def reconcile() -> int:
    """Settle every session whose runner is gone past its lease. Any number of processes may run this."""
    settled = 0
    for session_pk, runner_id in lost_sessions():
        settled += fail_turn(
            session_pk,
            runner_id,
            code=failures.RUNNER_DISCONNECTED,
            message="The runner was lost in the middle of the turn",
            if_lost=True,
        )
    return settled


def come_back(runner_id: str) -> list[int]:
    """A runner is there, perhaps again: the sessions whose stream must be read now.

    It still waits for what people have answered without it, for longer than a delivery is tried; and for the
    answers to questions that were void without it, which nobody can give any more.
    """
    for question in list(untold(runner_id)):
        with tick_of([question.session_id]) as tick:
            for session in tick.sessions.values():
                if not Outbox.objects.filter(session=session, item_id=question.public_id).exists():
                    verdicts.repeat(tick, session, question)
    return presence.sessions_of_runner(runner_id)


def untold(runner_id: str) -> QuerySet[Elicitation]:
    """Questions that are closed, and of which nobody has told this runner for certain."""
    lost = Turn.objects.filter(
        session=OuterRef("session"),
        response_id=OuterRef("response_id"),
        error_code=failures.RUNNER_DISCONNECTED,
    )
    void = Q(Exists(lost), status=ElicitationStatus.CANCELLED)
    # What a person says about other actions that a policy holds is not told: the server goes on by itself.
    is_told = Q(held_kind__in=("", HeldKind.TOOL, HeldKind.CALL))
    # A runner that was made after the question has not asked it: one launched for the answer asks anew.
    began = Runner.objects.filter(public_id=runner_id).values("created_at")[:1]
    is_its_own = Q(created_at__gte=Subquery(began))
    answered = Q(is_told, is_its_own, ~Q(resolved_by=""), status__in=outbox.VERDICTS)
    return Elicitation.objects.filter(void | answered, session__runner_id=runner_id).order_by("pk")


def forget_old_runners(older_than: timedelta) -> int:
    """Delete the rows of runners that ended long ago and that no session names."""
    named = Session.objects.filter(runner_id=OuterRef("public_id"))
    rows = Runner.objects.filter(exited_at__lt=timezone.now() - older_than).exclude(Exists(named))
    return rows.delete()[0]
