"""Notices an agent that fails again and again, before it spends a day on it."""

import json
import re
from typing import Any

from omnigent.policies.builtins.parameters import whole_number
from omnigent.policies.calls import Answer, Event, Handler, allow, phase_of, set_state, state_of, verdict
from omnigent.policies.types import Phase

STATE_KEY = "_thrashing_results"
LOOKED_AT = 500
_ACTIONS = ("ASK", "DENY")
_ERROR_STARTS = (
    *("error:", "error -", "failed:", "traceback", "exception:", "fatal:", "command failed"),
    *("permission denied", "no such file or directory", "enoent:", "eacces:", "eperm:"),
)
# Many tools answer `"error": null` when all is well.
_ERROR_OBJECT = re.compile(r'\{.*?"error"\s*:(?!\s*(?:null|false|""))', re.DOTALL)

DETECT_THRASHING: dict[str, Any] = {
    "handler": "omnigent.policies.builtins.context.detect_thrashing",
    "kind": "factory",
    "description": "Asks or denies when an agent's tools fail several times in a row, or most of the time.",
    "params_schema": {
        "type": "object",
        "properties": {
            "consecutive_threshold": {
                "type": "integer",
                "minimum": 0,
                "default": 5,
                "description": "Failures in a row that count as thrashing; 0 turns this check off.",
            },
            "window": {
                "type": "integer",
                "minimum": 1,
                "default": 10,
                "description": "How many of the last results the rate of failures is taken over.",
            },
            "window_error_rate": {
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "default": 0.8,
                "description": "Share of failures in a full window that counts as thrashing; 0 turns it off.",
            },
            "action": {
                "type": "string",
                "enum": list(_ACTIONS),
                "default": "ASK",
                "description": "What happens when the agent is thrashing.",
            },
        },
        "additionalProperties": False,
    },
}


def detect_thrashing(
    consecutive_threshold: int = 5, window: int = 10, window_error_rate: float = 0.8, action: str = "ASK"
) -> Handler:
    """Remember whether each tool result was a failure and act on too many of them."""
    whole_number("consecutive_threshold", consecutive_threshold, 0)
    whole_number("window", window, 1)
    if isinstance(window_error_rate, bool) or not isinstance(window_error_rate, int | float):
        raise ValueError("window_error_rate must be a number")
    if not 0 <= window_error_rate <= 1:
        raise ValueError("window_error_rate must be between 0 and 1")
    if not isinstance(action, str) or action.upper() not in _ACTIONS:
        raise ValueError("action must be ASK or DENY")
    kept = max(window, consecutive_threshold)

    def decide(event: Event) -> Answer | None:
        if phase_of(event) != Phase.TOOL_RESULT:
            return None
        stored = state_of(event).get(STATE_KEY)
        before = [int(bool(item)) for item in stored] if isinstance(stored, list) else []
        results = [*before, int(_is_failure(event))][-kept:]
        updates = [set_state(STATE_KEY, results)]
        reason = _in_a_row(results, consecutive_threshold) or _too_often(results[-window:], window)
        return verdict(action, reason, state_updates=updates) if reason else allow(state_updates=updates)

    def _too_often(recent: list[int], size: int) -> str | None:
        failed = sum(recent)
        if not window_error_rate or len(recent) < size or failed / size < window_error_rate:
            return None
        return f"{failed} of the last {size} tool results were errors."

    return decide


def _in_a_row(results: list[int], threshold: int) -> str | None:
    if not threshold or len(results) < threshold or not all(results[-threshold:]):
        return None
    return f"The last {threshold} tool results were all errors."


def _is_failure(event: Event) -> bool:
    data = event.get("data")
    result = data.get("result") if isinstance(data, dict) else data
    text = result if isinstance(result, str) else json.dumps(result, default=str)
    start = text.lstrip()[:LOOKED_AT].lower()
    return start.startswith(_ERROR_STARTS) or _ERROR_OBJECT.match(start) is not None
