"""One evaluation: read the facts, run the chain, and record what came of it before anybody acts on it."""

import asyncio
import logging
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from omnigent.errors import OmnigentError
from omnigent.policies.answers import apply_updates
from omnigent.policies.judging import judge
from omnigent.policies.types import Action, Phase, PolicyEvent, Verdict
from sessions_app.flows.policing import entries
from sessions_app.flows.policing.rounds import ASK_SECONDS, Hold, Round, Subject, gathered, prepared
from sessions_app.models import HeldKind
from sessions_app.services.policing import actions, held, recording, spending_agreed
from sessions_app.services.policing.chains import GUARDED_TOOLS
from sessions_app.services.policing.facts import ROOT_KEYS
from sessions_app.services.policing.held import Pending, Question
from sessions_app.services.policing.recording import Conflict, Record

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)

ATTEMPTS = 10
BROKEN = "policy evaluation error"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluated:
    """A verdict that is recorded; `held_pk` when a person has to decide, or has. One that `is_broken` is not
    recorded, because there was none.
    """

    verdict: Verdict
    held_pk: int | None = None
    is_broken: bool = False

    @property
    def is_allowed(self) -> bool:
        """Whether the action may be done now."""
        return self.verdict.action is Action.ALLOW


async def evaluate(
    process: "Process",
    subject: Subject,
    event: PolicyEvent,
    *,
    hold: Hold | None = None,
    is_binding: bool = True,
    shows_denial: bool = False,
) -> Evaluated:
    """The verdict on an event, committed. Whatever goes wrong here is a DENY.

    Without `hold` a question cannot be asked, and an ASK comes back as it is. With `is_binding` false nothing
    is written: somebody who may only read wants to know.
    """
    try:
        async with process.policies.turnstiles.passing(subject.session_pk):
            for _ in range(ATTEMPTS):
                try:
                    return await _once(
                        process, subject, event, hold, is_binding=is_binding, shows_denial=shows_denial
                    )
                except Conflict:
                    continue
        logger.error("evaluation_given_up", extra={"session": subject.session_pk})
    except OmnigentError:
        raise  # the session is gone
    except Exception:
        # Nobody may act on a verdict that nobody can prove, nor on none.
        logger.exception("evaluation_failed", extra={"session": subject.session_pk, "phase": event.phase})
    return Evaluated(verdict=Verdict(action=Action.DENY, reason=BROKEN), is_broken=True)


async def _once(
    process: "Process",
    subject: Subject,
    event: PolicyEvent,
    hold: Hold | None,
    *,
    is_binding: bool,
    shows_denial: bool,
) -> Evaluated:
    began = time.perf_counter_ns()
    found, refs, part = await process.pool.run(gathered, process.policies.chains, subject.session_pk)
    if process.policies.chains.is_plain(refs) and event.target not in GUARDED_TOOLS and _is_new(hold):
        return Evaluated(verdict=Verdict(action=Action.ALLOW))
    if hold is not None and found.has_held and is_binding:
        before = await process.pool.run(_held_before, found.pk, event, hold)
        if before is not None:
            return Evaluated(verdict=Verdict(action=Action.ASK), held_pk=before)
    asked = await prepared(process, subject, event, hold, found, refs, part)
    verdict = await judge(
        asked.event,
        refs,
        asked.state,
        threads=process.policies.threads,
        start=asked.start,
        llm_client=process.policies.llm_client,
    )
    verdict = _joined(verdict, hold)
    micros = (time.perf_counter_ns() - began) // 1000
    if not is_binding:
        return Evaluated(verdict=verdict)
    record = _record(asked, subject, verdict, hold, micros)
    if verdict.action is Action.DENY and shows_denial:
        record.denied = entries.denial(found, asked.event, verdict)
    process.writer.submit(record)
    return Evaluated(verdict=verdict, held_pk=await record.outcome)


def _record(asked: Round, subject: Subject, verdict: Verdict, hold: Hold | None, micros: int) -> Record:
    found = asked.facts
    record = Record(
        facts=found,
        decision=entries.decision(
            found,
            asked.event,
            verdict,
            actor=hold.approver if hold is not None and hold.approver else subject.actor,
            accepted=hold.asked if hold is not None else "",
            micros=micros,
            elicitation_id=hold.elicitation_id if hold is not None and hold.resumed_pk is not None else "",
        ),
        outcome=asyncio.get_running_loop().create_future(),
    )
    if verdict.action is Action.DENY and asked.event.phase is Phase.LLM_RESPONSE and found.response_id:
        record.silenced = {found.response_id: verdict.reason or ""}
    if verdict.action is Action.ASK and hold is not None:
        record.question = _question(asked, verdict, hold, subject)
        record.decision = replace(record.decision, elicitation_id=record.question.elicitation_id)
    _remember(record, asked, verdict, hold)
    return record


def _is_new(hold: Hold | None) -> bool:
    """Whether this is no action that was held before: such a one leaves a decision in any case."""
    return hold is None or hold.resumed_pk is None


def _held_before(session_pk: int, event: PolicyEvent, hold: Hold) -> int | None:
    """The same action of the same kind, when it was held before; every message is one of its own."""
    if hold.resumed_pk is not None or hold.kind == HeldKind.MESSAGE:
        return None
    row = held.of_action(session_pk, hold.kind, actions.digest(event), by=hold.taker)
    return None if row is None else row.pk


def _joined(verdict: Verdict, hold: Hold | None) -> Verdict:
    """A chain that went on after an approval has what was wanted before it as well."""
    if hold is None or hold.resumed_pk is None:
        return verdict
    has_data = verdict.has_data or hold.pending.has_data
    keeps = has_data and verdict.action is not Action.DENY
    return replace(
        verdict,
        has_data=keeps,
        data=(verdict.data if verdict.has_data else hold.pending.data) if keeps else None,
        set_labels={**hold.pending.labels, **verdict.set_labels},
        state_updates=(*hold.pending.updates, *verdict.state_updates),
    )


def _question(asked: Round, verdict: Verdict, hold: Hold, subject: Subject) -> Question:
    ref = verdict.deciding
    assert ref is not None and verdict.index is not None
    is_named = bool(hold.elicitation_id) and hold.resumed_pk is None
    named = {"elicitation_id": hold.elicitation_id} if is_named else {}
    return Question(
        kind=hold.kind,
        event=asked.event,
        digest=actions.digest(asked.event),
        ref=ref,
        position=verdict.index,
        reason=verdict.reason or ref.name,
        pending=Pending(
            labels=verdict.set_labels,
            updates=verdict.state_updates,
            has_data=verdict.has_data,
            data=verdict.data,
        ),
        seconds=verdict.ask_timeout or asked.part.ask_timeout or ASK_SECONDS,
        actor=subject.actor,
        input=hold.input or {"by": hold.taker},
        held_pk=hold.resumed_pk,
        **named,
    )


def _remember(record: Record, asked: Round, verdict: Verdict, hold: Hold | None) -> None:
    """Put what the policies want to remember into the record; what an ASK wants waits for its answer."""
    found, updates = asked.facts, verdict.shadow_updates
    if verdict.action is not Action.ASK:
        updates = (*verdict.state_updates, *updates)
        wanted = {**found.first_labels, **asked.part.allowed(verdict.set_labels)}
        record.labels = {key: text for key, text in wanted.items() if found.labels.get(key) != text} or None
        if hold is not None and hold.resumed_pk is not None:
            record.settled = held.Settlement(held_pk=hold.resumed_pk, outcome=entries.outcome(verdict))
    agreed = tuple(one for one in updates if one.key in spending_agreed.KEYS)
    at_root = tuple(one for one in updates if one.key in ROOT_KEYS)
    own = tuple(one for one in updates if one.key not in ROOT_KEYS | spending_agreed.KEYS)
    if found.is_root:
        own, at_root = (*own, *at_root), ()
    if own:
        record.state = recording.text_of(apply_updates(found.own.state, own))
    if at_root:
        record.root_state = recording.text_of(apply_updates(found.root.state, at_root))
    record.agreed = agreed if found.owner else ()
