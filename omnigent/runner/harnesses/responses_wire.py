"""The Responses API's form of a conversation, and its stream in our events; whoever speaks it shares this."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from omnigent.runner.harnesses import fields
from omnigent.runner.harnesses.base import (
    Finished,
    ReasoningDelta,
    SampleEvent,
    TextDelta,
    ToolCall,
    Usage,
)
from omnigent.runner.harnesses.conversation import (
    Call,
    Document,
    Entry,
    Image,
    Item,
    Part,
    Result,
    Text,
    entries_of,
    text_of,
)
from omnigent.runner.harnesses.failures import broken_inside

_INCOMPLETE: Final[Mapping[str, str]] = {"max_output_tokens": "length", "content_filter": "content_filter"}


class Answer:
    """Reads the events of one response."""

    def __init__(self) -> None:
        self.ended = False
        self._called = False
        self._speaking = ""

    def read(self, event: object) -> Iterator[SampleEvent]:
        reader = _READERS.get(fields.text(event, "type"))
        if reader is not None:
            yield from reader(self, event)

    def text(self, event: object) -> Iterator[SampleEvent]:
        message = f"{fields.optional_text(event, 'item_id')}/{fields.index(event, 'content_index')}"
        delta = fields.text(event, "delta")
        if not delta:
            return
        if self._speaking not in {"", message}:
            # One response may hold several messages; run together they would read as one broken sentence.
            yield TextDelta("\n\n")
        self._speaking = message
        yield TextDelta(delta)

    def reasoning(self, event: object) -> Iterator[SampleEvent]:
        if delta := fields.text(event, "delta"):
            yield ReasoningDelta(delta)

    def summary(self, event: object) -> Iterator[SampleEvent]:
        if delta := fields.text(event, "delta"):
            yield ReasoningDelta(delta, summary=True)

    def summary_part(self, event: object) -> Iterator[SampleEvent]:
        if fields.index(event, "summary_index") > 0:
            yield ReasoningDelta("\n\n", summary=True)

    def item(self, event: object) -> Iterator[SampleEvent]:
        item = fields.required(event, "item")
        if (
            fields.text(item, "type") != "function_call"
            or fields.optional_text(item, "status") == "incomplete"
        ):
            return
        self._called = True
        self._speaking = ""
        arguments = fields.optional_text(item, "arguments") or "{}"
        yield ToolCall(
            call_id=fields.text(item, "call_id"), name=fields.text(item, "name"), arguments=arguments
        )

    def completed(self, event: object) -> Iterator[SampleEvent]:
        self.ended = True
        yield _usage(fields.required(event, "response"))
        yield Finished("tool_calls" if self._called else "stop")

    def incomplete(self, event: object) -> Iterator[SampleEvent]:
        self.ended = True
        response = fields.required(event, "response")
        yield _usage(response)
        reason = fields.optional_text(fields.child(response, "incomplete_details"), "reason")
        yield Finished(_INCOMPLETE.get(reason, "length"))

    def failed(self, event: object) -> Iterator[SampleEvent]:
        raise broken_inside(fields.child(fields.required(event, "response"), "error"))

    def error(self, event: object) -> Iterator[SampleEvent]:
        raise broken_inside(event)


_READERS: Final[Mapping[str, Callable[[Answer, object], Iterator[SampleEvent]]]] = {
    "response.output_text.delta": Answer.text,
    "response.refusal.delta": Answer.text,
    "response.reasoning_text.delta": Answer.reasoning,
    "response.reasoning_summary_text.delta": Answer.summary,
    "response.reasoning_summary_part.added": Answer.summary_part,
    "response.output_item.done": Answer.item,
    "response.completed": Answer.completed,
    "response.incomplete": Answer.incomplete,
    "response.failed": Answer.failed,
    "error": Answer.error,
}


def _usage(response: object) -> Usage:
    usage = fields.child(response, "usage")
    details = fields.child(usage, "input_tokens_details")
    input_tokens, output_tokens = fields.count(usage, "input_tokens"), fields.count(usage, "output_tokens")
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        reasoning_tokens=fields.count(fields.child(usage, "output_tokens_details"), "reasoning_tokens"),
        cache_read_input_tokens=fields.count(details, "cached_tokens"),
        cache_creation_input_tokens=fields.count(details, "cache_write_tokens"),
        context_tokens=input_tokens + output_tokens,
        model=fields.optional_text(response, "model"),
    )


def input_of(items: Sequence[Item]) -> list[Any]:
    """JSON of the conversation. `Any` here and below: the library's input union has no common base."""
    return [_input_item(entry) for entry in entries_of(items)]


def _input_item(entry: Entry) -> dict[str, Any]:
    if isinstance(entry, Call):
        return {
            "type": "function_call",
            "call_id": entry.call_id,
            "name": entry.name,
            "arguments": entry.arguments,
        }
    if isinstance(entry, Result):
        return {"type": "function_call_output", "call_id": entry.call_id, "output": entry.output}
    if entry.role == "assistant":
        return {"type": "message", "role": "assistant", "content": text_of(entry)}
    return {"type": "message", "role": "user", "content": [_content(part) for part in entry.parts]}


def _content(part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "input_text", "text": part.text}
        case Image():
            return {"type": "input_image", "image_url": part.url, "detail": "auto"}
        case Document():
            return {"type": "input_file", "filename": part.filename, "file_data": part.url}
