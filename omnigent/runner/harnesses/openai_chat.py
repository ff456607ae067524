"""The `openai-chat` harness: samples from any provider of the Chat Completions API, streaming."""

import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from openai import omit

from omnigent.runner.harnesses import fields
from omnigent.runner.harnesses.base import (
    Finished,
    ModelRequest,
    ModelSettings,
    ReasoningDelta,
    SampleEvent,
    TextDelta,
    ToolCall,
    Usage,
)
from omnigent.runner.harnesses.conversation import (
    Call,
    Document,
    Image,
    Message,
    Part,
    Result,
    Text,
    Turn,
    entries_of,
    text_of,
    turns_of,
)
from omnigent.runner.harnesses.failures import AttemptFailed, interrupted, require_event_stream
from omnigent.runner.harnesses.openai_client import OpenAIConnection, effort_of, parameters_of
from omnigent.runner.harnesses.retry import RetryLoop

_REASONS: Final[Mapping[str, str]] = {"length": "length", "content_filter": "content_filter"}


class OpenAIChat:
    """A `Model` over `POST /chat/completions`."""

    def __init__(self, settings: ModelSettings, *, retry: RetryLoop | None = None) -> None:
        self._connection = OpenAIConnection(settings)
        self._retry = retry or RetryLoop(settings)

    def sample(self, request: ModelRequest) -> AsyncIterator[SampleEvent]:
        return self._retry.run(lambda: self._attempt(request))

    async def close(self) -> None:
        await self._connection.close()

    async def _attempt(self, request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
        connection = self._connection
        with connection.failures(opened=False):
            stream = await connection.client().chat.completions.create(
                model=request.model,
                messages=(),
                tools=_tools(request) or omit,
                reasoning_effort=effort_of(request) or omit,
                max_completion_tokens=request.max_output_tokens or omit,
                stream=True,
                stream_options={"include_usage": True},
                # What is named here is sent as it is. As an argument, the library would walk through every
                # message on the event loop and compare it with each type that one can have: 0.1 ms for each.
                extra_body={"messages": _messages(request), **connection.extra_body},
            )
        answer = _Answer(taken={str(item.get("call_id")) for item in request.items if "call_id" in item})
        try:
            with connection.failures(opened=True):
                async with stream:
                    require_event_stream(stream.response.headers)
                    async for chunk in stream:
                        for seen in answer.read(chunk):
                            yield seen
        except AttemptFailed:
            # After the finish reason only the token counts are missing, which is no reason to fail a turn.
            if not answer.reason:
                raise
        if not answer.reason:
            raise interrupted("the stream ended before a finish_reason")
        for seen in answer.end():
            yield seen


@dataclass(slots=True)
class _PartialCall:
    call_id: str = ""
    name: str = ""
    arguments: str = ""


class _Answer:
    """Reads the chunks of one completion; calls arrive in fragments and are complete at the finish reason."""

    def __init__(self, *, taken: set[str]) -> None:
        self.reason = ""
        self._taken = taken
        self._calls: list[_PartialCall] = []
        self._by_index: dict[int, _PartialCall] = {}
        self._called = False
        self._usage: Usage | None = None

    def read(self, chunk: object) -> Iterator[SampleEvent]:
        if (usage := fields.child(chunk, "usage")) is not None:
            self._usage = _usage(usage, fields.optional_text(chunk, "model"))
        for choice in fields.sequence(chunk, "choices")[:1]:
            delta = fields.child(choice, "delta")
            yield from self._delta(delta)
            if reason := fields.optional_text(choice, "finish_reason"):
                yield from self._finish(reason)

    def end(self) -> Iterator[SampleEvent]:
        if self._usage is not None:
            yield self._usage
        yield Finished(_REASONS.get(self.reason, "tool_calls" if self._called else "stop"))

    def _delta(self, delta: object) -> Iterator[SampleEvent]:
        # Two spellings that other providers of this API use for the reasoning that OpenAI withholds.
        for name in ("reasoning_content", "reasoning"):
            if thought := fields.optional_text(delta, name):
                yield ReasoningDelta(thought)
                break
        for name in ("content", "refusal"):
            if text := fields.optional_text(delta, name):
                yield TextDelta(text)
        for fragment in fields.sequence(delta, "tool_calls"):
            self._collect(fragment)

    def _collect(self, fragment: object) -> None:
        index = fields.index(fragment, "index")
        call_id = fields.optional_text(fragment, "id")
        call = self._by_index.get(index)
        # Some providers give every call index 0 and tell them apart by the id alone.
        if call is None or (call_id and call.call_id and call_id != call.call_id):
            call = _PartialCall()
            self._calls.append(call)
            self._by_index[index] = call
        call.call_id = call.call_id or call_id
        function = fields.child(fragment, "function")
        call.name += fields.optional_text(function, "name")
        call.arguments += fields.optional_text(function, "arguments")

    def _finish(self, reason: str) -> Iterator[SampleEvent]:
        self.reason = reason
        calls, self._calls, self._by_index = self._calls, [], {}
        for call in calls:
            if reason == "length" and not fields.is_json(call.arguments):
                continue
            self._called = True
            yield ToolCall(call_id=self._free_id(call), name=call.name, arguments=call.arguments or "{}")

    def _free_id(self, call: _PartialCall) -> str:
        """The provider's id, unless it is missing or, as some number them from 0 each time, already used."""
        call_id = call.call_id
        if not call_id or call_id in self._taken:
            call_id = f"call_{uuid.uuid4().hex}"
        self._taken.add(call_id)
        return call_id


def _usage(usage: object, model: str) -> Usage:
    prompt = fields.child(usage, "prompt_tokens_details")
    input_tokens = fields.count(usage, "prompt_tokens")
    output_tokens = fields.count(usage, "completion_tokens")
    return Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        reasoning_tokens=fields.count(fields.child(usage, "completion_tokens_details"), "reasoning_tokens"),
        cache_read_input_tokens=fields.count(prompt, "cached_tokens"),
        cache_creation_input_tokens=fields.count(prompt, "cache_write_tokens"),
        context_tokens=input_tokens + output_tokens,
        model=model,
    )


def _tools(request: ModelRequest) -> list[Any]:
    return [
        {
            "type": "function",
            "function": {
                "name": tool.name,
                "description": tool.description,
                "parameters": parameters_of(tool.parameters),
            },
        }
        for tool in request.tools
    ]


def _messages(request: ModelRequest) -> list[Any]:
    """JSON of the conversation. `Any` here and below: the library's message union has no common base."""
    messages: list[Any] = []
    if request.instructions:
        messages.append({"role": "system", "content": request.instructions})
    for turn in turns_of(entries_of(request.items)):
        messages.extend([_assistant(turn)] if turn.role == "assistant" else _user(turn))
    return messages


def _assistant(turn: Turn) -> dict[str, Any]:
    said = "\n\n".join(text_of(entry) for entry in turn.entries if isinstance(entry, Message))
    calls = [entry for entry in turn.entries if isinstance(entry, Call)]
    message: dict[str, Any] = {"role": "assistant", "content": said or None}
    if calls:
        message["tool_calls"] = [
            {
                "id": call.call_id,
                "type": "function",
                "function": {"name": call.name, "arguments": call.arguments},
            }
            for call in calls
        ]
    return message


def _user(turn: Turn) -> Iterator[dict[str, Any]]:
    for entry in turn.entries:
        if isinstance(entry, Result):
            yield {"role": "tool", "tool_call_id": entry.call_id, "content": entry.output}
        elif isinstance(entry, Message):
            plain = all(isinstance(part, Text) for part in entry.parts)
            content = text_of(entry) if plain else [_content(part) for part in entry.parts]
            yield {"role": "user", "content": content}


def _content(part: Part) -> dict[str, Any]:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Image():
            return {"type": "image_url", "image_url": {"url": part.url}}
        case Document():
            return {"type": "file", "file": {"filename": part.filename, "file_data": part.url}}
