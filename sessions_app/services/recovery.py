"""Changing runners: what the old one was doing is over, and the new one gets what nobody has answered."""

from collections.abc import Mapping
from typing import Any

from omnigent.protocol import items
from sessions_app.models import Item, Outbox, OutboxKind, Session
from sessions_app.services import commands, ingest, turns
from sessions_app.services.memory import recall
from sessions_app.services.policing import requests
from sessions_app.services.tick import Tick, tick_of


def leave_runner(tick: Tick, session: Session, *, lost: Mapping[str, Any] | None = None) -> None:
    """Another runner takes over: the old one is not heard any more, and only messages are still delivered.

    A response that it had begun is cancelled, with the text that was shown; or it has failed with the error
    `lost`, where nobody asked for another runner.
    """
    session.relay_generation += 1
    Outbox.objects.filter(session=session).exclude(kind=OutboxKind.MESSAGE).delete()
    turn = tick.turn(session)
    if session.has_input and not (turn is not None and turn.response_id):
        return
    ingest.flush_text(tick, session, recall(session), interrupted=True)
    if lost is not None and not session.has_input and turns.fail(tick, session, lost):
        return
    if turns.rest(tick, session) and session.has_input:
        turns.begin(tick, session)


def resume(session_pk: int) -> None:
    """Forgive a failure, and deliver the message that it left without an answer."""
    with tick_of([session_pk]) as tick:
        for session in tick.sessions.values():
            turns.forgive(tick, session)
            deliver_unanswered(tick, session, past_errors=True)


def deliver_unanswered(tick: Tick, session: Session, *, past_errors: bool = False) -> bool:
    """When a session ends in a user's message and nothing is on its way, put it into the outbox.

    Where there are policies they are asked first: nobody knows that they were, nor what they say by now. With
    `past_errors` the message may have failed before.
    """
    # An item of this very transaction comes after it and is not written yet: then this finds nothing.
    written = Item.objects.filter(session=session)
    if past_errors:
        last = written.exclude(type=items.Error.type).order_by("-position").first()
    else:
        last = written.filter(position=session.position).first()
    if last is None or session.status in turns.BUSY or Outbox.objects.filter(session=session).exists():
        return False
    message = commands.asked_by(last)
    if message is None:
        return False
    if requests.is_ruled(session.pk):
        requests.defer_item(tick, session, last, message)
    else:
        commands.deliver(tick, session, last, message)
    return True
