"""A score that grows with what a session calls and reads; past a threshold, guarded tools are held."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from omnigent.policies.answers import is_reserved
from omnigent.policies.builtins.parameters import whole_number
from omnigent.policies.calls import (
    Answer,
    Event,
    Handler,
    allow,
    call_of,
    context_of,
    phase_of,
    state_of,
    verdict,
)
from omnigent.policies.types import Phase

LABEL_KEYS = ("label_classification", "classification", "sensitivity", "sensitivity_label", "dlp_label")
MAX_DEPTH = 20
_ACTIONS = ("ASK", "DENY")


def _points(description: str) -> dict[str, Any]:
    """The schema of a table of points; `Any` because it is JSON."""
    return {
        "type": "object",
        "additionalProperties": {"type": "integer", "minimum": 0},
        "default": {},
        "description": description,
    }


POLICY_REGISTRY: list[dict[str, Any]] = [
    {
        "handler": "omnigent.policies.builtins.risk_score.risk_score_policy",
        "kind": "factory",
        "name": "Risk Score",
        "description": "Adds points for tools that are called and for sensitive labels that are read; "
        "from the threshold on, guarded tools ask or are denied.",
        "params_schema": {
            "type": "object",
            "properties": {
                "threshold": {
                    "type": "integer",
                    "minimum": 0,
                    "default": 50,
                    "description": "The score from which guarded tools are held.",
                },
                "tool_points": _points("Points for each call of a tool; a name also matches behind '__'."),
                "sensitive_labels": _points(
                    "Points for a label found in a tool's result; the highest counts."
                ),
                "guarded_tools": {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1},
                    "default": [],
                    "description": "Tools held from the threshold on; a name also matches behind '__'.",
                },
                "escalate_action": {
                    "type": "string",
                    "enum": list(_ACTIONS),
                    "default": "ASK",
                    "description": "What happens to a guarded tool from the threshold on.",
                },
                "initial_scores_by_actor": _points(
                    "The score a session starts with, by the user it acts for."
                ),
                "state_key": {
                    "type": "string",
                    "minLength": 1,
                    "default": "risk_score",
                    "description": "The key of the session state that keeps the score.",
                },
                "label_keys": {
                    "type": "array",
                    "items": {"type": "string", "minLength": 1},
                    "minItems": 1,
                    "default": list(LABEL_KEYS),
                    "description": "Keys in a tool's result whose values are labels.",
                },
                "reason": {
                    "type": "string",
                    "default": "",
                    "description": "Words put in front of the reason.",
                },
            },
            "additionalProperties": False,
        },
    }
]


def risk_score_policy(  # noqa: PLR0913 - the parameters an operator may write, one to one
    threshold: int = 50,
    tool_points: Mapping[str, int] | None = None,
    sensitive_labels: Mapping[str, int] | None = None,
    guarded_tools: list[str] | None = None,
    escalate_action: str = "ASK",
    initial_scores_by_actor: Mapping[str, int] | None = None,
    state_key: str = "risk_score",
    label_keys: list[str] | None = None,
    reason: str = "",
) -> Handler:
    """Hold guarded tools once the score, which never sinks, has reached the threshold."""
    whole_number("threshold", threshold, 0)
    by_tool = _checked_points("tool_points", tool_points)
    by_label = {k.casefold(): v for k, v in _checked_points("sensitive_labels", sensitive_labels).items()}
    by_actor = _checked_points("initial_scores_by_actor", initial_scores_by_actor)
    guarded = _checked_names("guarded_tools", guarded_tools or [])
    keys = _checked_names("label_keys", LABEL_KEYS if label_keys is None else label_keys)
    action = escalate_action.upper() if isinstance(escalate_action, str) else ""
    if action not in _ACTIONS:
        raise ValueError("escalate_action must be ASK or DENY")
    if not isinstance(state_key, str) or not state_key or is_reserved(state_key):
        raise ValueError("state_key must be a name that is not reserved")
    if not isinstance(reason, str):
        raise ValueError("reason must be text")
    prefix = f"{reason.strip()} " if reason.strip() else ""
    label_names = frozenset(key.casefold() for key in keys)

    def decide(event: Event) -> Answer | None:
        if phase_of(event) == Phase.TOOL_RESULT:
            found = (by_label.get(label, 0) for label in _labels(_result(event), label_names))
            return _grown(state_key, max(found, default=0))
        call = call_of(event)
        if call is None:
            return None
        score = _score(event, state_key, by_actor)
        if score >= threshold and any(_is_tool(call.name, tool) for tool in guarded):
            return verdict(
                action, f"{prefix}Risk score {score} has reached {threshold}: {call.name} is held."
            )
        return _grown(state_key, sum(p for tool, p in by_tool.items() if _is_tool(call.name, tool)))

    return decide


def _grown(state_key: str, points: int) -> Answer | None:
    if not points:
        return None
    return allow(state_updates=[{"key": state_key, "action": "increment", "value": points}])


def _is_tool(called: str, tool: str) -> bool:
    return called == tool or called.endswith(f"__{tool}")


def _score(event: Event, state_key: str, by_actor: Mapping[str, int]) -> int | float:
    stored = state_of(event).get(state_key, 0)
    if isinstance(stored, bool) or not isinstance(stored, int | float):
        raise ValueError(f"the state {state_key!r} is no score")
    actor = context_of(event).get("actor")
    run_as = actor.get("run_as") if isinstance(actor, Mapping) else None
    return stored + (by_actor.get(run_as, 0) if isinstance(run_as, str) else 0)


def _result(event: Event) -> object:
    data = event.get("data")
    return data.get("result") if isinstance(data, Mapping) else data


def _labels(value: object, keys: frozenset[str]) -> Iterator[str]:
    """Every text below one of the keys, in lower case.

    Tools often wrap their JSON as text inside JSON, so text is opened at every level; each level counts.
    """
    pending: list[tuple[object, int, bool]] = [(value, 0, False)]
    while pending:
        item, depth, is_label = pending.pop()
        if isinstance(item, str):
            if is_label:
                yield item.strip().casefold()
            item = _parsed(item)
        if depth >= MAX_DEPTH:
            continue
        if isinstance(item, Mapping):
            for key, below in item.items():
                pending.append((below, depth + 1, is_label or str(key).casefold() in keys))
        elif isinstance(item, list | tuple):
            pending.extend((below, depth + 1, is_label) for below in item)


def _parsed(text: str) -> object:
    if not text.lstrip().startswith(("{", "[", '"')):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _checked_points(parameter: str, value: Mapping[str, int] | None) -> dict[str, int]:
    if value is None:
        return {}
    if not isinstance(value, Mapping) or not all(isinstance(key, str) and key for key in value):
        raise ValueError(f"{parameter} must be an object of names with points")
    for key, points in value.items():
        whole_number(f"{parameter}.{key}", points, 0)
    return dict(value)


def _checked_names(parameter: str, value: Any) -> tuple[str, ...]:
    """Checked names; `Any` because it is what an operator wrote."""
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) and name for name in value):
        raise ValueError(f"{parameter} must be a list of names")
    return tuple(value)
