"""Telling a live runner that a setting of its session has changed."""

from collections.abc import Mapping, Sequence
from typing import Any

from sessions_app.models import OutboxKind, Session, TunnelKind
from sessions_app.services import outbox, presence
from sessions_app.services.tick import Tick

AGENT_ONLY: Mapping[str, Any] = {"only": "agent"}
"""The body of a reset that keeps everything but the agent."""


def forget(tick: Tick, session: Session) -> None:
    """Let the session's runner forget what it has loaded: agent, settings and history are read again."""
    if session.runner_id and presence.online(TunnelKind.RUNNER, [session.runner_id]):
        outbox.put(tick, session, OutboxKind.RESET, {})


def forget_agent(tick: Tick, sessions: Sequence[Session]) -> None:
    """Let the runners of these sessions read the agent again, and nothing else."""
    there = presence.online(TunnelKind.RUNNER, [one.runner_id for one in sessions if one.runner_id])
    told = [(one, AGENT_ONLY) for one in sessions if one.runner_id in there]
    if told:
        outbox.put_all(tick, OutboxKind.RESET, told)


def tell(tick: Tick, session: Session, body: Mapping[str, Any]) -> None:
    """Queue a control for the session's runner; one that is away learns it when it is told of the session."""
    if session.runner_id and presence.online(TunnelKind.RUNNER, [session.runner_id]):
        outbox.put(tick, session, OutboxKind.CONTROL, body)
