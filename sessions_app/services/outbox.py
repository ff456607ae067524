"""The outbox: what runners still have to be told, in order, claimed by one server at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, Min, OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from omnigent.protocol import events
from sessions_app.events import publish
from sessions_app.models import (
    Elicitation,
    ElicitationStatus,
    Lease,
    Outbox,
    OutboxKind,
    Session,
    TunnelKind,
)
from sessions_app.services import pending_inputs, turns
from sessions_app.services.durability import repeatable_transaction
from sessions_app.services.tick import Tick, tick_of
from sessions_app.statements import insert

VERDICTS = (ElicitationStatus.ACCEPTED, ElicitationStatus.DECLINED, ElicitationStatus.CANCELLED)
COLUMNS = ("session_id", "kind", "item_id", "body", "created_at", "deadline", "claimed_by")


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A claimed row, and what its delivery needs to know of the session.

    `is_parked` says that it may wait for the runner's return however long that takes: the turn waits for it,
    and it is stored nowhere else.

    `was_sent` says that an earlier attempt may have reached the runner, `has_message` that a message is among
    what the session still has to deliver. `sent_to` names the runner it went to if that acknowledges nothing.
    """

    pk: int
    kind: str
    item_id: str
    body: Mapping[str, Any]
    session_pk: int
    session_id: str
    runner_id: str
    host_id: str
    is_late: bool
    is_parked: bool
    was_sent: bool
    sent_to: str
    has_message: bool


def put(
    tick: Tick, session: Session, kind: OutboxKind, body: Mapping[str, Any], *, item_id: str = ""
) -> None:
    """Add a delivery to the open transaction and ring for it after the commit."""
    put_all(tick, kind, [(session, body)], item_id=item_id)
    session.has_input = session.has_input or kind == OutboxKind.MESSAGE
    session.has_new_input = session.has_new_input or kind == OutboxKind.MESSAGE


def put_all(
    tick: Tick, kind: OutboxKind, given: Sequence[tuple[Session, Mapping[str, Any]]], *, item_id: str = ""
) -> None:
    """Add deliveries that are no messages to several sessions, with one statement."""
    stamp = connection.ops.adapt_datetimefield_value
    deadline = tick.now + timedelta(seconds=settings.OMNIGENT_LAUNCH_SECONDS)
    times = (stamp(tick.now), stamp(deadline))
    insert(
        Outbox,
        COLUMNS,
        [(one.pk, kind.value, item_id, orjson.dumps(body).decode(), *times, "") for one, body in given],
    )
    for session, _ in given:
        transaction.on_commit(partial(publish.ring, "outbox", str(session.pk)))


def _open_lease(runner_id: Any) -> Any:  # a name or an expression that gives one
    return Lease.objects.filter(
        kind=TunnelKind.RUNNER, name=runner_id, closed_at__isnull=True, expires_at__gt=Now()
    )


def waiting_sessions(*, holder: str) -> list[int]:
    """Sessions with something to deliver that nobody works on, or that is this process's to do. What only a
    runner's return can deliver is left out until then.
    """
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lt=Now())
    ours = Exists(_open_lease(OuterRef("session__runner_id")).filter(holder=holder)) & ~Q(claimed_by=holder)
    heads = Outbox.objects.values("session").annotate(head=Min("id")).values("head")
    messages = Outbox.objects.filter(session=OuterRef("session"), kind=OutboxKind.MESSAGE)
    is_away = ~Exists(_open_lease(OuterRef("session__runner_id")))
    resting = Q(is_away, ~Exists(messages), kind=OutboxKind.TOOL_RESULT, deadline__lt=Now())
    waiting = Outbox.objects.filter(free | ours, id__in=heads).exclude(resting)
    return list(waiting.values_list("session_id", flat=True))


def claim(*, session_pk: int, holder: str, seconds: float) -> Delivery | None:
    """Take the oldest delivery of a session for `seconds`; None when there is none or it is another's to do.

    It is the process's that holds the tunnel of the session's runner, whoever has claimed it before: that
    one may have died with its claim, and the runner knows what it has had. Without a tunnel the first claim
    counts.
    """
    row = Outbox.objects.filter(session_id=session_pk).select_related("session").order_by("id").first()
    if row is None:
        return None
    runner_id = row.session.runner_id
    holds_tunnel = _open_lease(runner_id).values_list("holder", flat=True).first()
    if holds_tunnel not in (None, holder):
        return None
    mine = Q(claimed_by=holder) | Q(claimed_until__isnull=True) | Q(claimed_until__lt=Now())
    free = Outbox.objects.filter(pk=row.pk) if holds_tunnel else Outbox.objects.filter(mine, pk=row.pk)
    with repeatable_transaction():
        is_mine = free.update(claimed_by=holder, claimed_until=Now() + timedelta(seconds=seconds))
    if not is_mine:
        return None
    is_message = row.kind == OutboxKind.MESSAGE
    has_message = is_message or Outbox.objects.filter(session_id=session_pk, kind=OutboxKind.MESSAGE).exists()
    return Delivery(
        pk=row.pk,
        kind=row.kind,
        item_id=row.item_id,
        body=orjson.loads(row.body),
        session_pk=row.session_id,
        session_id=row.session.public_id,
        runner_id=runner_id,
        host_id=row.session.host_id,
        is_late=row.deadline < timezone.now(),
        is_parked=row.kind == OutboxKind.TOOL_RESULT and not has_message,
        was_sent=bool(row.claimed_by),
        sent_to=row.sent_to,
        has_message=has_message,
    )


def hold(*, delivery: Delivery, holder: str, seconds: float) -> None:
    """Extend a claim that is still this process's."""
    with repeatable_transaction():
        Outbox.objects.filter(pk=delivery.pk, claimed_by=holder).update(
            claimed_until=Now() + timedelta(seconds=seconds)
        )


def release(*, delivery: Delivery, holder: str, was_sent: bool) -> None:
    """Let go of a claim so that whoever holds the tunnel next can take it at once."""
    kept = holder if was_sent or delivery.was_sent else ""
    with repeatable_transaction():
        Outbox.objects.filter(pk=delivery.pk, claimed_by=holder).update(claimed_until=None, claimed_by=kept)


def open_turn(*, delivery: Delivery) -> None:
    """The message is about to be forwarded for the first time: its turn opens."""
    with tick_of([delivery.session_pk]) as tick:
        for session in tick.sessions.values():
            if tick.turn(session) is None:
                tick.open_turn(session)


def delivered(*, delivery: Delivery) -> None:
    """The runner has accepted it. Delivered again after a power cut, it knows the item."""
    with repeatable_transaction():
        Outbox.objects.filter(pk=delivery.pk).delete()
        if delivery.kind == OutboxKind.APPROVAL:
            Elicitation.objects.filter(
                session_id=delivery.session_pk, public_id=delivery.item_id, status__in=VERDICTS
            ).update(status=ElicitationStatus.DELIVERED, delivered_at=timezone.now())


def refused(*, delivery: Delivery, code: str, message: str) -> None:
    """It cannot be delivered: a message fails its turn, an interrupt is void.

    A session that was bound to another runner meanwhile has its delivery left for that one.
    """
    with tick_of([delivery.session_pk]) as tick:
        for session in tick.sessions.values():
            row = Outbox.objects.filter(pk=delivery.pk)
            if session.runner_id != delivery.runner_id or not row.delete()[0]:
                return
            if delivery.kind == OutboxKind.MESSAGE:
                pending_inputs.settle(tick, session, item_id=delivery.item_id)
                turns.refuse(tick, session, events.error_object(code, message), item_id=delivery.item_id)
            elif delivery.kind == OutboxKind.INTERRUPT:
                session.interrupt_fence = False
