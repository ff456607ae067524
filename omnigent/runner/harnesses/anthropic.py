"""The `anthropic` harness: samples from Anthropic's Messages API, streaming."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import anyio
import httpx2
from anthropic import (
    APIConnectionError,
    APIResponseValidationError,
    APIStatusError,
    APITimeoutError,
    AsyncAnthropic,
    Timeout,
    omit,
)

from omnigent.runner.harnesses import fields
from omnigent.runner.harnesses.anthropic_input import messages_of, system_of, thinking_of, tools_of
from omnigent.runner.harnesses.base import (
    Finished,
    ModelRequest,
    ModelSettings,
    ReasoningDelta,
    SampleEvent,
    TextDelta,
    ToolCall,
)
from omnigent.runner.harnesses.draining import drain
from omnigent.runner.harnesses.failures import (
    AttemptFailed,
    MalformedEvent,
    broken_inside,
    interrupted,
    refused,
    require_event_stream,
    silent,
    unreachable,
    unusable,
)
from omnigent.runner.harnesses.messages_usage import COUNTED, MessagesUsage
from omnigent.runner.harnesses.retry import RetryLoop

CONNECT_SECONDS: Final = 10.0
_REASONS: Final[Mapping[str, str]] = {
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


class Anthropic:
    """A `Model` over `POST /v1/messages`. `settings.extra` holds further keys of the request body."""

    def __init__(self, settings: ModelSettings, *, retry: RetryLoop | None = None) -> None:
        self._settings = settings
        self._retry = retry or RetryLoop(settings)
        self._client: AsyncAnthropic | None = None

    def sample(self, request: ModelRequest) -> AsyncIterator[SampleEvent]:
        return self._retry.run(lambda: self._attempt(request))

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    async def _attempt(self, request: ModelRequest) -> AsyncGenerator[SampleEvent, None]:
        thinking = thinking_of(request)
        with self._failures(opened=False):
            stream = await self._connected().messages.create(
                model=request.model,
                max_tokens=thinking.max_tokens,
                system=system_of(request) or omit,
                messages=messages_of(request),
                tools=tools_of(request) or omit,
                thinking=thinking.config or omit,
                output_config=thinking.output or omit,
                stream=True,
                extra_body=dict(self._settings.extra),
            )
        answer = _Answer()
        with self._failures(opened=True):
            async with stream:
                require_event_stream(stream.response.headers)
                async for event in stream:
                    for seen in answer.read(event):
                        yield seen
                    if answer.ended:
                        break
                if answer.ended:
                    await drain(stream)
                    return
        raise interrupted("the stream ended before message_stop")

    def _connected(self) -> AsyncAnthropic:
        """The client, opened on first use, so that a bad setting is an answer and not a crash at start."""
        if self._client is None:
            seconds = self._settings.timeout_seconds
            self._client = AsyncAnthropic(
                api_key=self._settings.api_key or None,
                base_url=self._settings.base_url or None,
                timeout=Timeout(seconds, connect=min(CONNECT_SECONDS, seconds)),
                max_retries=0,
            )
        return self._client

    @contextmanager
    def _failures(self, *, opened: bool) -> Iterator[None]:
        """Turn what the library raises into `AttemptFailed`; `opened` means that the answer has begun."""
        try:
            yield
        except (APITimeoutError, httpx2.TimeoutException) as problem:
            raise silent(self._settings.timeout_seconds, opened=opened) from problem
        except (APIConnectionError, httpx2.TransportError, anyio.EndOfStream, OSError) as problem:
            detail = str(problem.__cause__ or problem)
            raise (interrupted(detail) if opened else unreachable(detail)) from problem
        except APIStatusError as problem:
            error = problem.body.get("error") if isinstance(problem.body, Mapping) else None
            if opened:
                raise broken_inside(error) from problem
            raise refused(problem.status_code, error, problem.response.headers) from problem
        except APIResponseValidationError as problem:
            raise unusable(str(problem), opened=True) from problem
        except (ValueError, httpx2.InvalidURL) as problem:
            raise unusable(str(problem), opened=opened) from problem
        except TypeError as problem:
            # This is how the library says that it found no key.
            code = "malformed_stream" if opened else "authentication_error"
            raise AttemptFailed(code, str(problem)) from problem
        except AttemptFailed:
            raise
        except Exception as problem:
            # The library is foreign code; whatever it raises, the turn must end with words.
            raise AttemptFailed("harness_error", str(problem)) from problem


@dataclass(slots=True)
class _PartialCall:
    call_id: str
    name: str
    given: object
    fragments: str = ""

    def complete(self) -> ToolCall:
        arguments = self.fragments or fields.json_text(self.given)
        return ToolCall(call_id=self.call_id, name=self.name, arguments=arguments)


class _Answer:
    """Reads the events of one message."""

    def __init__(self) -> None:
        self.ended = False
        self._open: dict[int, _PartialCall] = {}
        self._cut_calls: list[ToolCall] = []
        self._reason = ""
        self._model = ""
        self._used = MessagesUsage()

    def read(self, event: object) -> Iterator[SampleEvent]:
        reader = _READERS.get(fields.text(event, "type"))
        if reader is not None:
            yield from reader(self, event)

    def start(self, event: object) -> Iterator[SampleEvent]:
        message = fields.required(event, "message")
        self._model = fields.optional_text(message, "model")
        self._count(fields.child(message, "usage"))
        yield from ()

    def block_start(self, event: object) -> Iterator[SampleEvent]:
        block = fields.required(event, "content_block")
        if fields.text(block, "type") == "tool_use":
            self._open[fields.index(event, "index")] = _PartialCall(
                call_id=fields.text(block, "id"),
                name=fields.text(block, "name"),
                given=fields.child(block, "input"),
            )
        elif text := fields.optional_text(block, "text"):
            yield TextDelta(text)

    def block_delta(self, event: object) -> Iterator[SampleEvent]:
        delta = fields.required(event, "delta")
        kind = fields.text(delta, "type")
        if kind == "text_delta" and (text := fields.text(delta, "text")):
            yield TextDelta(text)
        elif kind == "thinking_delta" and (thought := fields.text(delta, "thinking")):
            yield ReasoningDelta(thought)
        elif kind == "input_json_delta":
            call = self._open.get(fields.index(event, "index"))
            if call is None:
                raise MalformedEvent("input for a call that has not begun")
            call.fragments += fields.text(delta, "partial_json")

    def block_stop(self, event: object) -> Iterator[SampleEvent]:
        call = self._open.pop(fields.index(event, "index"), None)
        if call is None:
            return
        complete = call.complete()
        if fields.is_json(complete.arguments):
            yield complete
        else:
            # Either the token limit cut it, or the model wrote it badly; the stop reason will tell.
            self._cut_calls.append(complete)

    def delta(self, event: object) -> Iterator[SampleEvent]:
        self._reason = fields.optional_text(fields.required(event, "delta"), "stop_reason") or self._reason
        self._count(fields.child(event, "usage"))
        yield from ()

    def stop(self, event: object) -> Iterator[SampleEvent]:
        self.ended = True
        reason = _REASONS.get(self._reason, "stop")
        if reason != "length":
            yield from self._cut_calls
        yield self._used.of(self._model)
        yield Finished(reason)

    def _count(self, usage: object) -> None:
        details = fields.child(usage, "output_tokens_details")
        self._used.add(
            {name: fields.count(usage, name) for name in COUNTED},
            thinking=fields.count(details, "thinking_tokens"),
        )


_READERS: Final[Mapping[str, Callable[[_Answer, object], Iterator[SampleEvent]]]] = {
    "message_start": _Answer.start,
    "content_block_start": _Answer.block_start,
    "content_block_delta": _Answer.block_delta,
    "content_block_stop": _Answer.block_stop,
    "message_delta": _Answer.delta,
    "message_stop": _Answer.stop,
}
