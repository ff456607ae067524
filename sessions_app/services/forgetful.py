"""Runners that acknowledge nothing: what the server keeps of what it sent them, and what it may conclude."""

from collections.abc import Sequence

from django.utils import timezone

from omnigent.protocol import events
from omnigent.protocol.frames import EVENT_ACK
from sessions_app.models import Outbox, OutboxKind, Runner, Session, Status, Turn, TurnStatus
from sessions_app.services.outbox import Delivery


def is_forgetful(runner_id: str) -> bool:
    """Whether this runner acknowledges nothing, and does not know again what it is told twice."""
    told = Runner.objects.filter(public_id=runner_id).values_list("capabilities", flat=True).first()
    return told is not None and EVENT_ACK not in told


def note_sending(*, delivery: Delivery) -> None:
    """The message is about to be sent to a runner that would take it twice."""
    Outbox.objects.filter(pk=delivery.pk).update(sent_to=delivery.runner_id, sent_at=timezone.now())


def was_taken(*, delivery: Delivery, is_working: bool) -> bool:
    """Whether the runner shows signs of a message that it was sent before. In doubt it does: never twice."""
    newest = Turn.objects.filter(session_id=delivery.session_pk).order_by("-id").first()
    sent_at = Outbox.objects.filter(pk=delivery.pk).values_list("sent_at", flat=True).first()
    if newest is None or sent_at is None or not newest.response_id:
        return is_working
    return is_working or newest.ended_at is None or newest.ended_at > sent_at


def running_turn(session_pk: int) -> int | None:
    """The turn that runs, by key."""
    turns = Turn.objects.filter(session_id=session_pk, status=TurnStatus.RUNNING)
    return turns.values_list("pk", flat=True).first()


def lost_end(*, session_pk: int, runner_id: str, turn_pk: int | None) -> Sequence[events.Event]:
    """What ends a turn of a runner that is at rest; nothing if the session has gone on meanwhile."""
    session = Session.objects.select_related("agent").filter(pk=session_pk, runner_id=runner_id).first()
    if session is None or session.status != Status.RUNNING or running_turn(session_pk) != turn_pk:
        return ()
    if Outbox.objects.filter(session=session, kind=OutboxKind.MESSAGE).exists():
        return ()
    rest = events.SessionStatus(conversation_id=session.public_id, status="idle")
    turn = None if turn_pk is None else Turn.objects.filter(pk=turn_pk).exclude(response_id="").first()
    if turn is None:
        return (rest,)
    response = events.response_object(
        id=turn.response_id,
        status="incomplete",
        model=session.agent.name if session.agent else "",
        created_at=int(turn.opened_at.timestamp()),
        incomplete_details={"reason": "connection_lost"},
    )
    return (events.ResponseIncomplete(response=response), rest)
