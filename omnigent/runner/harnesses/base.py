"""What a harness is: the model-side half of a turn, and the events it yields to the runner."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolSchema:
    """A tool as it is offered to a model; `parameters` is a JSON Schema object."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelRequest:
    """One sampling request: everything the model sees.

    `items` are conversation items in the flat form of `GET /v1/sessions/{id}/items`, oldest first.
    """

    model: str
    instructions: str
    items: Sequence[Mapping[str, Any]]
    tools: Sequence[ToolSchema] = ()
    reasoning_effort: str | None = None
    max_output_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    """Visible assistant text, as streamed."""

    text: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """Thinking text; `summary` tells a summary from raw reasoning."""

    text: str
    summary: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """A complete call that the model asks for; `arguments` is the JSON text as the model wrote it."""

    call_id: str
    name: str
    arguments: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """The request failed in a way worth repeating; it is repeated after `delay_seconds`."""

    attempt: int
    max_attempts: int
    delay_seconds: float
    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """Tokens of one sampling request; `context_tokens` is what the context holds after it."""

    input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    context_tokens: int = 0
    model: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """Last event of a sample: `stop`, `tool_calls`, `length` or `content_filter`."""

    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ApprovalRequest:
    """The harness itself asks a person before it goes on; the runner answers through `approvals`."""

    elicitation_id: str
    message: str
    preview: str = ""


SampleEvent = TextDelta | ReasoningDelta | ToolCall | Retry | Usage | Finished | ApprovalRequest


class ModelError(Exception):
    """A sample failed for good; `code` is a short machine word, `message` says what a person can do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Model(Protocol):
    """One way to sample from a model. An adapter holds no conversation: each request carries all of it.

    `sample` streams events and ends with `Usage` (when known) and `Finished`; it raises `ModelError`.
    Cancelling the consuming task closes the connection to the provider.
    """

    def sample(self, request: ModelRequest) -> AsyncIterator[SampleEvent]:
        """Stream one model response."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelSettings:
    """How an adapter reaches its provider; empty strings mean "the library's own default".

    `retried_statuses` None are those that are worth it; `has_jitter` false has waits as long as they can be.
    """

    api_key: str = ""
    base_url: str = ""
    timeout_seconds: float = 120.0
    max_retries: int = 7
    backoff_base_seconds: float = 2.0
    backoff_max_seconds: float = 60.0
    has_jitter: bool = True
    retried_statuses: frozenset[int] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
