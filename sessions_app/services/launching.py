"""Launching a runner for a session: the token that binds it, and what is recorded of it."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import runner_id_for
from omnigent.protocol import events
from sessions_app.models import Host, Outbox, OutboxKind, Runner, Session, TunnelKind
from sessions_app.services import failures, ingest, presence, recovery, turns
from sessions_app.services.memory import recall
from sessions_app.services.tick import tick_of

LOST: Final[Mapping[str, Any]] = MappingProxyType(
    events.error_object(
        failures.RUNNER_DISCONNECTED, "Its runner was lost, and another one took its sessions over"
    )
)
"""What has become of a turn in a session that goes to a new runner with another one of its tree."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """A runner about to be launched; the binding token is a secret that only the launched process learns."""

    session_pk: int
    session_id: str
    host_id: str
    runner_id: str
    binding_token: str
    workspace: str
    harness: str | None
    replaced_runner_id: str
    replaced_host_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """How a session's runner stands: online, on its way, or gone (then perhaps asleep on its host)."""

    is_online: bool
    is_starting: bool
    is_host_online: bool
    has_connected: bool
    session_id: str
    runner_id: str
    host_id: str


def standing(session_pk: int) -> Standing:
    """Whether the session's runner is there, coming, or to be launched."""
    session = Session.objects.only("public_id", "runner_id", "host_id").get(pk=session_pk)
    runner = Runner.objects.filter(public_id=session.runner_id).first() if session.runner_id else None
    recent = timezone.now() - timedelta(seconds=settings.OMNIGENT_LAUNCH_SECONDS)
    fresh = runner is not None and runner.exited_at is None and runner.said_hello_at is None
    return Standing(
        is_online=bool(presence.online(TunnelKind.RUNNER, [session.runner_id])),
        is_starting=fresh and runner is not None and runner.created_at > recent,
        is_host_online=bool(presence.online(TunnelKind.HOST, [session.host_id])),
        has_connected=runner is not None and runner.said_hello_at is not None and runner.exited_at is None,
        session_id=session.public_id,
        runner_id=session.runner_id,
        host_id=session.host_id,
    )


def prepare(session_pk: int, *, instead_of: str | None = None) -> Launch | None:
    """Mint a runner and bind the session to it, and all of its tree that shared the old one.

    None when the session has got another runner than `instead_of` in the meantime. Raises HOST_OFFLINE when
    the session has no host.
    """
    token = secrets.token_urlsafe(32)
    runner_id = runner_id_for(token)
    with tick_of(together(session_pk)) as tick:
        session = tick.sessions.get(session_pk)
        if session is None:
            raise OmnigentError(ErrorCode.NOT_FOUND, "Session not found")
        if instead_of is not None and session.runner_id != instead_of:
            return None
        host = Host.objects.filter(public_id=session.host_id).first()
        if host is None:
            raise OmnigentError(ErrorCode.HOST_OFFLINE, "The session has no host")
        Runner.objects.create(
            public_id=runner_id,
            owner=host.owner,
            host_id=host.public_id,
            session_id=session.pk,
            created_at=tick.now,
        )
        replaced = session.runner_id
        for one in tick.sessions.values():
            if one.runner_id == replaced:
                recovery.leave_runner(tick, one, lost=None if one.pk == session.pk else LOST)
                one.runner_id = runner_id
        harness = session.harness_override or (session.agent.harness if session.agent else None)
        return Launch(
            session_pk=session.pk,
            session_id=session.public_id,
            host_id=host.public_id,
            runner_id=runner_id,
            binding_token=token,
            workspace=session.workspace,
            harness=harness,
            replaced_runner_id=replaced,
            replaced_host_id=_host_of(replaced) or host.public_id,
        )


def _host_of(runner_id: str) -> str:
    """The host that launched a runner; empty for one that dialled in by itself."""
    rows = Runner.objects.filter(public_id=runner_id) if runner_id else Runner.objects.none()
    return rows.values_list("host_id", flat=True).first() or ""


def together(session_pk: int) -> list[int]:
    """The session, and those of its tree that are bound to the same runner."""
    session = Session.objects.filter(pk=session_pk).only("root_id", "runner_id").first()
    if session is None:
        return []
    root = session.root_id or session_pk
    tree = Session.objects.filter(Q(pk=root) | Q(root_id=root), runner_id=session.runner_id)
    return [session_pk, *tree.values_list("pk", flat=True)]


def record_failure(*, session_pk: int, runner_id: str, code: str, message: str) -> None:
    """The host could not launch it: whatever was on its way fails with the reason."""
    Runner.objects.filter(public_id=runner_id).update(exited_at=timezone.now(), exit_report=message[:8192])
    with tick_of([session_pk]) as tick:
        for session in tick.sessions.values():
            if session.runner_id != runner_id:
                continue
            error = events.error_object(code, message)
            waiting = Outbox.objects.filter(session=session, kind=OutboxKind.MESSAGE).order_by("id")
            item_id = waiting.values_list("item_id", flat=True).first() or ""
            waiting.delete()
            if not turns.fail(tick, session, error, item_id=item_id):
                turns.record_failure(tick, session, error)
                tick.append(
                    session,
                    events.SessionStatus(conversation_id=session.public_id, status="failed", error=error),
                )


def exit_report(runner_id: str) -> str:
    """What the host said of a runner's end, empty when it said nothing."""
    rows = Runner.objects.filter(public_id=runner_id, exited_at__isnull=False)
    return rows.values_list("exit_report", flat=True).first() or ""


def archived(session_id: str) -> int | None:
    """The session's key while it is archived."""
    rows = Session.objects.filter(public_id=session_id, archived=True)
    return rows.values_list("pk", flat=True).first()


def record_stop(*, session_pk: int, runner_id: str) -> None:
    """The host ended the runner as asked: the session rests, and what was on its way is void.

    A runner that a host launched never comes back, and nobody else may with its token.
    """
    now = timezone.now()
    Runner.objects.filter(public_id=runner_id).update(exited_at=now, exit_report="")
    Runner.objects.filter(public_id=runner_id).exclude(host_id="").update(revoked_at=now)
    with tick_of([session_pk]) as tick:
        for session in tick.sessions.values():
            if session.runner_id != runner_id:
                continue
            Outbox.objects.filter(session=session).delete()
            session.relay_generation += 1
            ingest.flush_text(tick, session, recall(session), interrupted=True)
            turns.rest(tick, session)
