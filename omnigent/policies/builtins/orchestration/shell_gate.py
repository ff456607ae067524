"""Holds commands whose effects reach further than the working directory."""

from typing import Any

from omnigent.policies.builtins.orchestration.commands import of_command
from omnigent.policies.builtins.orchestration.findings import Harm
from omnigent.policies.calls import Answer, Event, Handler, call_of, command_of, deny, verdict

_ACTIONS = ("ASK", "DENY")

BLAST_RADIUS: dict[str, Any] = {
    "handler": "omnigent.policies.builtins.orchestration.blast_radius",
    "aliases": ["omnigent.inner.nessie.policies.blast_radius"],
    "kind": "factory",
    "description": "Denies commands that destroy systems or rewrite what others have; "
    "holds pushes, deployments, recursive removals and what cannot be read.",
    "params_schema": {
        "type": "object",
        "properties": {
            "gate_pushes": {
                "type": "boolean",
                "default": True,
                "description": "Hold ordinary pushes, merges, releases, deployments and recursive removals. "
                "What cannot be read is held in any case.",
            },
            "risky_action": {
                "type": "string",
                "enum": list(_ACTIONS),
                "default": "ASK",
                "description": "What happens to a command that is held.",
            },
            "deny_reason": {
                "type": ["string", "null"],
                "default": None,
                "description": "What the agent is told instead of the usual reason of a denial.",
            },
        },
        "additionalProperties": False,
    },
}


def blast_radius(
    gate_pushes: bool = True,  # noqa: FBT001, FBT002 - the parameters an operator may write, one to one
    risky_action: str = "ASK",
    deny_reason: str | None = None,
) -> Handler:
    """Deny the catastrophic; ask about (or deny) the risky and the unreadable."""
    if not isinstance(gate_pushes, bool):
        raise ValueError("gate_pushes must be true or false")
    action = risky_action.upper() if isinstance(risky_action, str) else ""
    if action not in _ACTIONS:
        raise ValueError("risky_action must be ASK or DENY")
    if deny_reason is not None and not isinstance(deny_reason, str):
        raise ValueError("deny_reason must be text")

    def decide(event: Event) -> Answer | None:
        call = call_of(event)
        command = command_of(call) if call else None
        if not command:
            return None
        found = of_command(command)
        if found.harm is Harm.NONE or (found.harm is Harm.RISKY and not gate_pushes):
            return None
        reason = f"This command {found.why}."
        if found.harm is Harm.CATASTROPHIC:
            return deny(deny_reason or reason)
        return verdict(action, deny_reason if deny_reason and action == "DENY" else reason)

    return decide
