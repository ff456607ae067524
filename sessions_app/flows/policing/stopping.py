"""Budgets and kill switches reach what runs: whoever may not go on is interrupted, once a turn."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from django.db import DatabaseError

from omnigent.errors import OmnigentError
from omnigent.policies.judging import judge
from omnigent.policies.types import Action, PolicyRef, Verdict
from sessions_app.flows.policing import entries
from sessions_app.flows.policing.rounds import Round, Subject, gathered, prepared
from sessions_app.services import spending
from sessions_app.services.policing import stopping
from sessions_app.services.policing.stopping import NEXT_REQUEST, Stop

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)

GATHER_SECONDS = 0.05
"""Reports of usage come in flocks: one pass takes up all that come within this time."""
OF_PERSON, OF_BRANCH = "user_daily_cost", "subtree_usage"


class Enforcer:
    """Settles usage and stops what may not go on, one pass at a time; each process has one.

    Nothing is known here that is not in the database: any other process may do the same, at any time.
    """

    def __init__(self, process: "Process") -> None:
        self._process = process
        self._passing = asyncio.Lock()
        self._is_rung = False

    def ring(self, keys: tuple[str, ...] = ()) -> None:
        """Usage was reported, or a kill switch thrown: look soon. On the loop."""
        if not self._is_rung:
            self._is_rung = True
            self._process.spawn(self._soon())

    async def _soon(self) -> None:
        await asyncio.sleep(GATHER_SECONDS)
        try:
            async with self._passing:
                self._is_rung = False
                await self._pass()
        except (DatabaseError, OmnigentError):
            # What was due is due as before; the reconciler comes by.
            logger.exception("enforcement_failed")

    async def enforce(self) -> None:
        """One pass, now."""
        async with self._passing:
            await self._pass()

    async def _pass(self) -> None:
        process = self._process
        for one in await process.pool.run(stopping.by_switches):
            await process.pool.run(stopping.stop, one)
        await process.pool.run(spending.settle)
        is_full = True
        while is_full:
            due = await process.pool.run(stopping.due)
            seen: set[int] = set()
            for root_pk, _ in due:
                await _judge_tree(process, root_pk, seen)
            if due:
                await process.pool.run(stopping.judged, due)
            is_full = len(due) == stopping.BATCH


async def _judge_tree(process: "Process", root_pk: int, seen: set[int]) -> None:
    """Stop what a tree's budgets deny, and where it is its owner's, whatever else the owner has running."""
    if root_pk in seen:
        return
    seen.add(root_pk)
    try:
        found, refs, part = await process.pool.run(gathered, process.policies.chains, root_pk)
    except OmnigentError:
        return  # deleted meanwhile
    budgets = [ref for ref in refs if ref.is_budget and not ref.shadow and OF_BRANCH not in ref.needs]
    if not budgets:
        return
    subject = Subject(session_pk=root_pk, actor=found.owner)
    asked = await prepared(process, subject, NEXT_REQUEST, None, found, tuple(budgets), part)
    running = await process.pool.run(stopping.running, root_pk)
    denials = {
        model: await _denial(process, asked, budgets, model) for model in {one.model for one in running}
    }
    denied = [one.pk for one in running if denials[one.model] is not None]
    verdict = next((denial for denial in denials.values() if denial is not None), None)
    if verdict is not None:
        decision = entries.decision(found, NEXT_REQUEST, verdict, actor="", micros=0)
        await process.pool.run(stopping.stop, Stop(session_pks=denied, decision=decision))
    of_person = [ref for ref in budgets if OF_PERSON in ref.needs]
    if of_person and await _denial(process, asked, of_person, None) is not None:
        for other in await process.pool.run(stopping.trees_of, found.owner):
            await _judge_tree(process, other, seen)


async def _denial(
    process: "Process", asked: Round, budgets: Sequence[PolicyRef], model: str | None
) -> Verdict | None:
    """What one of the budgets says against a model; each is asked alone, as one's question hides no limit.

    A fault is no crossing: it denies the next call by itself.
    """
    event = replace(asked.event, context={**asked.event.context, "model": model})
    for ref in budgets:
        verdict = await judge(event, (ref,), asked.state, threads=process.policies.threads)
        if verdict.action is Action.DENY and not verdict.steps[-1].failed:
            return verdict
    return None
