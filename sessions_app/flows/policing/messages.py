"""Requests on their way to the agent: evaluated first, held if a person has to decide, then posted."""

from typing import TYPE_CHECKING

from omnigent.accounts.identity import Principal
from omnigent.protocol import inputs as protocol
from sessions_app.flows.policing import holding
from sessions_app.flows.policing.evaluating import evaluate
from sessions_app.flows.policing.rounds import Hold, Subject
from sessions_app.models import HeldKind
from sessions_app.services import inputs, requesting
from sessions_app.services.policing import requests
from sessions_app.services.policing.requests import Cleared
from sessions_app.services.receipts import Receipts

if TYPE_CHECKING:
    from sessions_app.process import Process


async def post(
    process: "Process",
    principal: Principal,
    session_id: str,
    event: protocol.SessionEvent,
    receipts: Receipts,
    skill_text: str | None = None,
) -> inputs.Posted:
    """Take an event, a request only with the leave of its session's policies.

    Raises OmnigentError; then nothing of it is stored. Waits for a person when a policy asks one; whoever
    hangs up meanwhile, and comes again with the same key, waits on.
    """
    opened = await process.pool.run(
        requesting.open_request,
        principal,
        session_id,
        event,
        receipts,
        process.policies.chains,
        skill_text,
    )
    skill_text = opened.skill_text
    if opened.request is None:
        return await process.pool.run(
            inputs.post, principal, session_id, event, receipts, skill_text, opened.cleared
        )
    held_pk = opened.held_pk
    if held_pk is None:
        kept = requests.stored(event, opened.user_id, skill_text, receipts.name(principal))
        evaluated = await evaluate(
            process,
            Subject(session_pk=opened.session_pk, actor=opened.actor),
            opened.request,
            hold=Hold(kind=HeldKind.MESSAGE, input=kept),
        )
        if evaluated.is_allowed:
            cleared = Cleared(session_pk=opened.session_pk)
            return await process.pool.run(
                inputs.post, principal, session_id, event, receipts, skill_text, cleared
            )
        held_pk = evaluated.held_pk
        if held_pk is None:
            reason = evaluated.verdict.reason or ""
            return await process.pool.run(requesting.post_denial, principal, session_id, receipts, reason)
    row = await holding.settled(process, held_pk)
    return await process.pool.run(requesting.post_held, principal, row, receipts)
