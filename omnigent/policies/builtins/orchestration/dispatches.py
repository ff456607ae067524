"""How an agent hands work to sub-agents: how often in a turn, and only with a stated purpose."""

from collections.abc import Mapping, Sequence
from typing import Any

from omnigent.policies.calls import (
    Answer,
    Event,
    Handler,
    allow,
    call_of,
    deny,
    phase_of,
    set_state,
    state_of,
)
from omnigent.policies.types import Phase

COUNTER = "_policy_spawn_bounds_dispatches"
DISPATCH_TOOL = "sys_session_send"
PURPOSES = ("implement", "review", "explore", "search")
_PURPOSE_REASON = "A sub-agent needs args.purpose, one of: {purposes}."

SPAWN_BOUNDS = {
    "handler": "omnigent.policies.builtins.orchestration.spawn_bounds",
    "aliases": ["omnigent.inner.nessie.policies.spawn_bounds"],
    "kind": "factory",
    "description": "Limits how many sub-agents an agent may set to work between two messages of a person.",
    "counters": [COUNTER],
    "params_schema": {
        "type": "object",
        "properties": {
            "max_dispatches_per_turn": {
                "type": "integer",
                "minimum": 0,
                "default": 5,
                "description": "Dispatches allowed in one turn; the next one is denied.",
            },
            "dispatch_tools": {
                "type": "array",
                "items": {"type": "string", "minLength": 1},
                "minItems": 1,
                "default": [DISPATCH_TOOL],
                "description": "Names of the tools that count as a dispatch, also behind an MCP prefix.",
            },
        },
        "additionalProperties": False,
    },
}
PURPOSE_GUARD = {
    "handler": "omnigent.policies.builtins.orchestration.headless_subagent_purpose_guard",
    "aliases": ["omnigent.inner.nessie.policies.headless_subagent_purpose_guard"],
    "kind": "factory",
    "name": "Sub-agent Purpose Guard",
    "description": f"Denies {DISPATCH_TOOL} unless its args name one of the allowed purposes.",
    "params_schema": {
        "type": "object",
        "properties": {
            "allowed_purposes": {
                "type": "array",
                "items": {"type": "string", "minLength": 1},
                "minItems": 1,
                "default": list(PURPOSES),
                "description": "Values that args.purpose may have, letter for letter.",
            },
            "deny_reason": {
                "type": ["string", "null"],
                "default": None,
                "description": "What the agent is told instead of the usual reason.",
            },
        },
        "additionalProperties": False,
    },
}


def spawn_bounds(
    max_dispatches_per_turn: int = 5, dispatch_tools: Sequence[str] = (DISPATCH_TOOL,)
) -> Handler:
    """Count dispatches since the last message of a person and deny those above the limit.

    The counter is written as the count seen plus one, so that several instances in one chain agree on it.
    """
    if isinstance(max_dispatches_per_turn, bool) or not isinstance(max_dispatches_per_turn, int):
        raise ValueError("max_dispatches_per_turn must be an integer")
    if max_dispatches_per_turn < 0:
        raise ValueError("max_dispatches_per_turn must be at least 0")
    tools = _names("dispatch_tools", dispatch_tools)

    def decide(event: Event) -> Answer | None:
        if phase_of(event) == Phase.REQUEST:
            return allow(state_updates=[set_state(COUNTER, 0)])
        call = call_of(event)
        if call is None or not any(_is_tool(call.name, tool) for tool in tools):
            return None
        count = _counted(state_of(event).get(COUNTER)) + 1
        updates = [set_state(COUNTER, count)]
        if count <= max_dispatches_per_turn:
            return allow(state_updates=updates)
        reason = (
            f"Dispatch {count} of this turn, {max_dispatches_per_turn} are allowed. "
            "Work in waves: wait for the sub-agents that run, then dispatch the rest in the next turn."
        )
        return deny(reason, state_updates=updates)

    return decide


def headless_subagent_purpose_guard(
    allowed_purposes: Sequence[str] = PURPOSES, deny_reason: str | None = None
) -> Handler:
    """Deny a dispatch whose `args` is no object, or whose `args.purpose` is not in the list."""
    purposes = _names("allowed_purposes", allowed_purposes)
    if deny_reason is not None and not isinstance(deny_reason, str):
        raise ValueError("deny_reason must be text")
    reason = deny_reason or _PURPOSE_REASON.format(purposes=", ".join(purposes))

    def decide(event: Event) -> Answer | None:
        call = call_of(event)
        if call is None or not _is_tool(call.name, DISPATCH_TOOL):
            return None
        args = call.arguments.get("args")
        purpose = args.get("purpose") if isinstance(args, Mapping) else None
        return None if isinstance(purpose, str) and purpose in purposes else deny(reason)

    return decide


def _is_tool(called: str, tool: str) -> bool:
    """The same tool reached through an MCP server carries that server's name in front."""
    return called == tool or called.endswith(f"__{tool}")


def _counted(stored: object) -> int:
    if stored is None:
        return 0
    if isinstance(stored, bool) or not isinstance(stored, int):
        raise ValueError(f"the stored count of dispatches is {type(stored).__name__}, not a number")
    return stored


def _names(parameter: str, value: Any) -> tuple[str, ...]:
    """Checked names; `Any` because it is what an operator wrote."""
    known = value if isinstance(value, list | tuple) else ()
    if not known or not all(isinstance(name, str) and name for name in known):
        raise ValueError(f"{parameter} must be a list of one or more names")
    return tuple(known)
