"""What a record of Claude Code's transcript tells."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from omnigent.runner.native.entries import Dropped, Ended, Entry, Item, Sampled, Thought, UserSaid

_TAG: Final = re.compile(r"<(?P<tag>[a-z-]+)>(?P<text>.*?)</(?P=tag)>", re.DOTALL)
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SYNTHETIC: Final = "<synthetic>"
_FILLER: Final = "No response requested."
"""What the program puts after a prompt that its own end has left without an answer."""
_INTERRUPTED: Final = "[Request interrupted by user"

Json = Mapping[str, Any]


def entries(record: Json) -> Sequence[Entry]:
    """What it tells of the conversation; what sub-agents of the program say among themselves is left out."""
    if record.get("isSidechain"):
        return ()
    match record.get("type"):
        case "user":
            return list(_user(record))
        case "assistant":
            return list(_assistant(record))
        case "attachment":
            return list(_attachment(record))
        case "system":
            return list(_system(record))
        case "queue-operation" if record.get("operation") == "popAll":
            return (Dropped(),)
    return ()


def _user(record: Json) -> Iterator[Entry]:
    source_id = str(record.get("uuid"))
    content = (record.get("message") or {}).get("content")
    blocks = content if isinstance(content, list) else [{"type": "text", "text": str(content or "")}]
    for block in blocks:
        if block.get("type") == "tool_result":
            data = {"call_id": str(block.get("tool_use_id")), "output": _text_of(block.get("content"))}
            yield Item(
                item_type="function_call_output", data=data, source_id=f"{source_id}:{data['call_id']}"
            )
    text = "\n".join(str(block["text"]) for block in blocks if block.get("type") == "text")
    if text.startswith(_INTERRUPTED):
        yield Ended(kind="interrupted")
    elif record.get("isMeta") or record.get("isCompactSummary") or not text:
        return
    elif text.startswith("<"):
        yield from _local(text, source_id)
    elif "origin" in record or "promptSource" in record:
        yield UserSaid(text=text, source_id=source_id)


def _attachment(record: Json) -> Iterator[Entry]:
    attachment = record.get("attachment") or {}
    if attachment.get("type") == "queued_command" and attachment.get("commandMode") == "prompt":
        yield UserSaid(text=_text_of(attachment.get("prompt")), source_id=str(record.get("uuid")))


def _assistant(record: Json) -> Iterator[Entry]:
    message, source_id = record.get("message") or {}, str(record.get("uuid"))
    for number, block in enumerate(message.get("content") or ()):
        match block:
            case {"type": "text", "text": str() as text} if text.strip():
                if record.get("isApiErrorMessage"):
                    yield Ended(kind="failed", message=text)
                elif not (text == _FILLER and message.get("model") == _SYNTHETIC):
                    yield _said(text, f"{source_id}:{number}")
            case {"type": "thinking", "thinking": str() as text} if text.strip():
                yield Thought(text=text)
            case {"type": "tool_use", "id": call_id, "name": name}:
                arguments = json.dumps(block.get("input") or {}, ensure_ascii=False)
                data = {"call_id": call_id, "name": name, "arguments": arguments, "status": "completed"}
                yield Item(item_type="function_call", data=data, source_id=f"{source_id}:{number}")
    usage = message.get("usage")
    if isinstance(usage, Mapping) and message.get("model") not in (None, _SYNTHETIC):
        yield _sampled(message, usage)


def _sampled(message: Json, usage: Json) -> Sampled:
    fresh, read, written = (
        int(usage.get(name) or 0)
        for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    return Sampled(
        answer_id=str(message.get("id")),
        model=str(message["model"]),
        input_tokens=fresh + read + written,
        output_tokens=int(usage.get("output_tokens") or 0),
        cache_read_input_tokens=read,
    )


def _system(record: Json) -> Iterator[Entry]:
    match record.get("subtype"):
        case "turn_duration":
            yield Ended(kind="completed")
        case "stop_hook_summary" if not record.get("hookErrors"):
            yield Ended(kind="completed")
        case "local_command":
            yield from _local(str(record.get("content") or ""), str(record.get("uuid")))


def _local(text: str, source_id: str) -> Iterator[Entry]:
    """A command of the program's own, and what it printed."""
    parts = {match["tag"]: match["text"].strip() for match in _TAG.finditer(text)}
    if name := parts.get("command-name"):
        yield UserSaid(text=f"{name} {parts.get('command-args', '')}".strip(), source_id=source_id)
    elif "bash-input" in parts:
        yield UserSaid(text=f"!{parts['bash-input']}", source_id=source_id)
    for tag in ("local-command-stdout", "local-command-stderr"):
        if tag in parts:
            if shown := _COLOURS.sub("", parts[tag]).strip():
                yield _said(shown, f"{source_id}:{tag}")
            yield Ended(kind="completed")


def _said(text: str, source_id: str) -> Item:
    content = [{"type": "output_text", "text": text}]
    return Item(item_type="message", data={"role": "assistant", "content": content}, source_id=source_id)


def _text_of(content: object) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "\n".join(str(block.get("text") or f"[{block.get('type')}]") for block in content)
    return json.dumps(content, ensure_ascii=False)
