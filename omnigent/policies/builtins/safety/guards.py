"""The two guards that every session has, whatever else is attached: new policies and scheduled tasks ask."""

from collections.abc import Mapping
from typing import Any

from omnigent.policies.calls import Answer, Event, ask, call_of

ADD_POLICY = "sys_add_policy"
TASK_CHANGES = frozenset({"sys_scheduled_task_create", "sys_scheduled_task_update"})
MAX_VALUE = 60
MAX_REST = 200
_SETTINGS = (
    *("name", "agent_id", "rrule", "timezone", "state", "host_id", "workspace", "execution_target"),
    *("permission_mode", "max_cost_usd", "model_override", "reasoning_effort"),
)


def ask_on_add_policy(event: Event) -> Answer | None:
    """Ask before an agent attaches a policy to its own session."""
    call = call_of(event)
    if call is None or ADD_POLICY not in (call.name, event.get("target")):
        return None
    name, handler = call.arguments.get("name"), call.arguments.get("handler")
    return ask(f"add policy {_cut(name)!r} with handler {_cut(handler)!r}")


def ask_on_scheduled_task_change(event: Event) -> Answer | None:
    """Ask before an agent creates or changes a scheduled task; the reason lists the settings in one order."""
    call = call_of(event)
    if call is None:
        return None
    tool = next((name for name in (event.get("target"), call.name) if name in TASK_CHANGES), None)
    return None if tool is None else ask(f"{tool}: {_settings(call.arguments) or 'no settings'}")


def _settings(arguments: Mapping[str, Any]) -> str:
    shown = [f"{key}={_cut(arguments[key])}" for key in _SETTINGS if key in arguments]
    if "prompt" in arguments:
        shown.append(f"prompt of {len(str(arguments['prompt']))} characters")
    others = ", ".join(
        f"{key}={_cut(value)}" for key, value in arguments.items() if key not in (*_SETTINGS, "prompt")
    )
    if others:
        shown.append(others if len(others) <= MAX_REST else others[: MAX_REST - 1] + "…")
    return ", ".join(shown)


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


ADD_POLICY_ENTRY: dict[str, Any] = {
    "handler": "omnigent.policies.builtins.safety.ask_on_add_policy",
    "kind": "callable",
    "name": "Ask on add policy",
    "description": "Ask for approval before an agent attaches a policy to its session.",
    "internal_only": True,
}
TASK_CHANGE_ENTRY: dict[str, Any] = {
    "handler": "omnigent.policies.builtins.safety.ask_on_scheduled_task_change",
    "kind": "callable",
    "name": "Ask on scheduled task change",
    "description": "Ask for approval before an agent creates or changes a scheduled task.",
    "internal_only": True,
}
