"""Held actions: asked about, voted on, ended once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import ELICITATION, mint
from omnigent.policies.types import PolicyEvent, PolicyRef, StateUpdate
from omnigent.protocol import events
from sessions_app.events import publish
from sessions_app.models import ElicitationStatus, HeldAction, HeldKind, Session, Status
from sessions_app.services import elicitations
from sessions_app.services.failures import RUNNER_LOST
from sessions_app.services.policing import actions
from sessions_app.services.tick import Tick

BELL = "held"
CLAIM_SECONDS = 30.0
MODES = {HeldKind.TOOL: "url", HeldKind.EVALUATION: "form", HeldKind.MESSAGE: "form", HeldKind.CALL: "form"}

Json = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pending:
    """What the chain wants written and passed on as soon as a person has agreed."""

    labels: Mapping[str, str] = field(default_factory=dict)
    updates: Sequence[StateUpdate] = ()
    has_data: bool = False
    data: Any = None

    def to_json(self) -> dict[str, Any]:
        """As it is stored."""
        updates = [{"key": one.key, "action": one.action, "value": one.value} for one in self.updates]
        data = {"data": self.data} if self.has_data else {}
        return {"labels": dict(self.labels), "updates": updates, **data}

    @classmethod
    def from_json(cls, stored: Json) -> "Pending":
        """What `to_json` gave."""
        return cls(
            labels=stored.get("labels", {}),
            updates=tuple(StateUpdate(**one) for one in stored.get("updates", ())),
            has_data="data" in stored,
            data=stored.get("data"),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """A policy wants a person to decide. `held_pk` names an action that another one has held before."""

    kind: HeldKind
    event: PolicyEvent
    digest: str
    ref: PolicyRef
    position: int
    reason: str
    pending: Pending
    seconds: float
    actor: str
    input: Json | None = None
    held_pk: int | None = None
    elicitation_id: str = field(default_factory=lambda: mint(ELICITATION))


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """How a held action ended: `outcome` is `{"action", "reason"}` with `data` when it was rewritten."""

    held_pk: int
    outcome: Json


def ask(tick: Tick, session: Session, question: Question) -> int:
    """Open the question and hold the action; gives the key of what is held."""
    ref = question.ref
    row = elicitations.open_question(
        tick,
        session,
        events.ElicitationRequest(elicitation_id=question.elicitation_id, params=_params(session, question)),
        kind=question.kind,
        digest=question.digest,
    )
    values: dict[str, Any] = {
        "elicitation": row,
        "position": question.position,
        "pending": question.pending.to_json(),
        "policy_id": ref.policy_id,
        "policy_name": ref.name,
        "approvers": list(ref.approvers),
        "quorum": ref.quorum,
        "votes": [],
        "expires_at": tick.now + timedelta(seconds=question.seconds),
        "claimed_until": None,
    }
    if question.held_pk is not None:
        HeldAction.objects.filter(pk=question.held_pk).update(**values)
        return question.held_pk
    held = HeldAction.objects.create(
        session=session,
        kind=question.kind,
        digest=question.digest,
        event=actions.to_json(question.event),
        actor=question.actor,
        input=question.input,
        created_at=tick.now,
        **values,
    )
    return held.pk


def _params(session: Session, question: Question) -> dict[str, Any]:
    mode = MODES[question.kind]
    address = f"/approve/{session.public_id}/{question.elicitation_id}"
    return {
        "mode": mode,
        "message": actions.plain(question.reason, actions.REASON),
        "requestedSchema": {},
        "url": address if mode == "url" else None,
        "phase": question.event.phase.value,
        "policy_name": question.ref.name,
        "content_preview": actions.preview(question.event),
        "target_session_id": None,
    }


def settle(tick: Tick, session: Session, settlement: Settlement) -> None:
    """End a held action; what somebody else has ended stays as it is."""
    open_one = HeldAction.objects.filter(pk=settlement.held_pk, outcome__isnull=True)
    if open_one.update(outcome=dict(settlement.outcome), settled_at=tick.now, claimed_until=None):
        ring(settlement.held_pk)


def of_question(session_pk: int, elicitation_id: str) -> HeldAction | None:
    """The action that waits for this question's answer."""
    found = HeldAction.objects.select_related("elicitation")
    return found.filter(elicitation__session=session_pk, elicitation__public_id=elicitation_id).first()


def of_action(session_pk: int, kind: HeldKind, digest: str, *, by: str = "") -> HeldAction | None:
    """The same action, held before and not taken yet: it waits, or a person has agreed to it.

    Whoever has taken it, by name, may ask for it again.
    """
    same = HeldAction.objects.filter(session=session_pk, kind=kind, digest=digest)
    free = Q(consumed_at__isnull=True) & (Q(outcome__isnull=True) | Q(outcome__action="allow"))
    mine = Q(input__by=by) if by else Q(pk__in=())
    return same.filter(free | mine).order_by("-id").first()


def get(held_pk: int) -> HeldAction | None:
    """The row as it is now, with its question."""
    return HeldAction.objects.select_related("elicitation").filter(pk=held_pk).first()


def claim(held_pk: int) -> HeldAction | None:
    """Take an action that something is to be done with, so that one process does it; None for no such."""
    now = timezone.now()
    free = _to_do(now).filter(pk=held_pk)
    if not HeldAction.objects.filter(pk__in=free.values("pk")).update(
        claimed_until=now + timedelta(seconds=CLAIM_SECONDS)
    ):
        return None
    return get(held_pk)


def release(held_pk: int) -> None:
    """Leave it to the next look; what was tried has not worked."""
    HeldAction.objects.filter(pk=held_pk).update(claimed_until=timezone.now() + timedelta(seconds=1))


def _to_do(now: datetime) -> "QuerySet[HeldAction]":
    """What nobody works on: an action with a closed question, or a message with its verdict."""
    free = HeldAction.objects.filter(Q(claimed_until__isnull=True) | Q(claimed_until__lt=now))
    is_closed = Q(elicitation__isnull=True) | ~Q(elicitation__status=ElicitationStatus.PENDING)
    is_unposted = Q(kind=HeldKind.MESSAGE, consumed_at__isnull=True)
    return free.filter((Q(outcome__isnull=True) & is_closed) | (Q(outcome__isnull=False) & is_unposted))


def consume(held_pk: int, *, by: str = "") -> bool:
    """Take the action that was allowed, once. The one that has taken it, by name, may come again."""
    held = HeldAction.objects.filter(pk=held_pk)
    if held.filter(consumed_at__isnull=True).update(consumed_at=timezone.now(), input={"by": by}):
        return True
    return bool(by) and held.filter(input__by=by).exists()


def due(now: datetime) -> list[int]:
    """What somebody has to go on with, because whoever should have has not."""
    return list(_to_do(now).order_by("id").values_list("pk", flat=True)[:100])


def orphaned(now: datetime) -> list[tuple[int, int]]:
    """(action, session) of calls that were approved when their runner was gone, each now and then."""
    rows = HeldAction.objects.filter(
        Q(claimed_until__isnull=True) | Q(claimed_until__lt=now),
        kind=HeldKind.TOOL,
        outcome__action="allow",
        consumed_at__isnull=True,
        settled_at__gt=now - timedelta(days=1),
        session__status=Status.FAILED,
        session__last_task_error__code__in=sorted(RUNNER_LOST),
    )
    found = list(rows.order_by("id").values_list("pk", "session_id")[:100])
    HeldAction.objects.filter(pk__in=[pk for pk, _ in found]).update(
        claimed_until=now + timedelta(seconds=CLAIM_SECONDS)
    )
    return found


def overdue(now: datetime) -> list[tuple[int, str]]:
    """(session, question) of those that nobody has answered in time."""
    rows = HeldAction.objects.filter(
        outcome__isnull=True, expires_at__lte=now, elicitation__status=ElicitationStatus.PENDING
    )
    return list(rows.order_by("id").values_list("session_id", "elicitation__public_id")[:100])


def ring(held_pk: int) -> None:
    """Tell all processes, after the commit, that there is something to do with the action."""
    transaction.on_commit(lambda: publish.ring(BELL, str(held_pk)))


def require_voter(held: HeldAction, user_id: str) -> None:
    """Raise FORBIDDEN unless the policy lets this person answer."""
    if held.approvers and user_id not in held.approvers:
        raise OmnigentError(
            ErrorCode.FORBIDDEN, f"Policy '{held.policy_name}' is to be answered by its approvers"
        )


def vote(held: HeldAction, user_id: str) -> int:
    """Count a person's agreement; gives how many are still missing. Inside the session's tick."""
    votes = [*held.votes, user_id] if user_id not in held.votes else held.votes
    HeldAction.objects.filter(pk=held.pk).update(votes=votes)
    return max(0, held.quorum - len(votes))
