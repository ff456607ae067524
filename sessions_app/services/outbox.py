"""The outbox: what runners still have to be told, in order, claimed by one server at a time."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min, Q
from django.db.models.functions import Now
from django.utils import timezone

from omnigent.protocol import events
from sessions_app.events import publish
from sessions_app.models import (
    Elicitation,
    ElicitationStatus,
    Outbox,
    OutboxKind,
    Session,
    Status,
    TunnelKind,
)
from sessions_app.services import presence, turns
from sessions_app.services.tick import Tick, tick_of
from sessions_app.statements import insert

COLUMNS = ("session_id", "kind", "item_id", "body", "created_at", "deadline", "claimed_by")


@dataclass(frozen=True, kw_only=True, slots=True)
class Delivery:
    """A claimed row, and what its delivery needs to know of the session."""

    pk: int
    kind: str
    item_id: str
    body: Mapping[str, Any]
    session_pk: int
    session_id: str
    runner_id: str
    host_id: str
    is_late: bool
    was_tried: bool


def put(
    tick: Tick, session: Session, kind: OutboxKind, body: Mapping[str, Any], *, item_id: str = ""
) -> None:
    """Add a delivery to the open transaction and ring for it after the commit."""
    stamp = connection.ops.adapt_datetimefield_value
    deadline = tick.now + timedelta(seconds=settings.OMNIGENT_LAUNCH_SECONDS)
    row = (session.pk, kind.value, item_id, orjson.dumps(body).decode(), stamp(tick.now), stamp(deadline), "")
    insert(Outbox, COLUMNS, [row])
    session.has_input = session.has_input or kind == OutboxKind.MESSAGE
    session.has_new_input = session.has_new_input or kind == OutboxKind.MESSAGE
    transaction.on_commit(partial(publish.ring, "outbox", str(session.pk)))


def waiting_sessions() -> list[tuple[int, str]]:
    """(session, its runner id) of every session with something to deliver that nobody holds."""
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lt=Now())
    heads = Outbox.objects.values("session").annotate(head=Min("id")).values("head")
    rows = Outbox.objects.filter(free, id__in=heads)
    return list(rows.values_list("session_id", "session__runner_id"))


def claim(*, session_pk: int, holder: str, held_runners: Collection[str], seconds: float) -> Delivery | None:
    """Take the oldest delivery of a session for `seconds`; None when there is none or it is another's to do.

    It is another's when that process holds the tunnel of the session's runner, or has claimed the row.
    """
    row = Outbox.objects.filter(session_id=session_pk).select_related("session").order_by("id").first()
    if row is None:
        return None
    runner_id = row.session.runner_id
    if runner_id not in held_runners and presence.online(TunnelKind.RUNNER, [runner_id]):
        return None
    mine = Q(claimed_by=holder) | Q(claimed_until__isnull=True) | Q(claimed_until__lt=Now())
    was_tried = bool(row.claimed_by)
    won = Outbox.objects.filter(mine, pk=row.pk).update(
        claimed_by=holder, claimed_until=Now() + timedelta(seconds=seconds)
    )
    if not won:
        return None
    return Delivery(
        pk=row.pk,
        kind=row.kind,
        item_id=row.item_id,
        body=orjson.loads(row.body),
        session_pk=row.session_id,
        session_id=row.session.public_id,
        runner_id=row.session.runner_id,
        host_id=row.session.host_id,
        is_late=row.deadline < timezone.now(),
        was_tried=was_tried,
    )


def release(*, delivery: Delivery, holder: str) -> None:
    """Let go of a claim so that whoever holds the tunnel next can take it at once."""
    Outbox.objects.filter(pk=delivery.pk, claimed_by=holder).update(claimed_until=None)


def open_turn(*, delivery: Delivery) -> None:
    """The message is about to be forwarded for the first time: its turn opens."""
    with tick_of([delivery.session_pk]) as tick:
        for session in tick.sessions.values():
            if tick.turn(session) is None:
                tick.open_turn(session)


def delivered(*, delivery: Delivery) -> None:
    """The runner has accepted it."""
    Outbox.objects.filter(pk=delivery.pk).delete()
    if delivery.kind == OutboxKind.APPROVAL:
        Elicitation.objects.filter(
            session_id=delivery.session_pk,
            public_id=delivery.item_id,
            status__in=[ElicitationStatus.ACCEPTED, ElicitationStatus.DECLINED, ElicitationStatus.CANCELLED],
        ).update(status=ElicitationStatus.DELIVERED, delivered_at=timezone.now())


def refused(*, delivery: Delivery, code: str, message: str) -> None:
    """It cannot be delivered: a message fails its turn, an interrupt is void."""
    with tick_of([delivery.session_pk]) as tick:
        Outbox.objects.filter(pk=delivery.pk).delete()
        for session in tick.sessions.values():
            if delivery.kind == OutboxKind.MESSAGE:
                turns.fail(tick, session, events.error_object(code, message), item_id=delivery.item_id)
            elif delivery.kind == OutboxKind.INTERRUPT:
                session.interrupt_fence = False


def drop_stale_interrupts(*, session_pks: Iterable[int]) -> None:
    """A new runner has nothing to interrupt: interrupts meant for the old one are void."""
    Outbox.objects.filter(session_id__in=list(session_pks), kind=OutboxKind.INTERRUPT).exclude(
        session__status__in=[Status.RUNNING, Status.WAITING]
    ).delete()
