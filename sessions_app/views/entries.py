"""Stored items to the entries of a transcript."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from sessions_app.services.dispatching import DELEGATED, RETURNED
from sessions_app.views import markdown
from sessions_app.views.entry import (
    AgentMessage,
    Argument,
    Delegation,
    Entry,
    Failure,
    Note,
    Reasoning,
    Summary,
    ToolCall,
    UserMessage,
    clip,
)

JsonObject = Mapping[str, Any]  # the payload of an item is whatever its writer stored

HEADLINE = 120


def build(items: Iterable[JsonObject], *, active_response_id: str | None = None) -> list[Entry]:
    """The entries of nested items, oldest first; a call without output runs if its response does."""
    shown: list[Entry] = []
    calls: dict[str, int] = {}
    for item in items:
        data = item["data"]
        if item["type"] == "function_call_output" and _text(data, "call_id") in calls:
            index = calls[_text(data, "call_id")]
            shown[index] = _answered(shown[index], item)
            continue
        entry = BUILDERS.get(item["type"], _other)(item, data)
        if isinstance(entry, ToolCall) and entry.state != "done":
            calls[entry.call_id] = len(shown)
            is_active = bool(active_response_id) and item["response_id"] == active_response_id
            entry = replace(entry, state="running" if is_active else "unanswered")
        shown.append(entry)
    return shown


def running(calls: Iterable[JsonObject]) -> list[Entry]:
    """Calls that have begun and are not stored yet."""
    built = [_call(call, call["data"]) for call in calls]
    return [replace(entry, state="running") for entry in built if isinstance(entry, ToolCall)]


def _answered(entry: Entry, item: JsonObject) -> Entry:
    if not isinstance(entry, ToolCall):
        return entry
    output = clip(_text(item["data"], "output"))
    return replace(entry, output=output, output_id=item["id"], state="done")


def _text(data: JsonObject, key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""


def _blocks(data: JsonObject) -> list[JsonObject]:
    content = data.get("content")
    return [block for block in content if isinstance(block, Mapping)] if isinstance(content, list) else []


def _message(item: JsonObject, data: JsonObject) -> Entry:
    blocks = _blocks(data)
    text = "\n\n".join(_text(block, "text") for block in blocks if _text(block, "text"))
    if data.get("is_meta") or (data.get("role") == "user" and text.startswith("[System:")):
        return Note(item_id=item["id"], at=item["created_at"], text="System note to the agent", detail=text)
    if data.get("role") == "user":
        return UserMessage(
            item_id=item["id"],
            at=item["created_at"],
            author=item.get("created_by") or "You",
            text=text,
            attachments=tuple(_attachment(block) for block in blocks if "text" not in block),
        )
    return AgentMessage(
        item_id=item["id"],
        at=item["created_at"],
        author=_text(data, "model") or "Agent",
        html=markdown.render(text),
        is_interrupted=bool(data.get("interrupted")),
    )


def _attachment(block: JsonObject) -> str:
    kind = _text(block, "type").removeprefix("input_") or "attachment"
    name = _text(block, "filename") or _text(block, "file_id")
    return f"{kind}: {name}" if name else kind


def _call(item: JsonObject, data: JsonObject) -> Entry:
    arguments = _arguments(_text(data, "arguments"))
    return ToolCall(
        item_id=item["id"],
        at=item["created_at"],
        call_id=_text(data, "call_id"),
        name=_text(data, "name") or "tool",
        headline=_headline(arguments),
        arguments=arguments,
        state="unanswered",
    )


def _arguments(text: str) -> tuple[Argument, ...]:
    try:
        parsed = json.loads(text) if text else {}
    except ValueError:
        parsed = text
    if not isinstance(parsed, dict):
        return (Argument(name="arguments", value=text),)
    return tuple(Argument(name=name, value=_shown(value)) for name, value in parsed.items())


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)


def _headline(arguments: tuple[Argument, ...]) -> str:
    if not arguments:
        return ""
    first = arguments[0].value.strip().partition("\n")[0]
    return first if len(first) <= HEADLINE else f"{first[: HEADLINE - 1]}…"


def _output(item: JsonObject, data: JsonObject) -> Entry:
    return ToolCall(
        item_id=item["id"],
        output_id=item["id"],
        at=item["created_at"],
        call_id=_text(data, "call_id"),
        name="Tool output",
        headline="",
        arguments=(),
        output=clip(_text(data, "output")),
        state="done",
    )


def _reasoning(item: JsonObject, data: JsonObject) -> Entry:
    parts = [*(data.get("summary") or []), *(data.get("content") or [])]
    text = "\n\n".join(_text(part, "text") for part in parts if isinstance(part, Mapping))
    return Reasoning(item_id=item["id"], at=item["created_at"], text=text)


def _error(item: JsonObject, data: JsonObject) -> Entry:
    return Failure(
        item_id=item["id"],
        at=item["created_at"],
        title=_text(data, "title") or "The turn failed",
        code=_text(data, "code"),
        message=_text(data, "message"),
        cause=_text(data, "cause"),
        remediation=_text(data, "remediation"),
    )


def _compaction(item: JsonObject, data: JsonObject) -> Entry:
    tokens = data.get("token_count")
    return Summary(
        item_id=item["id"],
        at=item["created_at"],
        html=markdown.render(_text(data, "summary")),
        model=_text(data, "model"),
        tokens=tokens if isinstance(tokens, int) else None,
    )


def _resource(item: JsonObject, data: JsonObject) -> Entry:
    kind = _text(data, "event_type")
    given = data.get("resource")
    resource = given if isinstance(given, Mapping) else {}
    if kind in (DELEGATED, RETURNED):
        return Delegation(
            item_id=item["id"],
            at=item["created_at"],
            child_id=_text(data, "resource_id"),
            agent=_text(resource, "agent") or "sub-agent",
            task=_text(resource, "title"),
            outcome="delegated" if kind == DELEGATED else _text(resource, "status") or "completed",
            html=markdown.render(_text(resource, "result")),
        )
    what = kind.removeprefix("session.").replace(".", " ").replace("_", " ")
    name = _text(resource, "title") or _text(data, "resource_id")
    return Note(item_id=item["id"], at=item["created_at"], text=f"{what.capitalize()}: {name}")


def _slash_command(item: JsonObject, data: JsonObject) -> Entry:
    text = f"/{_text(data, 'name')} {_text(data, 'arguments')}".strip()
    return Note(item_id=item["id"], at=item["created_at"], text=text, detail=_text(data, "output"))


def _terminal_command(item: JsonObject, data: JsonObject) -> Entry:
    detail = "\n".join(part for part in (_text(data, "stdout"), _text(data, "stderr")) if part)
    return Note(
        item_id=item["id"],
        at=item["created_at"],
        text=_text(data, "input") or "Terminal output",
        detail=detail,
    )


def _other(item: JsonObject, data: JsonObject) -> Entry:
    detail = json.dumps(data, indent=2, ensure_ascii=False)
    return Note(item_id=item["id"], at=item["created_at"], text=item["type"].replace("_", " "), detail=detail)


BUILDERS: Mapping[str, Callable[[JsonObject, JsonObject], Entry]] = {
    "message": _message,
    "function_call": _call,
    "function_call_output": _output,
    "reasoning": _reasoning,
    "error": _error,
    "compaction": _compaction,
    "resource_event": _resource,
    "slash_command": _slash_command,
    "terminal_command": _terminal_command,
}
