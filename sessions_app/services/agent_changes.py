"""News of an agent's change: the sessions bound to it show it, and their runners read the agent again."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db.models.functions import Now

from agents_app.models import Agent
from omnigent.protocol import events
from sessions_app.models import Lease, Session, TunnelKind
from sessions_app.services import controls
from sessions_app.services.tick import Tick, tick_of


@contextmanager
def announced(agent_pk: int) -> Iterator[None]:
    """Surround a change of an agent, in one transaction with its news; without a change there are none.

    Sessions are locked before the agent's row is written: whoever switches a session does the same.
    """
    with tick_of(_concerned(agent_pk)) as tick:
        before = _state(agent_pk)
        yield
        if _state(agent_pk) != before:
            tell(tick, Agent.objects.get(pk=agent_pk))


def tell(tick: Tick, agent: Agent) -> None:
    """Show the agent's change in the tick's sessions, and let their runners forget the agent."""
    for session in tick.sessions.values():
        session.updated_at = tick.now
        session.context_window = agent.details.get("context_window")
        tick.append(
            session,
            events.SessionAgentChanged(
                conversation_id=session.public_id, agent_id=agent.public_id, agent_name=agent.name
            ),
        )
    controls.forget_agent(tick, list(tick.sessions.values()))


def bound_sessions(agent_pk: int) -> list[str]:
    """The ids of all sessions that are bound to an agent, in the order of their making."""
    rows = Session.objects.filter(agent=agent_pk).order_by("pk")
    return list(rows.values_list("public_id", flat=True))


def _concerned(agent_pk: int) -> Sequence[int]:
    """Every session of a person's agent. An operator's may have any number: of those only the ones whose
    runner is here, because the others read their agent when they are launched or looked at.
    """
    bound = Session.objects.filter(agent=agent_pk)
    if Agent.objects.filter(pk=agent_pk, is_builtin=True).exists():
        here = Lease.objects.filter(kind=TunnelKind.RUNNER, closed_at__isnull=True, expires_at__gt=Now())
        bound = bound.exclude(runner_id="").filter(runner_id__in=here.values("name"))
    return list(bound.values_list("pk", flat=True))


def _state(agent_pk: int) -> Any:  # a row of two columns, or none
    return Agent.objects.filter(pk=agent_pk).values_list("version", "deleted_at").first()
