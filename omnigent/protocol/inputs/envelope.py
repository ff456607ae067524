"""The envelope of `POST /v1/sessions/{id}/events`: one event or an array of them, leniently read."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from omnigent.protocol import items
from omnigent.protocol.inputs.errors import EnvelopeError, InputError

MAX_BATCH = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionEvent:
    """One posted event, its `data` not yet checked against its type."""

    type: str
    data: Mapping[str, Any]
    model_override: str | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    created_by: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """What a body held; a batch is answered by an array."""

    events: tuple[SessionEvent, ...]
    is_batch: bool


Location = tuple[str | int, ...]

MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "missing": "Field required",
        "string_type": "Input should be a valid string",
        "dict_type": "Input should be a valid dictionary",
        "list_type": "Input should be a valid list",
        "model_attributes_type": "Input should be a valid dictionary or object to extract fields from",
    }
)


def problem(kind: str, loc: Location, value: Any) -> dict[str, Any]:
    """One row of an EnvelopeError, in FastAPI's words."""
    return {"type": kind, "loc": list(loc), "msg": MESSAGES[kind], "input": value}


def read_envelope(body: Any) -> Envelope:
    """The events of a decoded body. Raises EnvelopeError (422) or InputError (400)."""
    if not isinstance(body, list):
        return Envelope(events=(read_event(body, ("body",)),), is_batch=False)
    if not body:
        raise InputError("session event batch must not be empty")
    if len(body) > MAX_BATCH:
        raise InputError(f"session event batch must not hold more than {MAX_BATCH} events")
    return Envelope(
        events=tuple(read_event(one, ("body", index)) for index, one in enumerate(body)), is_batch=True
    )


def read_event(body: Any, loc: Location = ("body",)) -> SessionEvent:
    """One event. Raises EnvelopeError (422), or InputError (400) for a bad `tools` entry."""
    if not isinstance(body, Mapping):
        raise EnvelopeError([problem("model_attributes_type", loc, body)])
    problems = [
        problem("string_type", (*loc, key), body[key])
        for key in ("model_override", "created_by")
        if not isinstance(body.get(key), str | None)
    ]
    if "type" not in body:
        problems.append(problem("missing", (*loc, "type"), dict(body)))
    elif not isinstance(body["type"], str):
        problems.append(problem("string_type", (*loc, "type"), body["type"]))
    if not isinstance(body.get("data", {}), Mapping):
        problems.append(problem("dict_type", (*loc, "data"), body["data"]))
    if not isinstance(body.get("tools"), list | None):
        problems.append(problem("list_type", (*loc, "tools"), body["tools"]))
    if problems:
        raise EnvelopeError(problems)
    try:
        items.check_text([body.get("model_override"), body.get("created_by"), body.get("tools")])
    except items.InvalidItem as error:
        raise InputError(str(error)) from None
    return SessionEvent(
        type=body["type"],
        data=message_shorthand(body) if body["type"] == "message" else body.get("data", {}),
        model_override=body.get("model_override"),
        tools=read_tools(body.get("tools") or []),
        created_by=body.get("created_by"),
    )


def message_shorthand(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The data of a message, also from the short forms of some clients.

    The Go client sends `data.text`; editor extensions send `content` and `context.file` beside `type`.
    """
    data: Mapping[str, Any] = body.get("data", {})
    if "content" in data or "role" in data:
        return data
    if isinstance(data.get("text"), str):
        rest = {key: value for key, value in data.items() if key != "text"}
        return {**rest, "role": "user", "content": [text_block(data["text"])]}
    content = body.get("content")
    if isinstance(content, str):
        context = body.get("context")
        file = context.get("file") if isinstance(context, Mapping) else None
        blocks = [text_block(content)]
        if isinstance(file, str) and file:
            blocks.append(text_block(f"File: {file}"))
        return {**data, "role": "user", "content": blocks}
    if isinstance(content, list):
        return {**data, "role": body.get("role", "user"), "content": content}
    return data


def text_block(text: str) -> dict[str, str]:
    """A content block of plain text."""
    return {"type": "input_text", "text": text}


def read_tools(tools: list[Any]) -> tuple[Mapping[str, Any], ...]:
    """Tools that the client runs itself, flat or nested under `function` as chat APIs have it."""
    for index, tool in enumerate(tools):
        if not isinstance(tool, Mapping):
            raise InputError(f"tools[{index}]: must be an object")
        spec = tool.get("function", tool)
        if not isinstance(spec, Mapping) or not isinstance(spec.get("name"), str) or not spec["name"]:
            raise InputError(f"tools[{index}].name: must be a non-empty string")
        if not isinstance(spec.get("description"), str | None):
            raise InputError(f"tools[{index}].description: must be a string")
        if not isinstance(spec.get("parameters"), Mapping | None):
            raise InputError(f"tools[{index}].parameters: must be an object")
    return tuple(tools)
