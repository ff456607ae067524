"""What is done with usage after it was committed: daily costs of people, and totals of the sessions above.

A session whose usage grew is marked; every pass here takes the marks away together with what they asked for,
so that any number of processes may run it and a crash loses nothing.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import fsum
from typing import Any

from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from sessions_app import buckets
from sessions_app.models import Grant, Session, UserDailyCost
from sessions_app.services import usage
from sessions_app.services.access import Level
from sessions_app.services.tick import Tick, tick_of

BATCH = 200

Growth = dict[str, float | None]
"""By user, what was spent; null for use that has no price."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Node:
    """What a session itself has used."""

    pk: int
    parent_id: int | None
    usage_by_model: Mapping[str, buckets.Bucket] | None
    policy_cost_usd: float | None

    @property
    def counted(self) -> float | None:
        """What budgets count of it."""
        return buckets.cost_of(self.usage_by_model) if self.policy_cost_usd is None else self.policy_cost_usd


def settle() -> int:
    """Enter and add up all usage that is due; gives how many sessions had some."""
    settled = 0
    while True:
        due = list(
            Session.objects.filter(is_usage_due=True).order_by("pk").values_list("pk", "root_id")[:BATCH]
        )
        if due:
            settled += _settle([pk for pk, _ in due], {root or pk for pk, root in due})
        if len(due) < BATCH:
            return settled


def _settle(due: Sequence[int], roots: Iterable[int]) -> int:
    with tick_of(due) as tick:
        ready = [tick.sessions[pk] for pk in due if pk in tick.sessions and tick.sessions[pk].is_usage_due]
        if not ready:
            return 0
        # Read under the locks of the roots: what a pass beside this one has added up is in here, too.
        below = _below(_trees(roots))
        _enter(_growth(ready), tick.now)
        for session in ready:
            session.is_usage_due = False
            session.accounted_cost_usd = buckets.cost_of(session.usage_by_model)
        for pk, session in tick.locked.items():
            _add_up(tick, session, below[pk])
            if session.root_id in (None, pk):
                session.budget_due_at = tick.now
    return len(ready)


def _add_up(tick: Tick, session: Session, below: Sequence[Node]) -> None:
    counted = [node.counted for node in below if node.counted is not None]
    session.policy_cost_below_usd = fsum(counted) if counted else None
    total = buckets.added(node.usage_by_model for node in below) or None
    if total != session.usage_below:
        session.usage_below = total
        usage.show(tick, session)


def account(session_pks: Sequence[int]) -> None:
    """Enter the costs of sessions that are about to be deleted, inside their deleter's transaction."""
    due = list(Session.objects.filter(pk__in=session_pks, is_usage_due=True))
    if due:
        _enter(_growth(due), timezone.now())


def unaccounted(sessions: Iterable[Session]) -> tuple[bool, float | None]:
    """Whether these sessions have usage that is in no daily cost yet, and what of it has a price."""
    parts = [_grown(session) for session in sessions if session.is_usage_due]
    known = [part for part in parts if part is not None]
    return bool(parts), sum(known) if known else None


def _growth(sessions: Sequence[Session]) -> Growth:
    owners = _owners({session.root_id or session.pk for session in sessions})
    growth: Growth = {}
    for session in sessions:
        owner = owners.get(session.root_id or session.pk) or session.created_by
        grown, known = _grown(session), growth.setdefault(owner, None)
        if grown is not None:
            growth[owner] = (known or 0.0) + grown
    return growth


def _grown(session: Session) -> float | None:
    cost = buckets.cost_of(session.usage_by_model)
    return None if cost is None else max(0.0, cost - (session.accounted_cost_usd or 0.0))


def _owners(roots: Iterable[int]) -> dict[int, str]:
    return dict(
        Grant.objects.filter(session__in=roots, level=Level.OWNER).values_list("session_id", "user_id")
    )


def _enter(growth: Growth, now: datetime) -> None:
    """Add to the day's costs, in the order of the users so that no two passes wait for each other."""
    day = connection.ops.adapt_datefield_value(now.astimezone(UTC).date())
    stamp = connection.ops.adapt_datetimefield_value(now)
    params: list[Any] = []
    for user_id in sorted(growth):
        params += (user_id, day, growth[user_id], 0.0, stamp)
    table = connection.ops.quote_name(UserDailyCost._meta.db_table)
    rows = ", ".join(["(%s, %s, %s, %s, %s)"] * len(growth))
    with transaction.atomic(savepoint=False), connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} AS cost (user_id, day, cost_usd, ask_approved_usd, updated_at) "
            f"VALUES {rows} "
            "ON CONFLICT (user_id, day) DO UPDATE SET updated_at = excluded.updated_at, "
            "cost_usd = CASE WHEN excluded.cost_usd IS NULL THEN cost.cost_usd "
            "ELSE COALESCE(cost.cost_usd, 0) + excluded.cost_usd END",
            params,
        )


def _trees(roots: Iterable[int]) -> list[Node]:
    wanted = list(roots)
    rows = Session.objects.filter(Q(pk__in=wanted) | Q(root__in=wanted))
    return [Node(**row) for row in rows.values("pk", "parent_id", "usage_by_model", "policy_cost_usd")]


def _upwards(parents: Mapping[int, int | None], pk: int) -> list[int]:
    """A session and everything above it."""
    found: list[int] = []
    at: int | None = pk
    while at is not None and at in parents:
        found.append(at)
        at = parents[at]
    return found


def _below(nodes: Sequence[Node]) -> dict[int, list[Node]]:
    """For each session, all that are below it and have used something."""
    parents = {node.pk: node.parent_id for node in nodes}
    below: dict[int, list[Node]] = defaultdict(list)
    for node in nodes:
        if node.usage_by_model or node.policy_cost_usd is not None:
            for above in _upwards(parents, node.pk)[1:]:
                below[above].append(node)
    return below
