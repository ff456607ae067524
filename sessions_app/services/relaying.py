"""Taking over a session's runner stream: the fence, and what the new reader must know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import F

from sessions_app.models import Lease, Session, SessionLabel, Status, TunnelKind
from sessions_app.services import forgetful, presence
from sessions_app.services.memory import Memory, recall

INIT_PROTOCOL = 2


class NotOurs(Exception):
    """The session is bound to another runner, or a newer tunnel of this runner exists."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """Where a relay begins, and what was running then."""

    session_pk: int
    session_id: str
    generation: int
    ingest_stream: str
    ingest_number: int
    memory: Memory
    snapshot: Mapping[str, Any]
    agent_id: str
    sub_agent_name: str | None
    is_running: bool
    turn_pk: int | None


def take_over(*, session_pk: int, runner_id: str, tunnel_generation: int) -> Start:
    """Fence every earlier relay of the session. Raises NotOurs."""
    with transaction.atomic():
        newest = Lease.objects.filter(kind=TunnelKind.RUNNER, name=runner_id)
        if newest.values_list("generation", flat=True).first() != tunnel_generation:
            raise NotOurs
        taken = Session.objects.filter(pk=session_pk, runner_id=runner_id).update(
            relay_generation=F("relay_generation") + 1
        )
        if not taken:
            raise NotOurs
        session = Session.objects.select_related("agent", "parent", "root").get(pk=session_pk)
        is_running = session.status == Status.RUNNING
        return Start(
            session_pk=session.pk,
            session_id=session.public_id,
            generation=session.relay_generation,
            ingest_stream=session.ingest_stream,
            ingest_number=session.ingest_number,
            memory=recall(session),
            snapshot=_snapshot(session),
            agent_id=session.agent.public_id if session.agent else "",
            sub_agent_name=session.sub_agent_name or None,
            is_running=is_running,
            turn_pk=forgetful.running_turn(session.pk) if is_running else None,
        )


def is_busy(*, session_pk: int, runner_id: str) -> bool:
    """Whether the session still waits for something from this runner."""
    return session_pk in presence.sessions_of_runner(runner_id)


def _snapshot(session: Session) -> Mapping[str, Any]:
    labels = SessionLabel.objects.filter(session=session).values_list("key", "value")
    return {
        "created_at": int(session.created_at.timestamp()),
        "updated_at": int(session.updated_at.timestamp()),
        "workspace": session.workspace or None,
        "labels": dict(labels),
        "reasoning_effort": session.reasoning_effort or None,
        "model_override": session.model_override or None,
        "harness_override": session.harness_override or None,
        "cost_control_mode_override": None,
        "terminal_launch_args": session.terminal_launch_args,
        "external_session_id": session.external_session_id or None,
        "parent_session_id": session.parent.public_id if session.parent else None,
        "root_session_id": session.root.public_id if session.root else session.public_id,
        "inference_config": None,
    }


def init_body(start: Start, server_version: str) -> Mapping[str, Any]:
    """The body that tells a runner of a session. Turns are only ever started by the outbox."""
    envelope = {
        "protocol_version": INIT_PROTOCOL,
        "server_version": server_version,
        "session_id": start.session_id,
        "agent_id": start.agent_id,
        "sub_agent_name": start.sub_agent_name,
        "snapshot": start.snapshot,
        "suppress_recovery_turn": True,
        "resume_interrupted_turn": False,
        "recovery_id": None,
    }
    return {
        "session_id": start.session_id,
        "agent_id": start.agent_id,
        "sub_agent_name": start.sub_agent_name,
        "session_init": envelope,
    }
