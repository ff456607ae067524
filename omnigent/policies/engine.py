"""The policy chain: in order, the first DENY or ASK decides. Pure; the caller writes what a verdict says."""

import inspect
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from omnigent.policies.answers import (
    RESERVED_PREFIX,
    Answer,
    AnswerError,
    apply_updates,
    is_reserved,
    read_answer,
)
from omnigent.policies.types import (
    Action,
    Phase,
    PolicyEvent,
    PolicyRef,
    PolicyState,
    StateUpdate,
    Step,
    Verdict,
)

MAX_ERROR_TEXT = 200
GATED = frozenset({Phase.REQUEST, Phase.TOOL_CALL})
"""Phases in which the fault of any policy denies, of advisory ones too."""
_ALLOW = Verdict(action=Action.ALLOW)
_EMPTY = PolicyState()


def evaluate(
    event: PolicyEvent, refs: Sequence[PolicyRef], state: PolicyState = _EMPTY, *, start: int = 0
) -> Verdict:
    """Run a chain of ordinary (not awaitable) policies and return its verdict.

    After an accepted ASK: apply its labels, state and data, then evaluate with `start=verdict.index + 1`.
    """
    if start >= len(refs):
        return _ALLOW
    chain = Chain(event, refs, state, start=start)
    while (ref := chain.pending()) is not None:
        try:
            returned = call(ref, chain.event_for_handler())
        except (Exception, SystemExit) as error:  # noqa: BLE001 - foreign code; its failure is a verdict
            chain.fail(error)
        else:
            chain.answer(returned)
    return chain.verdict()


class Chain:
    """A chain in progress, without calling anything itself, so that a caller may await its handlers.

    Alternate `pending()` with `answer()` or `fail()` until it returns None; then `verdict()`.
    """

    def __init__(
        self, event: PolicyEvent, refs: Sequence[PolicyRef], state: PolicyState, *, start: int = 0
    ) -> None:
        self._event = event
        self._refs = refs
        self._before = state
        self._state = dict(state.session_state)
        self._position = start - 1
        self._answered = True
        self._has_data = False
        self._data = event.data
        self._labels: dict[str, str] = {}
        self._updates: list[StateUpdate] = []
        self._steps: list[Step] = []
        self._shadow_updates: list[StateUpdate] = []
        self._decided: Verdict | None = None

    def pending(self) -> PolicyRef | None:
        """The policy to ask now; None when the chain has come to its verdict."""
        if self._answered and self._decided is None:
            self._answered = False
            self._position += 1
            while self._position < len(self._refs) and not self._applies(self._refs[self._position]):
                self._position += 1
        if self._decided is not None or self._position >= len(self._refs):
            return None
        return self._refs[self._position]

    def event_for_handler(self) -> dict[str, Any]:
        """The event as handlers see it: a copy, with the data as earlier policies rewrote it."""
        event = self._event
        shown: dict[str, Any] = {
            "type": event.phase.value,
            "target": event.target,
            "data": self._data,
            "context": {**event.context, "labels": dict(self._before.labels)},
            "session_state": self._state_for(self._refs[self._position]),
        }
        if event.request_data is not None:
            shown["request_data"] = event.request_data
        copied: dict[str, Any] = deepcopy(shown)
        copied["llm_client"] = None
        return copied

    def answer(self, returned: object, *, micros: int = 0) -> None:
        """Take what the pending policy returned; a malformed answer denies."""
        ref = self._refs[self._position]
        if inspect.iscoroutine(returned):
            returned.close()
        try:
            answer = read_answer(returned)
            _check_reserved(ref, answer)
            state = apply_updates(self._state_for(ref) if ref.shadow else self._state, answer.state_updates)
        except AnswerError as error:
            self.fail(error, micros=micros)
            return
        self._answered = True
        self._steps.append(Step(ref=ref, action=answer.action, reason=answer.reason, micros=micros))
        if ref.shadow:
            self._remember_shadow(ref, answer)
            return
        self._state = state
        self._updates += answer.state_updates
        allowed = ref.set_labels
        self._labels |= {k: v for k, v in answer.set_labels.items() if allowed is None or k in allowed}
        if answer.has_data and answer.action is not Action.DENY:
            self._has_data, self._data = True, answer.data
        if answer.action is not Action.ALLOW:
            self._decide(ref, answer)

    def fail(self, error: BaseException, *, micros: int = 0) -> None:
        """The pending policy raised: the chain ends in DENY naming it, and its labels are dropped.

        An advisory one abstains where nothing is about to be done.
        """
        ref = self._refs[self._position]
        text = str(error) if isinstance(error, AnswerError) else f"{type(error).__name__}: {error}"
        reason = f"policy {ref.name!r} failed: {text[:MAX_ERROR_TEXT]}"
        abstains = ref.advisory and self._event.phase not in GATED
        action = Action.ALLOW if abstains else Action.DENY
        self._answered = True
        self._steps.append(Step(ref=ref, action=action, reason=reason, failed=True, micros=micros))
        if not (abstains or ref.shadow):
            self._decide(ref, Answer(action=Action.DENY, reason=reason))

    def verdict(self) -> Verdict:
        """The outcome; ALLOW with everything the policies want written when none of them objected."""
        return self._decided or self._outcome(Action.ALLOW)

    def _state_for(self, ref: PolicyRef) -> dict[str, Any]:
        """The state as a handler sees it; a shadow policy has its own, so that it counts without effect."""
        state = dict(self._before.session_state)
        return {**state, **state.get(shadow_key(ref), {})} if ref.shadow else state

    def _remember_shadow(self, ref: PolicyRef, answer: Answer) -> None:
        """What it wants remembered is remembered for it alone, as if every question had been agreed to."""
        if answer.state_updates and answer.action is not Action.DENY:
            touched = {update.key for update in answer.state_updates}
            after = apply_updates(self._state_for(ref), answer.state_updates)
            known = {
                **self._before.session_state.get(shadow_key(ref), {}),
                **{k: after.get(k) for k in touched},
            }
            self._shadow_updates.append(StateUpdate(key=shadow_key(ref), action="set", value=known))

    def _applies(self, ref: PolicyRef) -> bool:
        return ref.enabled and _matches(ref.condition, self._before.labels)

    def _decide(self, ref: PolicyRef, answer: Answer) -> None:
        if answer.action is Action.ASK:
            reason = f"{ref.name}: {answer.reason or 'approval required'}"
        else:
            reason = answer.reason or f"denied by policy {ref.name!r}"
        self._decided = self._outcome(answer.action, ref=ref, reason=reason)

    def _outcome(self, action: Action, *, ref: PolicyRef | None = None, reason: str | None = None) -> Verdict:
        keeps_data = self._has_data and action is not Action.DENY
        return Verdict(
            action=action,
            reason=reason,
            policy=ref.name if ref else None,
            index=self._position if ref else None,
            has_data=keeps_data,
            data=self._data if keeps_data else None,
            set_labels=dict(self._labels),
            state_updates=tuple(self._updates),
            ask_timeout=ref.ask_timeout if ref and action is Action.ASK else None,
            steps=tuple(self._steps),
            shadow_updates=tuple(self._shadow_updates),
        )


def shadow_key(ref: PolicyRef) -> str:
    """Under what a shadow policy's own state is kept; no policy may write it itself."""
    return f"{RESERVED_PREFIX}shadow:{ref.policy_id or ref.name}"


def call(ref: PolicyRef, event: dict[str, Any]) -> object:
    """What a policy's handler returns for an event; whatever it raises goes through."""
    return ref.handler(event, dict(ref.config)) if ref.takes_config else ref.handler(event)


def _matches(condition: Mapping[str, Sequence[str]], labels: Mapping[str, str]) -> bool:
    return all(key in labels and labels[key] in values for key, values in condition.items())


def _check_reserved(ref: PolicyRef, answer: Answer) -> None:
    """Approvals are recorded only by an ASK that a person then accepts."""
    for update in answer.state_updates:
        if is_reserved(update.key) and answer.action is not Action.ASK and update.key not in ref.counters:
            raise AnswerError(f"may not write the reserved state {update.key!r}")
