"""What one attempt at an evaluation is based on: the facts, the chain, and the event with its context."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from omnigent.policies.answers import apply_updates
from omnigent.policies.types import Phase, PolicyEvent, PolicyRef, PolicyState
from sessions_app.models import HeldKind
from sessions_app.services.policing import facts, spending_agreed
from sessions_app.services.policing.chains import KILL, AgentPart, Chains
from sessions_app.services.policing.facts import Facts
from sessions_app.services.policing.held import Pending

if TYPE_CHECKING:
    from sessions_app.process import Process

ASK_SECONDS = 86_400.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """Who does something in which session. `harness` and `model` are what the caller says of them."""

    session_pk: int
    actor: str
    model: str | None = None
    harness: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Hold:
    """What becomes of an ASK: a held action of this kind, which `taker` will take. `resumed_pk` is the one
    that the chain goes on for, `after` the policy that asked; `approver` is who agreed to `asked`.
    """

    kind: HeldKind
    input: Mapping[str, Any] | None = None
    elicitation_id: str = ""
    taker: str = ""
    resumed_pk: int | None = None
    after: str = ""
    pending: Pending = field(default_factory=Pending)
    approver: str = ""
    asked: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Round:
    """One attempt at an evaluation: everything that was read for it."""

    facts: Facts
    refs: tuple[PolicyRef, ...]
    event: PolicyEvent
    state: PolicyState
    start: int
    part: AgentPart


def gathered(chains: Chains, session_pk: int) -> tuple[Facts, tuple[PolicyRef, ...], AgentPart]:
    """The facts of a session, its chain, and what its agent says beside it."""
    found = facts.read(session_pk)
    part = chains.agent_part(found)
    return replace(found, first_labels=part.first_labels(found.labels)), chains.of(found), part


async def prepared(
    process: "Process",
    subject: Subject,
    event: PolicyEvent,
    hold: Hold | None,
    found: Facts,
    refs: tuple[PolicyRef, ...],
    part: AgentPart,
) -> Round:
    """Everything that the chain is run with. A held action goes on after the policy that asked."""
    today = timezone.now().astimezone(UTC)
    needs = frozenset().union(*(ref.needs for ref in refs))
    days: list[Mapping[str, Any]] = []
    if "user_daily_cost" in needs:
        days = await process.pool.run(spending_agreed.of_year, found.owner, today.date())
    state, start = found.state, 0
    if hold is not None and hold.resumed_pk is not None:
        state = PolicyState(
            session_state=apply_updates(state.session_state, tuple(hold.pending.updates)),
            labels={**state.labels, **hold.pending.labels},
        )
        positions = [place for place, ref in enumerate(refs) if ref.policy_id == hold.after]
        is_stopped = bool(refs) and refs[0].policy_id == KILL
        start = positions[0] + 1 if positions and not is_stopped else 0
        if hold.pending.has_data:
            event = replace(event, data=hold.pending.data)
    context = {**_context(found, subject, needs, today), "user_daily_cost": days}
    if event.phase is Phase.RESPONSE:
        context["turn_final"] = event.context.get("turn_final")
    return Round(
        facts=found,
        refs=refs,
        event=replace(event, context=context),
        state=state,
        start=start,
        part=part,
    )


def _context(found: Facts, subject: Subject, needs: frozenset[str], today: datetime) -> dict[str, Any]:
    return {
        "actor": {"run_as": subject.actor} if subject.actor else {},
        "usage": dict(found.usage),
        "subtree_usage": dict(found.subtree_usage) if "subtree_usage" in needs else {},
        "today": today.date().isoformat(),
        "model": subject.model or found.model,
        "harness": subject.harness,
        "conversation_id": found.public_id,
        "conversation_title": found.title or None,
    }
