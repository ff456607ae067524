"""Held actions on their way: waiting for a person, and going on with the chain once one has answered."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from django.db import Error
from django.utils import timezone

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.policies.types import Action, Verdict
from sessions_app.flows import launch
from sessions_app.flows.policing import entries
from sessions_app.flows.policing.evaluating import evaluate
from sessions_app.flows.policing.rounds import Hold, Subject
from sessions_app.models import Elicitation, ElicitationStatus, HeldAction, HeldKind
from sessions_app.services import recovery, verdicts
from sessions_app.services.policing import actions, facts, held, requests
from sessions_app.services.policing.held import Pending
from sessions_app.services.policing.recording import Record

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)

LOOK_SECONDS = 2.0
"""How often a waiter looks for itself: bells may be lost."""
ACCEPT = "accept"
"""What a verdict must say; its status only tells whether the runner knows."""
WORDS = {"decline": "declined", "cancel": "cancelled"}


async def settled(process: "Process", held_pk: int) -> HeldAction:
    """Wait until the action is ended, however long that takes. Raises NOT_FOUND when it is gone."""
    return await _until(process, held_pk, is_ended)


async def looked_at(process: "Process", held_pk: int) -> HeldAction:
    """The action once everything was done that needs no person. Raises NOT_FOUND when it is gone."""
    return await _until(process, held_pk, lambda row: is_ended(row) or is_open(row))


async def _until(process: "Process", held_pk: int, is_enough: Callable[[HeldAction], bool]) -> HeldAction:
    async with process.policies.waiting.on(held_pk) as changed:
        while True:
            changed.clear()
            row = await process.pool.run(held.get, held_pk)
            if row is None:
                raise OmnigentError(ErrorCode.NOT_FOUND, "Session not found")
            left = (row.expires_at - timezone.now()).total_seconds()
            if is_open(row) and row.elicitation is not None and left <= 0:
                await process.pool.run(verdicts.expire, row.session_id, row.elicitation.public_id)
            elif is_enough(row):
                return row
            elif not is_open(row):
                await go_on(process, held_pk)
            try:
                async with asyncio.timeout(min(LOOK_SECONDS, left) if left > 0 else LOOK_SECONDS):
                    await changed.wait()
            except TimeoutError:
                continue


def is_ended(row: HeldAction) -> bool:
    """Whether there is nothing left to do; a message has to be posted after its verdict."""
    return row.outcome is not None and (row.kind != HeldKind.MESSAGE or row.consumed_at is not None)


def is_open(row: HeldAction) -> bool:
    """Whether its question waits for a person."""
    return row.elicitation is not None and row.elicitation.status == ElicitationStatus.PENDING


async def look_after(process: "Process") -> None:
    """Go on with what others have left: answered questions, verdicts not acted on, and what is overdue."""
    now = timezone.now()
    for session_pk, elicitation_id in await process.pool.run(held.overdue, now):
        await process.pool.run(verdicts.expire, session_pk, elicitation_id)
    for held_pk in await process.pool.run(held.due, now):
        await go_on(process, held_pk)
    for held_pk, session_pk in await process.pool.run(held.orphaned, now):
        await _revive(process, held_pk, session_pk)


async def _revive(process: "Process", held_pk: int, session_pk: int) -> None:
    """A call was approved whose runner is gone: its turn begins again, on a new runner if one can be had."""
    try:
        await launch.ensure_runner(process, session_pk)
    except OmnigentError as error:
        logger.info("approved_call_waits", extra={"held": held_pk, "reason": error.message})
        return
    await process.pool.run(recovery.resume, session_pk)


async def go_on(process: "Process", held_pk: int) -> None:
    """Do the next thing that is to be done with the action, unless somebody else does it or a person must."""
    claiming = asyncio.ensure_future(process.pool.run(held.claim, held_pk))
    try:
        # What has begun on a thread of the pool runs to its end, also when nobody waits any more.
        row = await asyncio.shield(claiming)
        if row is not None:
            await _proceed(process, row)
    except asyncio.CancelledError:
        if await claiming is not None:
            # This process stops: the next one need not wait until the claim has run out.
            await process.pool.run(held.release, held_pk)
        raise


async def _proceed(process: "Process", row: HeldAction) -> None:
    held_pk = row.pk
    now: HeldAction | None = row
    if row.outcome is None:
        await _judge(process, row)
        now = await process.pool.run(held.get, held_pk)
    if now is not None and now.outcome is not None and now.kind == HeldKind.MESSAGE:
        await process.pool.run(requests.finish, held_pk)
    process.policies.waiting.ring(held_pk)


async def _judge(process: "Process", row: HeldAction) -> None:
    event, question = actions.from_json(row.event), row.elicitation
    subject = Subject(session_pk=row.session_id, actor=row.actor)
    if question is not None and question.action != ACCEPT:
        await _refuse(process, row, question)
        return
    hold = Hold(kind=HeldKind(row.kind), resumed_pk=row.pk, pending=Pending.from_json(row.pending))
    if question is not None:
        hold = replace(
            hold,
            after=row.policy_id,
            elicitation_id=question.public_id,
            approver=question.resolved_by,
            asked=_asked(row, question),
        )
    evaluated = await evaluate(process, subject, event, hold=hold)
    if evaluated.verdict.action is Action.DENY and evaluated.is_broken:
        await process.pool.run(held.release, row.pk)


def _asked(row: HeldAction, question: Elicitation) -> str:
    return str(question.request.get("params", {}).get("message") or row.policy_name)


async def _refuse(process: "Process", row: HeldAction, question: Elicitation) -> None:
    is_late = question.status == ElicitationStatus.EXPIRED
    word = "nobody answered in time" if is_late else WORDS.get(question.action, question.status)
    reason = f"{_asked(row, question)} ({word})"
    found = await process.pool.run(facts.read, row.session_id)
    verdict = Verdict(action=Action.DENY, reason=reason, policy=row.policy_name, index=row.position)
    decision = entries.decision(
        found,
        actions.from_json(row.event),
        verdict,
        actor=question.resolved_by or row.actor,
        micros=0,
        elicitation_id=question.public_id,
    )
    record = Record(
        facts=found,
        decision=replace(decision, policy_id=row.policy_id, policy_name=row.policy_name),
        outcome=asyncio.get_running_loop().create_future(),
        settled=held.Settlement(held_pk=row.pk, outcome=entries.outcome(verdict)),
    )
    process.writer.submit(record)
    try:
        await record.outcome
    except Error:
        logger.exception("refusal_not_recorded", extra={"held": row.pk})
        await process.pool.run(held.release, row.pk)
