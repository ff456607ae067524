"""Events as policies are given them, in one line each."""

from typing import Any

Json = dict[str, Any]


def tool_call(
    name: str, arguments: Json | None = None, *, state: Json | None = None, context: Json | None = None
) -> Json:
    """A tool is about to be called."""
    return event(
        "tool_call", {"name": name, "arguments": arguments or {}}, name, state=state, context=context
    )


def shell(command: str, tool: str = "sys_os_shell", **rest: Any) -> Json:
    """A command line is about to be run."""
    return tool_call(tool, {"command": command}, **rest)


def tool_result(
    name: str, result: object, arguments: Json | None = None, *, state: Json | None = None
) -> Json:
    """A tool has given its result."""
    asked = {"name": name, "arguments": arguments or {}}
    return event("tool_result", {"result": result}, name, state=state) | {"request_data": asked}


def request(text: str, attachments: list[Json] | None = None, *, state: Json | None = None) -> Json:
    """A person has written a message."""
    return event("request", {"user_content": text, "attachments": attachments or []}, state=state)


def event(
    phase: str,
    data: object,
    target: str | None = None,
    *,
    state: Json | None = None,
    context: Json | None = None,
) -> Json:
    """Any phase."""
    return {
        "type": phase,
        "target": target,
        "data": data,
        "context": {
            "actor": {},
            "usage": {},
            "labels": {},
            "model": None,
            "harness": None,
            **(context or {}),
        },
        "session_state": state or {},
        "llm_client": None,
    }
