"""A request's way in and out: what it is, before its policies are asked, and how it is answered after."""

from collections.abc import Mapping
from dataclasses import dataclass

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.policies.types import PolicyEvent
from omnigent.protocol import inputs as protocol
from sessions_app.models import HeldAction, Session
from sessions_app.services import commands, inputs, messages, pending_inputs
from sessions_app.services.access import Access, Level, not_found, require
from sessions_app.services.policing import facts, requests
from sessions_app.services.policing.chains import Chains
from sessions_app.services.policing.requests import Cleared
from sessions_app.services.receipts import Receipts
from sessions_app.services.tick import tick_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Opened:
    """An event that may be posted. `request` is None when no policy has to be asked; then it is `cleared`, or
    no request. `held_pk` names the action that an earlier try of it has become.
    """

    session_pk: int
    cleared: Cleared | None = None
    request: PolicyEvent | None = None
    held_pk: int | None = None
    actor: str = ""
    user_id: str = ""
    skill_text: str = ""


def open_request(
    principal: Principal,
    session_id: str,
    event: protocol.SessionEvent,
    receipts: Receipts,
    chains: Chains,
    skill_text: str | None = None,
) -> Opened:
    """Check what is posted as far as that goes without its policies. Raises OmnigentError.

    `skill_text` is what a runner says that a slash command means; the agent's bundle tells it otherwise.
    """
    access, payload = inputs.admit(principal, session_id, event)
    if not requests.is_request(event, payload):
        return Opened(session_pk=access.pk)
    cleared = Opened(session_pk=access.pk, cleared=Cleared(session_pk=access.pk), skill_text=skill_text or "")
    if receipts.is_answered(principal) or _is_known(access, payload):
        return cleared
    if isinstance(payload, protocol.SlashCommand) and skill_text is None:
        skill_text = commands.text_of(access.pk, payload.name, payload.arguments)
    known = facts.read(access.pk)
    if chains.is_plain(chains.of(known)):
        return Opened(session_pk=access.pk, cleared=cleared.cleared, skill_text=skill_text or "")
    return Opened(
        session_pk=access.pk,
        request=requests.event_of(access.pk, payload),
        held_pk=_held(access, event, receipts.name(principal)),
        actor=event.created_by or principal.user_id,
        user_id=event.created_by or ("" if access.level is None else principal.user_id),
        skill_text=skill_text or "",
    )


def _is_known(access: Access, payload: protocol.Payload) -> bool:
    """Whether this message was taken before; it is answered again and not judged again."""
    stable_id = payload.stable_id if isinstance(payload, protocol.MessageInput) else None
    return stable_id is not None and pending_inputs.is_known(access.pk, stable_id)


def _held(access: Access, event: protocol.SessionEvent, name: str) -> int | None:
    row = requests.held_under(access.pk, name)
    if row is None:
        # Nobody is asked about a message that no runner could take.
        session = Session.objects.select_related("agent").filter(pk=access.pk).first()
        if session is None:
            raise not_found()
        messages.refuse_closed(session)
        messages.require_runner(session)
        return None
    if (row.input or {})["event"] != requests.plain_event(event):
        raise OmnigentError(
            ErrorCode.IDEMPOTENCY_MISMATCH, "This Idempotency-Key was used for a different request"
        )
    return row.pk


def post_unattended(
    principal: Principal, session_id: str, event: protocol.SessionEvent, receipts: Receipts, chains: Chains
) -> None:
    """Take an event for which nobody waits. One about which policies must be asked is kept meanwhile."""
    opened = open_request(principal, session_id, event, receipts, chains)
    if opened.request is None:
        inputs.post(principal, session_id, event, receipts, opened.skill_text, opened.cleared)
    elif opened.held_pk is None:
        kept = requests.stored(event, opened.user_id, opened.skill_text, receipts.name(principal))
        requests.defer(opened.session_pk, opened.request, actor=opened.actor, kept=kept)


def post_denial(principal: Principal, session_id: str, receipts: Receipts, reason: str) -> inputs.Posted:
    """Say in the session that a request was denied, and answer so."""
    access = require(principal, session_id, Level.EDIT)
    with receipts.replayed(principal) as replay:
        if replay is not None:
            return inputs.Posted(answer=replay)
        with tick_of([access.pk]) as tick:
            session = tick.sessions.get(access.pk)
            if session is None:
                raise not_found()
            answer = requests.deny(tick, session, reason)
        receipts.record(202, answer)
    return inputs.Posted(answer=answer, session_pk=access.pk)


def post_held(principal: Principal, row: HeldAction, receipts: Receipts) -> inputs.Posted:
    """Answer a request that was held, as it has come out. Raises what came in the way of posting it."""
    answer: Mapping[str, object] = requests.answered(row)
    with receipts.replayed(principal) as replay:
        if replay is None:
            receipts.record(202, answer)
    return inputs.Posted(answer=answer if replay is None else replay, session_pk=row.session_id)
