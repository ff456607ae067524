"""Ask before tools that touch the operating system."""

from typing import Any

from omnigent.policies.calls import OS_TOOLS, SHELL_TOOLS, Answer, Call, Event, ask, call_of, command_of

MAX_CODE = 80
_SEARCHES = frozenset({"Grep", "Glob", "search_files", "grep", "glob"})
_PATHS = ("path", "file_path", "notebook_path")


def ask_on_os_tools(event: Event) -> Answer | None:
    """Ask for every call of an OS tool; the reason shows the tool and what it would touch."""
    call = call_of(event)
    if call is None or call.name not in OS_TOOLS:
        return None
    preview = _preview(call)
    shown = repr(preview) if preview else ""
    return ask(f"{call.name}({shown})")


def _preview(call: Call) -> str:
    if call.name in SHELL_TOOLS:
        return command_of(call) or ""
    if call.name in _SEARCHES:
        return str(call.arguments.get("pattern") or "")
    if call.name == "execute_code":
        return str(call.arguments.get("code") or "")[:MAX_CODE]
    return next((str(call.arguments[key]) for key in _PATHS if call.arguments.get(key)), "")


ENTRY: dict[str, Any] = {
    "handler": "omnigent.policies.ask_on_os_tools",
    "kind": "callable",
    "name": "Ask on OS tools",
    "description": "Ask for approval before running any OS-level tool (bash, edit, read).",
    "aliases": ["omnigent.policies.builtins.safety.ask_on_os_tools"],
}
