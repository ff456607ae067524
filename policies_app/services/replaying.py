"""A draft on its way through recorded decisions: what it remembers of each session, and what it has said."""

from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson

from omnigent.policies.answers import AnswerError, apply_updates
from omnigent.policies.types import Action, Phase, PolicyEvent, PolicyState, Verdict
from policies_app.services.differences import UNCHANGED, difference, no_differences
from policies_app.services.inputs import CUT, MASK

MAX_CARRIED = 32 * 1024 * 1024
"""Bytes of what the draft remembers of all sessions; those heard of least lately are forgotten first."""
MAX_EXAMPLES = 20
MAX_REASON = 2000
PER_SESSION = 512
PER_QUESTION = 128


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """A row of the decision log; `steps` and `input` as JSON text."""

    seq: int
    decision_id: str
    session_id: str
    created_at: datetime
    phase: str
    target: str
    verdict: str
    reason: str
    policy_id: str
    steps: str
    input: str | None
    input_digest: str
    elicitation_id: str


@dataclass(slots=True)
class Carried:
    """What is known of one session: the draft's state and labels, and questions that were not settled yet."""

    state: PolicyState = field(default_factory=PolicyState)
    questions: set[str] = field(default_factory=set)
    size: int = PER_SESSION


class Replay:
    """Feed it the rows in their order: `event_of` each, and if there is one, `take` what the draft says."""

    def __init__(self, replaces: str | None = None, *, max_carried: int = MAX_CARRIED) -> None:
        self._replaces = replaces
        self._max_carried = max_carried
        self._sessions: OrderedDict[str, Carried] = OrderedDict()
        self._carried = 0
        self.seen = self.evaluated = self.skipped = self.continued = self.redacted = self.failed = 0
        self.forgotten = 0
        self.until: datetime | None = None
        self.counts = no_differences()
        self.examples: dict[str, list[dict[str, Any]]] = {
            kind: [] for kind in self.counts if kind != UNCHANGED
        }

    def event_of(self, row: Recorded) -> tuple[PolicyEvent, PolicyState] | None:
        """What the draft is to be asked; None for a row without an input, and for one that goes on with an
        action that was asked about before.
        """
        self.seen += 1
        self.until = row.created_at
        known = self._known(row.session_id)
        if self._goes_on(row, known):
            self.continued += 1
            return None
        event = _event(row)
        if event is None:
            self.skipped += 1
            return None
        return event, known.state

    def take(self, row: Recorded, verdict: Verdict) -> None:
        """Count what the draft said. An ASK is taken as agreed to, and what it wants to remember is kept."""
        self.evaluated += 1
        if row.input is not None and (MASK in row.input or CUT in row.input):
            self.redacted += 1
        is_failed = any(step.failed for step in verdict.steps)
        is_failed = not self._remember(row.session_id, verdict) or is_failed
        self.failed += is_failed
        after = self._after(row, verdict.action)
        kind = difference(row.verdict, after)
        self.counts[kind] += 1
        if kind != UNCHANGED and len(self.examples[kind]) < MAX_EXAMPLES:
            self.examples[kind].append(_example(row, after, verdict))

    def _known(self, session_id: str) -> Carried:
        known = self._sessions.get(session_id)
        if known is None:
            known = self._sessions[session_id] = Carried()
            self._carried += known.size
        self._sessions.move_to_end(session_id)
        while self._carried > self._max_carried and len(self._sessions) > 1:
            _, oldest = self._sessions.popitem(last=False)
            self._carried -= oldest.size
            self.forgotten += 1
        return known

    def _goes_on(self, row: Recorded, known: Carried) -> bool:
        """Whether the row is about an action that an earlier one held for a person."""
        before = len(known.questions)
        is_next = bool(row.elicitation_id) and row.input_digest in known.questions
        if row.verdict == Action.ASK:
            known.questions.add(row.input_digest)
        elif is_next:
            known.questions.discard(row.input_digest)
        grown = PER_QUESTION * (len(known.questions) - before)
        known.size += grown
        self._carried += grown
        return is_next

    def _remember(self, session_id: str, verdict: Verdict) -> bool:
        """Whether what the draft wants to remember could be."""
        if not (verdict.state_updates or verdict.set_labels):
            return True
        known = self._sessions[session_id]
        try:
            state = PolicyState(
                session_state=apply_updates(known.state.session_state, verdict.state_updates),
                labels={**known.state.labels, **verdict.set_labels},
            )
            kept = (dict(state.session_state), dict(state.labels))
            size = len(orjson.dumps(kept, option=orjson.OPT_NON_STR_KEYS))
        except (AnswerError, TypeError):
            return False
        size += PER_SESSION + PER_QUESTION * len(known.questions)
        self._carried += size - known.size
        known.state, known.size = state, size
        return True

    def _after(self, row: Recorded, said: Action) -> str:
        """What would have been decided; those after the replaced policy, if they were not asked, allow."""
        if self._replaces is None:
            return said.value
        steps = orjson.loads(row.steps)
        if not any(step.get("id") == self._replaces for step in steps):
            return row.verdict
        if said is not Action.ALLOW or row.policy_id == self._replaces:
            return said.value
        return row.verdict


def _event(row: Recorded) -> PolicyEvent | None:
    kept = None if row.input is None else orjson.loads(row.input)
    if not isinstance(kept, dict) or "data" not in kept:
        return None
    context, request_data = kept.get("context"), kept.get("request_data")
    return PolicyEvent(
        phase=Phase(row.phase),
        data=kept["data"],
        target=row.target or None,
        context=context if isinstance(context, dict) else {},
        request_data=request_data if isinstance(request_data, dict) else None,
    )


def _example(row: Recorded, after: str, verdict: Verdict) -> dict[str, Any]:
    reason = verdict.reason[:MAX_REASON] if verdict.reason else None
    return {
        "decision_id": row.decision_id,
        "session_id": row.session_id or None,
        "created_at": row.created_at.timestamp(),
        "phase": row.phase,
        "target": row.target or None,
        "before": {"verdict": row.verdict, "reason": row.reason[:MAX_REASON] or None},
        "after": {"verdict": after, "reason": reason},
    }
