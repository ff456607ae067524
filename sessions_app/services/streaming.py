"""What a live reader needs from the database: where to begin, what it missed, whether it may still look."""

from dataclasses import dataclass

from omnigent.accounts.identity import Principal
from omnigent.protocol import events, sse
from sessions_app.events import log
from sessions_app.events.broker import Broker, Subscription
from sessions_app.models import Session, Store
from sessions_app.services import access, ingest

PAGE = 500


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """A reader's beginning: its subscription and the frames to send before anything else."""

    session_id: str
    subscription: Subscription
    epoch: int
    preamble: bytes


def epoch() -> int:
    """The store's incarnation, which log numbers belong to."""
    return Store.objects.values_list("epoch", flat=True).first() or 1


def parse_cursor(text: str | None, current_epoch: int) -> int | None:
    """The number in a cursor `seq` or `seq.epoch`; -1 for one that cannot be resumed, None without one."""
    if text is None or text == "":
        return None
    number, _, of_epoch = text.partition(".")
    if not number.isascii() or not number.isdigit() or len(number) > 18:
        return -1
    if of_epoch and of_epoch != str(current_epoch):
        return -1
    return int(number)


def open_stream(*, principal: Principal, session_id: str, cursor: str | None, broker: Broker) -> Opening:
    """Check access and place a reader. Raises 404 or 403 before any byte is sent."""
    found = access.require(principal, session_id, access.Level.READ)
    current = epoch()
    session = Session.objects.select_related("agent").get(pk=found.pk)
    after = parse_cursor(cursor, current)
    heartbeat = _synthetic(events.SessionHeartbeat())
    if after is None:
        subscription = broker.subscribe(session.pk, session.seq)
        preamble = heartbeat + _prefix(session)
    elif after < session.log_floor or after > session.seq:
        subscription = broker.subscribe(session.pk, session.seq)
        reason = "the cursor is older than the log" if 0 <= after <= session.seq else "the cursor is unknown"
        preamble = heartbeat + _synthetic(
            events.StreamReset(
                conversation_id=session.public_id, reason=reason, resume_after=session.resume_after
            )
        )
    else:
        subscription = broker.subscribe(session.pk, after)
        preamble = heartbeat
    return Opening(session_id=session.public_id, subscription=subscription, epoch=current, preamble=preamble)


def _synthetic(event: events.Event) -> bytes:
    return sse.encode(event.type, events.to_json(event))


def _prefix(session: Session) -> bytes:
    """The text of the response under way, for a reader that does not resume."""
    if session.open_seq is None:
        return b""
    text = "".join(ingest.pending_text(session.pk, session.open_seq - 1, session.seq))
    if not text:
        return b""
    response = events.response_object(
        id=session.active_response_id or session.public_id,
        status="in_progress",
        model=session.agent.name if session.agent else "",
        created_at=int(session.updated_at.timestamp()),
    )
    return _synthetic(events.ResponseCreated(response=response)) + _synthetic(
        events.OutputTextDelta(delta=text)
    )


def catch_up(subscription: Subscription) -> tuple[list[bytes], bool]:
    """The next page of the log for a reader that is behind, and whether that was all of it."""
    entries = log.read(subscription.session_id, subscription.cursor, PAGE)
    return [entry.frame() for entry in entries], len(entries) < PAGE


def may_still_read(*, principal: Principal, session_id: str, subscription: Subscription) -> tuple[bool, int]:
    """Whether the reader may go on, and where the log ends now (-1 when the session is gone)."""
    if not access.may_read(principal, session_id):
        return False, -1
    head = Session.objects.filter(pk=subscription.session_id).values_list("seq", flat=True).first()
    return head is not None, -1 if head is None else head


def heartbeat_frame() -> bytes:
    """What keeps a quiet connection alive."""
    return _synthetic(events.SessionHeartbeat())
