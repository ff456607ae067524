"""What a record of a Codex rollout tells."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from omnigent.protocol.codec import FrameError, decode
from omnigent.runner.native.entries import Ended, Entry, Item, Sampled, Thought, UserSaid

_CALLS: Final = frozenset({"function_call", "custom_tool_call", "local_shell_call"})
_OUTPUTS: Final = frozenset({"function_call_output", "custom_tool_call_output"})

Json = Mapping[str, Any]


def entries(record: Json, model: str) -> Sequence[Entry]:
    """What it tells of the conversation; instructions and settings are left out. Usage is of this model."""
    payload = record.get("payload")
    if not isinstance(payload, Mapping):
        return ()
    match record.get("type"):
        case "response_item":
            return list(_item(payload))
        case "event_msg":
            return list(_event(payload))
        case "token_usage_record":
            return list(_used(payload, model))
    return ()


def _item(payload: Json) -> Iterator[Entry]:
    kind, call_id = payload.get("type"), str(payload.get("call_id") or payload.get("id") or "")
    if kind in _CALLS:
        arguments = payload.get("arguments")
        if not isinstance(arguments, str):
            given = payload.get("input") if "input" in payload else payload.get("action")
            arguments = json.dumps({"input": given}, ensure_ascii=False)
        name = str(payload.get("name") or "local_shell")
        data = {"call_id": call_id, "name": name, "arguments": arguments, "status": "completed"}
        yield Item(item_type="function_call", data=data, source_id=f"{call_id}:call")
    elif kind in _OUTPUTS:
        data = {"call_id": call_id, "output": _text_of(payload.get("output"))}
        yield Item(item_type="function_call_output", data=data, source_id=f"{call_id}:output")
    elif kind == "reasoning":
        text = "\n".join(str(part.get("text") or "") for part in payload.get("summary") or ())
        if text.strip():
            yield Thought(text=text)


def _event(payload: Json) -> Iterator[Entry]:
    match payload.get("type"):
        case "item_completed":
            yield from _completed(payload.get("item") or {})
        case "task_complete":
            failure = payload.get("error")
            yield Ended(kind="failed", message=_reason(failure)) if failure else Ended(kind="completed")
        case "turn_aborted":
            yield Ended(kind="interrupted")


def _reason(failure: object) -> str:
    """What went wrong; the words of the provider where the message is its answer."""
    message = str(failure.get("message") or "") if isinstance(failure, Mapping) else str(failure)
    try:
        return str(decode(message.encode())["error"]["message"])
    except (FrameError, KeyError, TypeError):
        return message


def _completed(item: Json) -> Iterator[Entry]:
    text = "\n".join(str(part.get("text") or "") for part in item.get("content") or ())
    source_id = str(item.get("id"))
    if item.get("type") == "UserMessage" and text:
        yield UserSaid(text=text, source_id=source_id)
    elif item.get("type") == "AgentMessage" and text.strip():
        content = [{"type": "output_text", "text": text}]
        yield Item(item_type="message", data={"role": "assistant", "content": content}, source_id=source_id)


def _used(payload: Json, model: str) -> Iterator[Entry]:
    usage = payload.get("usage")
    if isinstance(usage, Mapping):
        yield Sampled(
            answer_id=str(payload.get("response_id")),
            model=model,
            input_tokens=int(usage.get("input_tokens") or 0),
            output_tokens=int(usage.get("output_tokens") or 0),
            cache_read_input_tokens=int(usage.get("cached_input_tokens") or 0),
        )


def _text_of(output: object) -> str:
    if isinstance(output, str):
        return output
    if isinstance(output, list):
        return "\n".join(str(part.get("text") or f"[{part.get('type')}]") for part in output)
    return json.dumps(output, ensure_ascii=False)
