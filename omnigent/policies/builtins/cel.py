"""Policies written as CEL expressions."""

from importlib import import_module
from typing import Any

from omnigent.policies.calls import Handler

MAX_EXPRESSION = 4000
DEFAULT_REASON = "Denied by policy."

POLICY_REGISTRY: list[dict[str, Any]] = [
    {
        "handler": "omnigent.policies.builtins.cel.cel_policy",
        "kind": "factory",
        "name": "CEL expression",
        "description": "Decide by a CEL expression over `event` that gives a map with `result`.",
        "advisory": True,
        "params_schema": {
            "type": "object",
            "properties": {
                "expression": {
                    "type": "string",
                    "minLength": 1,
                    "maxLength": MAX_EXPRESSION,
                    "description": (
                        "CEL over `event`: type, target, data (on a request the user's text), context, "
                        "session_state. Gives a map with result (allow, deny or ask), reason and "
                        "state_updates; {} or null is no opinion."
                    ),
                },
                "reason": {
                    "type": "string",
                    "default": DEFAULT_REASON,
                    "description": "The reason when the expression gives none.",
                },
            },
            "required": ["expression"],
            "additionalProperties": False,
        },
    }
]


def cel_policy(*, expression: str, reason: str = DEFAULT_REASON) -> Handler:
    """Compile now, so that a wrong expression is refused when it is attached.

    The evaluator raises CelFault when the expression fails or gives no answer; the chain then denies requests
    and tool calls and passes over the policy elsewhere.
    """
    if not isinstance(expression, str) or not expression.strip():
        raise ValueError("expression must be text")
    if len(expression) > MAX_EXPRESSION:
        raise ValueError(f"expression must have at most {MAX_EXPRESSION} characters")
    # By name: the libraries of the language take 6 MiB, for those who have such a policy.
    handler: Handler = import_module("omnigent.policies.expressions").handler_of(expression, reason)
    return handler
