"""What a live reader needs from the database: where to begin, what it missed, whether it may still look."""

from dataclasses import dataclass

from omnigent.accounts.identity import Principal
from omnigent.protocol import events, sse
from sessions_app.events import log
from sessions_app.events.broker import Broker, Subscription
from sessions_app.models import Session, Store
from sessions_app.services import access, families
from sessions_app.services.memory import pending_text

PAGE = 500
TOO_OLD = "the cursor is older than the log"


@dataclass(frozen=True, kw_only=True, slots=True)
class Opening:
    """A reader's beginning: its subscription and the frames to send before anything else."""

    session_id: str
    root_pk: int
    subscription: Subscription
    epoch: int
    preamble: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """A part of the log as it is sent, where the reader then stands, and whether it has read it all."""

    data: bytes
    cursor: int
    is_last: bool


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
        shown = b"".join(map(_synthetic, families.present(session)))
        preamble = heartbeat + _prefix(session) + shown
    elif after < session.log_floor or after > session.seq:
        subscription = broker.subscribe(session.pk, session.resume_after)
        reason = TOO_OLD if 0 <= after <= session.seq else "the cursor is unknown"
        preamble = heartbeat + _reset(session, reason)
    else:
        subscription = broker.subscribe(session.pk, after)
        preamble = heartbeat
    return Opening(
        session_id=session.public_id,
        root_pk=session.root_id or session.pk,
        subscription=subscription,
        epoch=current,
        preamble=preamble,
    )


def _synthetic(event: events.Event) -> bytes:
    return sse.encode(event.type, events.to_json(event))


def _prefix(session: Session) -> bytes:
    """The text of the response under way, for a reader that does not resume."""
    if session.open_seq is None:
        return b""
    text = "".join(pending_text(session.pk, session.open_seq - 1, session.seq))
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


def catch_up(subscription: Subscription) -> Page:
    """The next page of the log for a reader that is behind.

    What it has not read may be past the retention by now: then it is sent a reset and goes on after that.
    """
    after = subscription.cursor
    entries = log.read(subscription.session_id, after, PAGE)
    if (entries[0].seq if entries else _floor(subscription.session_id) + 1) > after + 1:
        session = Session.objects.get(pk=subscription.session_id)
        return Page(_reset(session, TOO_OLD), session.resume_after, is_last=False)
    cursor = entries[-1].seq if entries else after
    return Page(b"".join([entry.frame() for entry in entries]), cursor, is_last=len(entries) < PAGE)


def _floor(session_pk: int) -> int:
    return Session.objects.filter(pk=session_pk).values_list("log_floor", flat=True).first() or 0


def _reset(session: Session, reason: str) -> bytes:
    return _synthetic(
        events.StreamReset(
            conversation_id=session.public_id, reason=reason, resume_after=session.resume_after
        )
    )


def may_still_read(*, principal: Principal, session_id: str, subscription: Subscription) -> tuple[bool, int]:
    """Whether the reader may go on, and where the log ends now (-1 when the session is gone)."""
    if not access.may_read(principal, session_id):
        return False, -1
    head = Session.objects.filter(pk=subscription.session_id).values_list("seq", flat=True).first()
    return head is not None, -1 if head is None else head


def heartbeat_frame() -> bytes:
    """What keeps a quiet connection alive."""
    return _synthetic(events.SessionHeartbeat())
