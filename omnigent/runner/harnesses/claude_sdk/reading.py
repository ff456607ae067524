"""Turns the messages of the program into the events of a turn."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from claude_agent_sdk import (
    AssistantMessage,
    Message,
    ResultMessage,
    StreamEvent,
    SystemMessage,
    TextBlock,
)

from omnigent.runner.harnesses.base import (
    Finished,
    ModelError,
    ReasoningDelta,
    Retry,
    SampleEvent,
    TextDelta,
)
from omnigent.runner.harnesses.claude_sdk.failing import FINAL_STATUSES, provider_error
from omnigent.runner.harnesses.messages_usage import COUNTED, MessagesUsage

_REASONS: Final[Mapping[str, str]] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}
_SYNTHETIC: Final = "<synthetic>"


class Reader:
    """Reads one turn. It is over when the program has given a result and says that it is idle."""

    def __init__(self) -> None:
        self.session_id = ""
        self.has_result = False
        self.is_idle = False
        self.extra_seconds = 0.0
        """How long the program said that it will wait before it goes on."""
        self.has_begun = False
        self.partial = ""
        """Text that was streamed and that the program has not yet taken into its own transcript."""
        self._streamed = False
        self._failure: ModelError | None = None
        self._reason = ""
        self._model = ""
        self._used = MessagesUsage()

    @property
    def is_over(self) -> bool:
        return self.has_result and self.is_idle

    def read(self, message: Message) -> Iterator[SampleEvent]:
        """The events of one message. Raises ModelError for what cannot get better."""
        self.extra_seconds = 0.0
        match message:
            case StreamEvent() if message.parent_tool_use_id is None:
                yield from self._event(message.event)
            case AssistantMessage() if message.parent_tool_use_id is None:
                yield from self._said(message)
            case SystemMessage():
                yield from self._told(message.subtype, message.data)
            case ResultMessage():
                self._end(message)
            case _:
                pass

    def finish(self) -> Iterator[SampleEvent]:
        """The last event of a turn that is over. Raises ModelError when it failed."""
        if self._failure is not None:
            raise self._failure
        yield Finished(_REASONS.get(self._reason, "stop"))

    # -- the provider's stream -------------------------------------------------------------------------

    def _event(self, event: Mapping[str, Any]) -> Iterator[SampleEvent]:
        self.has_begun = True
        match event.get("type"):
            case "message_start":
                message = _object(event.get("message"))
                self._used = MessagesUsage()
                self._model = str(message.get("model") or "")
                self._count(_object(message.get("usage")))
            case "content_block_delta":
                yield from self._delta(_object(event.get("delta")))
            case "message_delta":
                self._reason = str(_object(event.get("delta")).get("stop_reason") or "")
                self._count(_object(event.get("usage")))
            case "message_stop":
                yield self._used.of(self._model)
            case _:
                pass

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[SampleEvent]:
        text, thought = delta.get("text"), delta.get("thinking")
        if delta.get("type") == "text_delta" and isinstance(text, str) and text:
            self._streamed = True
            self.partial += text
            yield TextDelta(text)
        elif delta.get("type") == "thinking_delta" and isinstance(thought, str) and thought:
            yield ReasoningDelta(thought)

    def _count(self, usage: Mapping[str, Any]) -> None:
        details = _object(usage.get("output_tokens_details"))
        self._used.add(
            {name: _number(usage.get(name)) for name in COUNTED},
            thinking=_number(details.get("thinking_tokens")),
        )

    # -- the program's own words -----------------------------------------------------------------------

    def _said(self, message: AssistantMessage) -> Iterator[SampleEvent]:
        texts = [block.text for block in message.content if isinstance(block, TextBlock)]
        if message.error is not None:
            self._failure = provider_error(" ".join(texts), kind=message.error)
            return
        if not texts:
            return
        if not self._streamed and message.model != _SYNTHETIC:
            # The provider could not stream it.
            yield from (TextDelta(text) for text in texts if text)
        self._streamed = False
        self.partial = ""

    def _told(self, subtype: str, data: Mapping[str, Any]) -> Iterator[SampleEvent]:
        self.session_id = str(data.get("session_id") or self.session_id)
        if subtype == "session_state_changed":
            self.is_idle = data.get("state") == "idle"
        elif subtype == "api_retry":
            yield from self._retry(data)

    def _retry(self, data: Mapping[str, Any]) -> Iterator[SampleEvent]:
        status, kind = data.get("error_status"), str(data.get("error") or "")
        if status in FINAL_STATUSES:
            raise provider_error("", kind=kind, status=_number(status))
        self.extra_seconds = _number(data.get("retry_delay_ms")) / 1000
        failure = provider_error(kind, kind=kind, status=_number(status) or None)
        yield Retry(
            attempt=_number(data.get("attempt")),
            max_attempts=_number(data.get("max_retries")),
            delay_seconds=self.extra_seconds,
            code=failure.code,
            message=failure.message,
        )
        if self.partial:
            # What broke off was shown, and the repetition begins anew.
            self.partial = ""
            self._streamed = False
            yield TextDelta("\n\n")

    def _end(self, message: ResultMessage) -> None:
        self.has_result = True
        self.session_id = message.session_id
        if not message.is_error:
            self._failure = None
            return
        text = message.result or "; ".join(message.errors or ()) or message.subtype
        if self._failure is None or message.api_error_status is not None:
            kind = ""
            self._failure = provider_error(text, kind=kind, status=message.api_error_status)


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _number(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
