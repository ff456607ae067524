"""What an event says, as policies ask for it: call, command, the user's words; and what they answer."""

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from omnigent.policies.types import Phase

Event = Mapping[str, Any]
"""An event as handlers are given it: `type`, `target`, `data`, `context`, `session_state`, `request_data`."""
Answer = dict[str, Any]
Handler = Callable[[Event], Answer | None]

OUR_SERVER = "mcp__omnigent__"
"""How a native harness calls our own tools, which it knows from our MCP server."""
SHELL_TOOLS = frozenset({"sys_os_shell", "Bash", "bash", "Shell", "terminal", "developer__shell", "shell"})
WRITE_TOOLS = frozenset(
    {"Write", "Edit", "MultiEdit", "NotebookEdit", "sys_os_write", "sys_os_edit", "write", "edit"}
)
OS_TOOLS = frozenset(
    {
        *("sys_os_read", "sys_os_write", "sys_os_edit", "sys_os_shell"),
        *("Bash", "Read", "Write", "Edit", "MultiEdit", "NotebookEdit", "Glob", "Grep", "Shell"),
        *("read", "bash", "write", "edit", "grep", "glob", "shell"),
        *("terminal", "execute_code", "read_file", "write_file", "search_files"),
        *("developer__shell", "developer__write", "developer__edit", "developer__text_editor"),
        *("developer__read_image", "developer__tree"),
    }
)


@dataclass(frozen=True, slots=True)
class Call:
    """A tool that is about to be called."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)


def phase_of(event: Event) -> str:
    """The phase in lower case; empty when the event has none."""
    return str(event.get("type") or "")


def call_of(event: Event) -> Call | None:
    """The call of a `tool_call` event, None in other phases. Arguments that are no object count as none."""
    if phase_of(event) != Phase.TOOL_CALL:
        return None
    return _call(event.get("data"), event.get("target"))


def finished_call_of(event: Event) -> Call | None:
    """The call whose result a `tool_result` event brings."""
    if phase_of(event) != Phase.TOOL_RESULT:
        return None
    return _call(event.get("request_data"), event.get("target"))


def _call(data: Any, target: Any) -> Call:
    known = data if isinstance(data, Mapping) else {}
    name = str(known.get("name") or target or "")
    return Call(name.removeprefix(OUR_SERVER), _arguments(known.get("arguments")))


def _arguments(value: Any) -> Mapping[str, Any]:
    """The arguments as an object; some harnesses pass on the model's own JSON text."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            return {"": value}
    return value if isinstance(value, Mapping) else {}


def command_of(call: Call, shell_tools: frozenset[str] = SHELL_TOOLS) -> str | None:
    """The command line of a shell tool; None for other tools. Several are given by lines."""
    if call.name not in shell_tools:
        return None
    given = (call.arguments.get(key) for key in ("command", "cmd", ""))
    return "\n".join(_line(value) for value in given if value is not None)


def _line(value: Any) -> str:
    """A command as a shell would be given it; words of a list are one each."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        return shlex.join(str(word) for word in value)
    return str(value)


def user_text(event: Event) -> str:
    """The user's words of a `request` event: an object with `user_content`, a string or content blocks."""
    data = event.get("data")
    if isinstance(data, Mapping):
        data = data.get("user_content", "")
    if isinstance(data, str):
        return data
    blocks = data if isinstance(data, Sequence) else ()
    texts = (block.get("text") for block in blocks if isinstance(block, Mapping))
    return "\n".join(text for text in texts if isinstance(text, str))


def attached_texts(event: Event) -> list[tuple[str, str]]:
    """(file name, text) of what is attached to a user's message."""
    data = event.get("data")
    rows = data.get("attachments") if isinstance(data, Mapping) else None
    known = rows if isinstance(rows, Sequence) and not isinstance(rows, str) else ()
    return [
        (str(row.get("filename") or ""), row["text"])
        for row in known
        if isinstance(row, Mapping) and isinstance(row.get("text"), str)
    ]


def result_text(event: Event) -> str:
    """What a tool gave, of a `tool_result` event."""
    data = event.get("data")
    value = data.get("result") if isinstance(data, Mapping) else data
    return value if isinstance(value, str) else "" if value is None else str(value)


def context_of(event: Event) -> Mapping[str, Any]:
    """Who acts where: actor, usage, model, harness, labels."""
    context = event.get("context")
    return context if isinstance(context, Mapping) else {}


def state_of(event: Event) -> Mapping[str, Any]:
    """What policies remember of the session."""
    state = event.get("session_state")
    return state if isinstance(state, Mapping) else {}


def allow(**rest: Any) -> Answer:
    """An answer that lets the action pass, with `data`, `state_updates` or `set_labels`."""
    return {"result": "ALLOW", **rest}


def deny(reason: str, **rest: Any) -> Answer:
    """An answer that stops the action."""
    return {"result": "DENY", "reason": reason, **rest}


def ask(reason: str, **rest: Any) -> Answer:
    """An answer that has a person decide."""
    return {"result": "ASK", "reason": reason, **rest}


def verdict(action: str, reason: str, **rest: Any) -> Answer:
    """DENY or ASK, as a parameter says."""
    return {"result": action.upper(), "reason": reason, **rest}


def set_state(key: str, value: Any) -> dict[str, Any]:
    """One state update."""
    return {"key": key, "action": "set", "value": value}
