"""Stopping what runs: trees that a budget has to be asked about, and sessions that a kill switch is for."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import CharField, F, Max, OuterRef, Q, Subquery, Value
from django.db.models.functions import Coalesce, NullIf
from django.dispatch import receiver

from omnigent.policies.types import Phase, PolicyEvent
from policies_app.models import KillSwitch, KillSwitchKind, Level, VerdictName
from policies_app.services import decisions
from policies_app.services.decisions import NewDecision
from policies_app.signals import kill_switch_thrown
from sessions_app.events import publish
from sessions_app.models import Grant, Outbox, OutboxKind, Session, Status, Turn, TurnStatus
from sessions_app.querysets import OWNER_LEVEL
from sessions_app.services import turns, verdicts
from sessions_app.services.policing import actions
from sessions_app.services.policing.chains import KILL, KILL_SWITCH_NAME, stop_reason
from sessions_app.services.tick import Tick, tick_of

BELL = "stop"
BATCH = 200
MAX_REASON = 500

NEXT_REQUEST = PolicyEvent(phase=Phase.REQUEST, data={"user_content": "", "attachments": []})
"""What budgets are asked about a tree that runs: whether anybody might go on."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Running:
    """A busy session, and the model that budgets take it to use."""

    pk: int
    model: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Stop:
    """Sessions of one tree that may not go on, and what the decision log says of it."""

    session_pks: Sequence[int]
    decision: NewDecision


@receiver(kill_switch_thrown)
def ring(**_kwargs: object) -> None:
    """Have a server look at once; whichever comes first does it."""
    publish.ring(BELL)


def due() -> list[tuple[int, datetime]]:
    """(root, since when) of the trees whose cost has grown since they were judged, the oldest first."""
    marked = Session.objects.filter(budget_due_at__isnull=False).order_by("budget_due_at")
    return [(pk, at) for pk, at in marked.values_list("pk", "budget_due_at")[:BATCH] if at is not None]


def judged(trees: Iterable[tuple[int, datetime]]) -> None:
    """Take the marks away, but not from a tree that has grown meanwhile."""
    same = Q(pk__in=())
    for pk, since in trees:
        same |= Q(pk=pk, budget_due_at=since)
    Session.objects.filter(same).update(budget_due_at=None)


def running(root_pk: int) -> list[Running]:
    """The busy sessions of a tree."""
    busy = Session.objects.filter(Q(pk=root_pk) | Q(root=root_pk), status__in=turns.BUSY)
    columns = busy.order_by("pk").values_list("pk", "model_override", "agent__model")
    return [Running(pk=pk, model=override or model or None) for pk, override, model in columns]


def trees_of(owner: str) -> list[int]:
    """The roots of a person's trees in which something runs."""
    busy = Session.objects.filter(status__in=turns.BUSY).annotate(top=Coalesce("root_id", "id"))
    mine = busy.annotate(owner=_owner()).filter(owner=owner)
    return list(mine.order_by("top").values_list("top", flat=True).distinct())


def _owner() -> Coalesce:
    """The same person as `facts.read` names."""
    grants = Grant.objects.filter(level=OWNER_LEVEL, session=Coalesce(OuterRef("root_id"), OuterRef("pk")))
    started = NullIf(F("root__created_by"), Value(""), output_field=CharField())
    return Coalesce(Subquery(grants.order_by().values("user_id")[:1]), started, F("created_by"))


def by_switches() -> list[Stop]:
    """What runs although an administrator has stopped its agent, its owner or its host, tree by tree."""
    switches: Mapping[tuple[str, str], KillSwitch] = {
        (one.kind, one.target): one for one in KillSwitch.objects.all()
    }
    if not switches:
        return []
    targets: dict[str, list[str]] = defaultdict(list)
    for kind, target in switches:
        targets[kind].append(target)
    agents = targets[KillSwitchKind.AGENT]
    busy = Session.objects.filter(status__in=turns.BUSY).annotate(owner=_owner())
    meant = busy.filter(
        Q(agent__public_id__in=agents)
        | Q(root__agent__public_id__in=agents)
        | Q(owner__in=targets[KillSwitchKind.USER])
        | Q(host_id__in=targets[KillSwitchKind.HOST])
    )
    columns = ("pk", "public_id", "root__public_id", "agent__public_id", "root__agent__public_id")
    trees: dict[str, Stop] = {}
    for pk, public_id, root_id, agent, above, owner, host in meant.order_by("pk").values_list(
        *columns, "owner", "host_id"
    ):
        names = [
            (KillSwitchKind.AGENT, agent),
            (KillSwitchKind.AGENT, above),
            (KillSwitchKind.USER, owner),
            (KillSwitchKind.HOST, host),
        ]
        switch = next(switches[name] for name in names if name in switches)
        top = root_id or public_id
        known = trees.get(top) or Stop(session_pks=(), decision=_of_switch(switch, public_id, top, agent))
        trees[top] = replace(known, session_pks=(*known.session_pks, pk))
    return list(trees.values())


def _of_switch(switch: KillSwitch, session_id: str, root_id: str, agent_id: str | None) -> NewDecision:
    return NewDecision(
        phase=Phase.REQUEST.value,
        verdict=VerdictName.DENY,
        input_digest=actions.digest(NEXT_REQUEST),
        session_id=session_id,
        root_session_id=root_id,
        agent_id=agent_id or "",
        actor=switch.created_by,
        reason=stop_reason(switch.kind, switch.reason),
        policy_id=KILL,
        policy_name=KILL_SWITCH_NAME,
        level=Level.SERVER,
    )


def stop(one: Stop) -> int:
    """Interrupt the turns of these sessions that were not stopped before, and log it; gives how many."""
    with tick_of(one.session_pks) as tick:
        fresh = _not_stopped(tick, one.decision.reason)
        if fresh:
            verdicts.interrupt_all(tick, fresh)
            count = f"{len(fresh)} running session" + ("s were" if len(fresh) > 1 else " was")
            reason = f"{one.decision.reason.rstrip('.')}. {count} interrupted."
            decisions.append([replace(one.decision, reason=reason)])
    return len(fresh)


def _not_stopped(tick: Tick, reason: str) -> list[Session]:
    """Those that still run a turn which nobody has stopped; the turns are marked."""
    busy = [session for session in tick.sessions.values() if session.status in turns.BUSY]
    if not busy:
        return []
    newest = Turn.objects.filter(session__in=busy).order_by().values("session").annotate(newest=Max("pk"))
    last = {turn.session_id: turn for turn in Turn.objects.filter(pk__in=newest.values("newest"))}
    # A message was taken whose turn nobody has opened yet: there is no mark, only the interrupt on its way.
    opening = [session.pk for session in busy if _is_opening(session, last.get(session.pk))]
    told = _with_interrupt(opening) if opening else set()
    fresh = [session for session in busy if session.pk not in told]
    fresh = [one for one in fresh if one.pk in opening or last[one.pk].stopped_at is None]
    marked = [last[session.pk].pk for session in fresh if session.pk not in opening]
    if marked:
        Turn.objects.filter(pk__in=marked).update(stopped_at=tick.now, stop_reason=reason[:MAX_REASON])
    return fresh


def _is_opening(session: Session, turn: Turn | None) -> bool:
    return turn is None or (session.status == Status.RUNNING and turn.status != TurnStatus.RUNNING)


def _with_interrupt(session_pks: Collection[int]) -> set[int]:
    under_way = Outbox.objects.filter(session__in=session_pks, kind=OutboxKind.INTERRUPT)
    return set(under_way.values_list("session_id", flat=True))
