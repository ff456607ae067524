"""What a handler returned -> a checked answer. Anything unclear is an error, and errors deny."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from omnigent.policies.types import OPERATIONS, Action, StateUpdate

RESERVED_PREFIX = "_policy_"
RESERVED_KEYS = frozenset({"subagent_cost_ask_approved_usd", "subagent_cost_over_budget_approved_usd"})


class AnswerError(ValueError):
    """A handler returned something that is no answer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One policy's own opinion, before it is composed with the others."""

    action: Action = Action.ALLOW
    reason: str | None = None
    has_data: bool = False
    data: Any = None
    set_labels: Mapping[str, str] = field(default_factory=dict)
    state_updates: tuple[StateUpdate, ...] = ()


ABSTAIN = Answer()


def read_answer(returned: object) -> Answer:
    """Accept None, a mapping with `result`, or an object with `action`; raise AnswerError for the rest."""
    if returned is None:
        return ABSTAIN
    if isinstance(returned, Mapping):
        fields = dict(returned)
        verdict = fields.get("result")
    elif hasattr(returned, "action"):
        names = ("reason", "data", "set_labels", "state_updates")
        fields = {name: value for name in names if (value := getattr(returned, name, None)) is not None}
        verdict = returned.action
    else:
        raise AnswerError(f"returned {type(returned).__name__}, not an answer")
    action = Action.parse(verdict)
    if action is None:
        raise AnswerError("returned no result" if verdict is None else f"returned unknown result {verdict!r}")
    reason = fields.get("reason")
    return Answer(
        action=action,
        reason=None if reason is None else str(reason),
        has_data=fields.get("data") is not None,
        data=_data(fields.get("data")),
        set_labels=_labels(fields.get("set_labels")),
        state_updates=_updates(fields.get("state_updates")),
    )


def is_reserved(key: str) -> bool:
    """Whether a state key records a person's approval, which no policy may write without one."""
    return key.startswith(RESERVED_PREFIX) or key in RESERVED_KEYS


def apply_updates(state: Mapping[str, Any], updates: tuple[StateUpdate, ...]) -> dict[str, Any]:
    """The state after the updates, as a new dict; AnswerError when one does not fit the stored value."""
    after = dict(state)
    for update in updates:
        stored = after.get(update.key)
        if update.action == "set":
            after[update.key] = update.value
        elif update.action == "delete":
            after.pop(update.key, None)
        elif update.action == "append":
            if stored is not None and not isinstance(stored, list):
                raise AnswerError(f"cannot append to state {update.key!r}, which is not a list")
            after[update.key] = [*(stored or []), update.value]
        else:
            after[update.key] = _incremented(update, stored)
    return after


def _incremented(update: StateUpdate, stored: object) -> int | float:
    amount = 1 if update.value is None else update.value
    base = 0 if stored is None else stored
    for number in (amount, base):
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise AnswerError(f"cannot increment state {update.key!r}: not a number")
    total: int | float = base + amount  # type: ignore[operator]  # both were checked above
    return total


def _data(value: Any) -> Any:
    try:
        orjson.dumps(value)
    except TypeError as error:
        raise AnswerError(f"returned data that is no JSON: {error}") from None
    return value


def _labels(value: object) -> dict[str, str]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise AnswerError("set_labels must be a mapping")
    return {str(key): item if isinstance(item, str) else str(item) for key, item in value.items()}


def _updates(value: object) -> tuple[StateUpdate, ...]:
    if value is None:
        return ()
    if isinstance(value, Mapping):
        return tuple(StateUpdate(key=str(key), action="set", value=item) for key, item in value.items())
    if not isinstance(value, list | tuple):
        raise AnswerError("state_updates must be a list")
    return tuple(_update(row) for row in value)


def _update(row: object) -> StateUpdate:
    if not isinstance(row, Mapping) or not isinstance(row.get("key"), str):
        raise AnswerError("a state update needs a key")
    action = next((known for known in OPERATIONS if known == row.get("action")), None)
    if action is None:
        raise AnswerError(f"unknown state action {row.get('action')!r}")
    return StateUpdate(key=row["key"], action=action, value=row.get("value"))
