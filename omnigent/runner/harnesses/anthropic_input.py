"""What Anthropic's Messages API is sent: alternating messages, cache marks, tools, and how much to think.

`Any` stands for JSON throughout: the library's input unions have no common base.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from omnigent.runner.harnesses.base import ModelRequest
from omnigent.runner.harnesses.conversation import (
    Call,
    Document,
    Entry,
    Image,
    Message,
    Part,
    Result,
    Text,
    entries_of,
    turns_of,
)

MAX_TOKENS: Final = 32_000
"""Answer limit when the request names none; every current model allows it."""

_CACHED: Final[Mapping[str, str]] = {"type": "ephemeral"}
_EFFORTS: Final[Mapping[str, str]] = {"minimal": "low", "ultra": "max"}
_BUDGETS: Final[Mapping[str, int]] = {"minimal": 1_024, "low": 4_096, "medium": 10_000}
_LARGEST_BUDGET: Final = 20_000
_SMALLEST_BUDGET: Final = 1_024
# Models before adaptive thinking, which know neither it nor an effort.
_BUDGET_MODELS: Final = (
    "claude-3-7-",
    "claude-haiku-4-5",
    "claude-opus-4-0",
    "claude-opus-4-1",
    "claude-opus-4-2025",
    "claude-opus-4-5",
    "claude-sonnet-4-0",
    "claude-sonnet-4-2025",
    "claude-sonnet-4-5",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Thinking:
    """The three parameters that depend on the effort; None leaves one out."""

    max_tokens: int
    config: Any = None
    output: Any = None


def thinking_of(request: ModelRequest) -> Thinking:
    """Map the effort: current models get it beside adaptive thinking, older ones a budget of tokens."""
    limit = request.max_output_tokens or MAX_TOKENS
    effort = request.reasoning_effort
    if not effort:
        return Thinking(max_tokens=limit)
    if effort == "none":
        return Thinking(max_tokens=limit, config={"type": "disabled"})
    if not request.model.startswith(_BUDGET_MODELS):
        # Thinking is left out of the stream by default on newer models.
        config = {"type": "adaptive", "display": "summarized"}
        return Thinking(max_tokens=limit, config=config, output={"effort": _EFFORTS.get(effort, effort)})
    budget = min(_BUDGETS.get(effort, _LARGEST_BUDGET), limit - _SMALLEST_BUDGET)
    # With a budget, an answer that continues a tool call must begin with the thinking that led to it.
    if budget < _SMALLEST_BUDGET or _is_inside_tool_loop(request):
        return Thinking(max_tokens=limit)
    return Thinking(max_tokens=limit, config={"type": "enabled", "budget_tokens": budget})


def system_of(request: ModelRequest) -> list[Any]:
    if not request.instructions.strip():
        return []
    return [{"type": "text", "text": request.instructions, "cache_control": dict(_CACHED)}]


def tools_of(request: ModelRequest) -> list[Any]:
    """The tools, and a stub for each other tool in the history, which the API wants to know too."""
    tools: dict[str, Any] = {
        tool.name: {
            "name": tool.name,
            "description": tool.description,
            "input_schema": {"type": "object", **tool.parameters},
        }
        for tool in request.tools
    }
    for item in request.items:
        name = item.get("name")
        if item.get("type") == "function_call" and isinstance(name, str) and name not in tools:
            stub = {"type": "object"}
            tools[name] = {"name": name, "description": "No longer available.", "input_schema": stub}
    return list(tools.values())


def messages_of(request: ModelRequest) -> list[Any]:
    """Alternating messages that begin and end with the user; the last block ends the cached prefix."""
    messages: list[Any] = [
        {"role": turn.role, "content": [block for entry in turn.entries for block in _blocks(entry)]}
        for turn in turns_of(entries_of(request.items))
    ]
    if not messages or messages[0]["role"] == "assistant":
        messages.insert(0, _said("Continue the conversation."))
    if messages[-1]["role"] == "assistant":
        messages.append(_said("Continue."))
    messages[-1]["content"][-1]["cache_control"] = dict(_CACHED)
    return messages


def _said(text: str) -> dict[str, Any]:
    return {"role": "user", "content": [{"type": "text", "text": text}]}


def _is_inside_tool_loop(request: ModelRequest) -> bool:
    entries = entries_of(request.items)
    return bool(entries) and isinstance(entries[-1], Result)


def _blocks(entry: Entry) -> Iterator[dict[str, Any]]:
    match entry:
        case Message():
            for part in entry.parts:
                yield _content(part)
        case Call():
            arguments = json.loads(entry.arguments)
            yield {"type": "tool_use", "id": entry.call_id, "name": entry.name, "input": arguments}
        case Result():
            yield {"type": "tool_result", "tool_use_id": entry.call_id, "content": entry.output}


def _content(part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            return _image(part)
        case Document():
            source = {"type": "base64", "media_type": "application/pdf", "data": part.data}
            return {"type": "document", "title": part.filename, "source": source}


def _image(image: Image) -> dict[str, Any]:
    if not image.data:
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    source = {"type": "base64", "media_type": image.media_type, "data": image.data}
    return {"type": "image", "source": source}
