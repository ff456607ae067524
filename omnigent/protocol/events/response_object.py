"""The response object that the response events carry."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from omnigent.protocol import codec

ResponseStatus = Literal["queued", "in_progress", "completed", "failed", "cancelled", "incomplete"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseObject:
    """One response of an agent; `model` is the agent's name, as in items. Times in epoch seconds."""

    id_: str
    object: str = "response"
    status: ResponseStatus
    model: str
    created_at: int
    completed_at: int | None = None
    output: tuple[dict[str, Any], ...] = ()
    background: bool = False
    store: bool = True
    usage: dict[str, Any] | None = None
    previous_response_id: str | None = None
    conversation: Any = None  # OpenAI's own shapes from here on; handed through
    instructions: Any = None
    reasoning: Any = None
    error: dict[str, Any] | None = None
    incomplete_details: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputTokensDetails:
    """Which of the output tokens were thinking."""

    reasoning_tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseUsage:
    """`usage` of a completed response; `context_tokens` is what the context holds after it."""

    input_tokens: int = 0
    output_tokens: int = 0
    output_tokens_details: OutputTokensDetails = OutputTokensDetails()
    total_tokens: int = 0
    context_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0
    model: str | None = None
    cost_usd: float | None = None


def response_object(
    *,
    id: str,
    status: ResponseStatus,
    model: str,
    created_at: int,
    completed_at: int | None = None,
    usage: ResponseUsage | None = None,
    error: Mapping[str, Any] | None = None,
    incomplete_details: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A response with all its members, ready for an event's `response`."""
    return codec.dump(
        ResponseObject(
            id_=id,
            status=status,
            model=model,
            created_at=created_at,
            completed_at=completed_at,
            usage=None if usage is None else codec.dump(usage),
            error=None if error is None else dict(error),
            incomplete_details=None if incomplete_details is None else dict(incomplete_details),
        )
    )
