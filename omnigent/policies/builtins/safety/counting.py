"""Limits over a whole session: how many tools are called, and whether one is called in circles."""

import hashlib
import json
from typing import Any

from omnigent.policies.builtins.parameters import whole_number
from omnigent.policies.calls import (
    Answer,
    Call,
    Event,
    Handler,
    allow,
    ask,
    call_of,
    deny,
    set_state,
    state_of,
)

COUNT_KEY = "_policy_tool_call_count"
HASHES_KEY = "_policy_loop_recent_hashes"


def max_tool_calls_per_session(*, limit: int = 100) -> Handler:
    """Deny every tool call after the first `limit` of a session. Denied calls are not counted."""
    most = whole_number("limit", limit, 0)

    def count(event: Event) -> Answer | None:
        if call_of(event) is None:
            return None
        made = whole_number(COUNT_KEY, state_of(event).get(COUNT_KEY, 0), 0)
        if made >= most:
            return deny(f"this session has reached its limit of {most} tool calls")
        # Set, not incremented: several of these policies in one chain count a call once.
        return allow(state_updates=[set_state(COUNT_KEY, made + 1)])

    return count


def detect_loop(*, window: int = 10, threshold: int = 3) -> Handler:
    """Ask when the same call occurs `threshold` times among the last `window` calls, this one included."""
    kept = whole_number("window", window, 1)
    repeats = whole_number("threshold", threshold, 1)

    def watch(event: Event) -> Answer | None:
        call = call_of(event)
        if call is None:
            return None
        earlier = state_of(event).get(HASHES_KEY) or []
        if not isinstance(earlier, list):
            raise ValueError(f"state {HASHES_KEY} is not a list")
        digest = _digest(call)
        recent = [*earlier, digest][-kept:]
        seen = recent.count(digest)
        remember = [set_state(HASHES_KEY, recent)]
        if seen < repeats:
            return allow(state_updates=remember)
        reason = (
            f"{call.name} was called {seen} times with the same arguments in the last {len(recent)} calls"
        )
        return ask(reason, state_updates=remember)

    return watch


def _digest(call: Call) -> str:
    shown = {"tool": call.name, "args": call.arguments}
    text = json.dumps(shown, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()


MAX_TOOL_CALLS_ENTRY: dict[str, Any] = {
    "handler": "omnigent.policies.builtins.safety.max_tool_calls_per_session",
    "kind": "factory",
    "name": "Max tool calls per session",
    "description": "Deny tool calls once a session has made the configured number of them.",
    "params_schema": {
        "type": "object",
        "properties": {
            "limit": {
                "type": "integer",
                "minimum": 0,
                "default": 100,
                "description": "How many tool calls a session may make.",
            }
        },
        "required": ["limit"],
        "additionalProperties": False,
    },
    "counters": [COUNT_KEY],
}
DETECT_LOOP_ENTRY: dict[str, Any] = {
    "handler": "omnigent.policies.builtins.safety.detect_loop",
    "kind": "factory",
    "name": "Detect loop",
    "description": "Ask for approval when the agent repeats the same tool call with the same arguments.",
    "params_schema": {
        "type": "object",
        "properties": {
            "window": {
                "type": "integer",
                "minimum": 1,
                "default": 10,
                "description": "How many of the latest tool calls are compared.",
            },
            "threshold": {
                "type": "integer",
                "minimum": 1,
                "default": 3,
                "description": "How often a call must occur among them, the present one included, to ask.",
            },
        },
        "additionalProperties": False,
    },
    "counters": [HASHES_KEY],
}
