"""What every budget has in common: its limit, its thresholds, the models that the limit stops."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from omnigent.policies.calls import Answer, Event, allow, ask, context_of, deny, phase_of, set_state, state_of
from omnigent.policies.types import Phase

UNPRICED_APPROVED = "_policy_cost_unpriced_approved"
_TOKENS = ("total_tokens", "input_tokens", "output_tokens")

PROPERTIES: dict[str, Any] = {
    "max_cost_usd": {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "The limit in US dollars; at or over it the next request and tool call are denied.",
    },
    "ask_thresholds_usd": {
        "type": "array",
        "items": {"type": "number", "exclusiveMinimum": 0},
        "description": "Amounts in US dollars, below the limit, at which a person is asked once each.",
    },
    "expensive_models": {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "default": [],
        "description": "Parts of the names of models that the limit stops, in any case; empty stops all.",
    },
}
EITHER = [{"required": ["max_cost_usd"]}, {"required": ["ask_thresholds_usd"]}]


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Checked parameters of a budget; amounts in US dollars, thresholds ascending."""

    maximum: float | None
    thresholds: tuple[float, ...]
    expensive_models: tuple[str, ...]

    def stops(self, model: object) -> bool:
        """Whether the limit stops this model. One whose name is unknown may be an expensive one."""
        if not self.expensive_models or not isinstance(model, str):
            return True
        return any(token in model.lower() for token in self.expensive_models)

    def crossed(self, spent: float) -> float | None:
        """The highest threshold that the spend has reached."""
        return max((amount for amount in self.thresholds if spent >= amount), default=None)


def limits(
    maximum: float | None, thresholds: Sequence[float] | None, expensive_models: Sequence[str] | None
) -> Limits:
    """Raise ValueError in words when the parameters make no budget."""
    if maximum is None and not thresholds:
        raise ValueError("a budget requires max_cost_usd or ask_thresholds_usd")
    ceiling = math.inf if maximum is None else _positive("max_cost_usd", maximum)
    amounts = sorted(_positive("ask_thresholds_usd", amount) for amount in thresholds or ())
    if amounts and amounts[-1] >= ceiling:
        raise ValueError("each of ask_thresholds_usd must be below max_cost_usd")
    tokens = list(expensive_models or ())
    if isinstance(expensive_models, str) or not all(isinstance(token, str) and token for token in tokens):
        raise ValueError("expensive_models must be a list of parts of model names")
    return Limits(
        maximum=None if maximum is None else ceiling,
        thresholds=tuple(amounts),
        expensive_models=tuple(token.lower() for token in tokens),
    )


def is_gated(event: Event) -> bool:
    """Budgets stop the next request and the next tool call; what already ran is spent."""
    return phase_of(event) in (Phase.REQUEST, Phase.TOOL_CALL)


def amount(record: Mapping[str, Any], key: str) -> float:
    """Dollars or tokens in a record, 0 when absent; ValueError for what is no amount."""
    value = record.get(key)
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key} is not an amount")
    return float(value)


def unpriced(event: Event, usage: Mapping[str, Any]) -> Answer | None:
    """Ask once when tokens were used whose price is not known, so that no budget can count them."""
    if usage.get("total_cost_usd") is not None or not any(amount(usage, key) > 0 for key in _TOKENS):
        return None
    if state_of(event).get(UNPRICED_APPROVED) is True:
        return None
    model = context_of(event).get("model")
    named = f" of the model {model}" if isinstance(model, str) else ""
    return ask(
        f"The price{named} is not known, so its cost does not count toward the budget. Continue?",
        state_updates=[set_state(UNPRICED_APPROVED, value=True)],
    )


def spending(
    event: Event, budget: Limits, *, whose: str, spent: float, approved: float, approval_key: str
) -> Answer | None:
    """The hard limit, then the thresholds above what a person approved already."""
    if budget.maximum is not None and spent >= budget.maximum:
        return _over(event, budget, whose, spent)
    crossed = budget.crossed(spent)
    if crossed is None or crossed <= approved:
        return None
    limit = "" if budget.maximum is None else f" of a limit of {usd(budget.maximum)}"
    return ask(
        f"{whose} has spent {usd(spent)}{limit} and passed the threshold of {usd(crossed)}. Continue?",
        state_updates=[set_state(approval_key, crossed)],
    )


def usd(dollars: float) -> str:
    """Dollars for a person: cents, or more digits for less than a cent."""
    return f"${dollars:.2f}" if dollars >= 0.01 or dollars == 0 else f"${dollars:.6f}"


def _over(event: Event, budget: Limits, whose: str, spent: float) -> Answer:
    context = context_of(event)
    if not budget.stops(context.get("model")):
        return allow()
    words = [f"{whose} has spent {usd(spent)} of the limit of {usd(budget.maximum or 0)}."]
    if not budget.expensive_models:
        words.append("All models are blocked.")
    elif "codex" in str(context.get("harness") or "").lower():
        words.append("To continue, switch to a cheaper model with /model in the terminal.")
    else:
        words.append("To continue, switch to a cheaper model.")
    if phase_of(event) == Phase.TOOL_CALL:
        words.append("Tell the user this and wait for an answer; do not try the call again.")
    return deny(" ".join(words))


def _positive(name: str, value: object) -> float:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or value <= 0
    ):
        raise ValueError(f"{name} must be above 0")
    return float(value)
