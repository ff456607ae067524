"""A dry run of one event: the chain and what it is based on, read and never written."""

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from django.utils import timezone

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.policies.judging import judge
from omnigent.policies.types import PolicyEvent, PolicyRef, PolicyState, Step, Verdict
from policies_app.building import Builder
from policies_app.services import drafts
from policies_app.simulation_bodies import SimulationBody
from sessions_app.services import access
from sessions_app.services.access import Level
from sessions_app.services.policing import facts as reading
from sessions_app.services.policing import spending_agreed
from sessions_app.services.policing.chains import Chains
from sessions_app.services.policing.facts import Facts

THREADS = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class DryRun:
    """What is to be judged. `not_called` are the url policies that were taken out of the chain."""

    event: PolicyEvent
    refs: tuple[PolicyRef, ...]
    state: PolicyState
    not_called: tuple[PolicyRef, ...] = ()


def require_admin(principal: Principal) -> None:
    """Raise FORBIDDEN for anybody but administrators themselves."""
    if principal.kind != "user" or not principal.is_admin:
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only administrators simulate policies")


def prepare(
    asked: SimulationBody, event: PolicyEvent, *, principal: Principal, chains: Chains, builder: Builder
) -> DryRun:
    """Read what the event is to be judged by. Raises NOT_FOUND, and INVALID_INPUT for unusable drafts."""
    added = drafts.all_built(asked.policies, builder) if asked.asks_drafts else ()
    found = _facts(principal, asked.session_id) if asked.session_id is not None else None
    refs = chains.of(found) if found is not None and asked.asks_session else ()
    refs = drafts.placed(refs, added) if refs else added
    not_called = () if asked.calls_urls else tuple(ref for ref in refs if drafts.is_remote(ref))
    refs = tuple(ref for ref in refs if ref not in not_called)
    if found is None:
        labels = event.context.get("labels")
        state = PolicyState(labels=_texts(labels) if isinstance(labels, Mapping) else {})
        context: Mapping[str, Any] = {**_nowhere(timezone.now()), **event.context}
    else:
        state, context = found.state, _context(found, event, refs)
    return DryRun(event=replace(event, context=context), refs=refs, state=state, not_called=not_called)


def shown(run: DryRun, verdict: Verdict) -> bytes:
    """The answer as JSON. Raises INVALID_INPUT when a handler wants something that JSON has no word for."""
    answer = {
        "object": "policy_simulation",
        "verdict": verdict.action.value,
        "reason": verdict.reason,
        "policy": verdict.policy,
        "policy_id": verdict.deciding.policy_id if verdict.deciding is not None else None,
        "has_data": verdict.has_data,
        "data": verdict.data,
        "state_updates": [
            {"key": one.key, "action": one.action, "value": one.value} for one in verdict.state_updates
        ],
        "labels": dict(verdict.set_labels),
        "steps": [_step(step) for step in verdict.steps],
        "not_called": [
            {"id": ref.policy_id, "name": ref.name, "level": ref.level.value} for ref in run.not_called
        ],
    }
    try:
        return orjson.dumps(answer, option=orjson.OPT_NON_STR_KEYS)
    except TypeError as error:
        reason = f"what the policies answer cannot be written as JSON: {error}"
        raise OmnigentError(ErrorCode.INVALID_INPUT, reason) from None


def simulate(
    asked: SimulationBody, event: PolicyEvent, *, principal: Principal, chains: Chains
) -> dict[str, Any]:
    """The whole of it on the caller's thread, for pages; url policies are never called.

    Raises as `prepare` and `shown` do; policies that ask a model abstain.
    """
    offline = asked.model_copy(update={"calls_urls": False})
    run = prepare(offline, event, principal=principal, chains=chains, builder=drafts.draft_builder())
    threads = ThreadPoolExecutor(THREADS, thread_name_prefix="simulation")
    try:
        verdict = asyncio.run(judge(run.event, run.refs, run.state, threads=threads))
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
    answer: dict[str, Any] = orjson.loads(shown(run, verdict))
    return answer


def _step(step: Step) -> dict[str, Any]:
    return {
        "id": step.ref.policy_id,
        "name": step.ref.name,
        "level": step.ref.level.value,
        "version": step.ref.version,
        "mode": "shadow" if step.ref.shadow else "enforce",
        "verdict": step.action.value,
        "reason": step.reason,
        "failed": step.failed,
        "micros": step.micros,
    }


def _facts(principal: Principal, session_id: str) -> Facts:
    return reading.read(access.require(principal, session_id, Level.READ).pk)


def _context(found: Facts, event: PolicyEvent, refs: tuple[PolicyRef, ...]) -> dict[str, Any]:
    """What a real evaluation would see now; the event may name another actor, model and harness."""
    needs = frozenset().union(*(ref.needs for ref in refs))
    now = timezone.now()
    today = now.astimezone(UTC).date()
    days = spending_agreed.of_year(found.owner, today) if "user_daily_cost" in needs else []
    said = {name: event.context[name] for name in ("actor", "model", "harness") if event.context.get(name)}
    return {
        **_nowhere(now),
        "actor": {"run_as": found.owner} if found.owner else {},
        "usage": dict(found.usage),
        "subtree_usage": dict(found.subtree_usage) if "subtree_usage" in needs else {},
        "user_daily_cost": days,
        "model": found.model,
        "conversation_id": found.public_id,
        "conversation_title": found.title or None,
        **said,
    }


def _nowhere(now: datetime) -> dict[str, Any]:
    """The context of an event that belongs to no session."""
    return {
        "actor": {},
        "usage": {},
        "subtree_usage": {},
        "user_daily_cost": [],
        "today": now.astimezone(UTC).date().isoformat(),
        "model": None,
        "harness": None,
        "conversation_id": None,
        "conversation_title": None,
    }


def _texts(labels: Mapping[Any, Any]) -> dict[str, str]:
    return {str(key): str(value) for key, value in labels.items()}
