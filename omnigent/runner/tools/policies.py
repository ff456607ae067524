"""`sys_add_policy` and `sys_policy_registry`: an agent puts rules on its own session.

The server asks a person before a policy is added, whatever other policies there are.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from omnigent.runner.api import ServerRefused, ServerUnreachable
from omnigent.runner.harnesses.base import ToolSchema
from omnigent.runner.tools.answers import Refused, as_json
from omnigent.runner.tools.base import ToolContext, ToolError, text_argument

SERVER_SECONDS: Final = 30.0


class AddPolicy:
    """Answers with `{policy_id, name, type, handler, enabled, message}` or `{error, details}`, as JSON."""

    mutates = False
    schema = ToolSchema(
        name="sys_add_policy",
        description=(
            "Add a policy to this session. It is in force from the next action on, and a person is asked "
            "first. sys_policy_registry lists the handlers and their parameters."
        ),
        parameters={
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "A name that no other policy of the session has."},
                "handler": {"type": "string", "description": "Dotted path of a handler in the registry."},
                "factory_params": {
                    "type": "object",
                    "description": "Parameters of the handler; leave out for one that takes none.",
                },
            },
            "required": ["name", "handler"],
        },
    )

    def __init__(self, seconds: float = SERVER_SECONDS) -> None:
        self._seconds = seconds

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        try:
            policy = _policy(arguments)
            async with asyncio.timeout(self._seconds):
                added = await context.api.add_policy(context.session_id, policy)
        except (ToolError, ServerRefused, ServerUnreachable, TimeoutError) as exc:
            return _failure("The policy was not added.", exc, self._seconds)
        return as_json(
            {
                "policy_id": added.get("id"),
                **{key: added.get(key) for key in ("name", "type", "handler", "enabled")},
                "message": f"The policy {policy['name']!r} is in force in this session.",
            }
        )


class PolicyRegistry:
    """Answers with `{policies: [...]}`, the server's registry, or with `{error, details}`, as JSON."""

    mutates = False
    schema = ToolSchema(
        name="sys_policy_registry",
        description="List the policies that sys_add_policy can add, with their handlers and parameters.",
        parameters={"type": "object", "properties": {}},
    )

    def __init__(self, seconds: float = SERVER_SECONDS) -> None:
        self._seconds = seconds

    async def run(self, arguments: Mapping[str, Any], context: ToolContext) -> str:
        try:
            async with asyncio.timeout(self._seconds):
                listed = await context.api.policy_registry()
        except (ServerRefused, ServerUnreachable, TimeoutError) as exc:
            return _failure("The policies cannot be listed.", exc, self._seconds)
        return as_json({"policies": listed.get("data", [])})


def _policy(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The body that creates the policy; raises ToolError."""
    policy: dict[str, Any] = {
        "name": text_argument(arguments, "name"),
        "type": "python",
        "handler": text_argument(arguments, "handler"),
    }
    params = arguments.get("factory_params")
    if not isinstance(params, Mapping | None):
        raise ToolError("factory_params: an object is required")
    if params is not None:
        policy["factory_params"] = dict(params)
    return policy


def _failure(error: str, cause: Exception, seconds: float) -> str:
    if isinstance(cause, ServerRefused):
        details = str(Refused(cause))
    elif isinstance(cause, TimeoutError):
        details = f"The server did not answer within {seconds:g} s."
    else:
        details = str(cause)
    return as_json({"error": error, "details": details})
