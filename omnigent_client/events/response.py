"""Events of a response: its life, text, reasoning, items, approvals, compaction, retries."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from omnigent_client.events.base import Event, SessionEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseEvent(Event):
    """Base of the events that carry a whole response object: `id`, `status`, `model`, `created_at`, …"""

    response: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseCreated(ResponseEvent):
    """Opens the replay, on connect, of what a running response has shown so far."""

    wire_type: ClassVar[str] = "response.created"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseQueued(ResponseEvent):
    """The response waits for its turn."""

    wire_type: ClassVar[str] = "response.queued"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseInProgress(ResponseEvent):
    """The response begins."""

    wire_type: ClassVar[str] = "response.in_progress"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseCompleted(ResponseEvent):
    """The response ended well; `response["usage"]` is set."""

    wire_type: ClassVar[str] = "response.completed"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseFailed(ResponseEvent):
    """The response ended with `response["error"]`; `source` is llm, execution, tool or harness."""

    wire_type: ClassVar[str] = "response.failed"

    source: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseCancelled(ResponseEvent):
    """The response was interrupted."""

    wire_type: ClassVar[str] = "response.cancelled"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseIncomplete(ResponseEvent):
    """The response ended before its time; `response["incomplete_details"]` says why."""

    wire_type: ClassVar[str] = "response.incomplete"


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputTextDelta(Event):
    """Some more of the answer's text."""

    wire_type: ClassVar[str] = "response.output_text.delta"

    delta: str
    message_id: str | None = None
    index: int | None = None
    final: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasoningStarted(Event):
    """The model begins to think."""

    wire_type: ClassVar[str] = "response.reasoning.started"


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasoningTextDelta(Event):
    """Some more of the model's thinking; live only, never stored."""

    wire_type: ClassVar[str] = "response.reasoning_text.delta"

    delta: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReasoningSummaryTextDelta(Event):
    """Some more of a summary of the model's thinking; live only, never stored."""

    wire_type: ClassVar[str] = "response.reasoning_summary_text.delta"

    delta: str


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputItemDone(Event):
    """An item in its flat form. Calls come several times, told by `status`; match them on `call_id`."""

    wire_type: ClassVar[str] = "response.output_item.done"

    item: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionCallOutputDelta(Event):
    """Some more of a running tool's output."""

    wire_type: ClassVar[str] = "response.function_call_output.delta"

    call_id: str
    delta: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ElicitationRequest(Event):
    """Somebody must approve or fill in something; `params` says what."""

    wire_type: ClassVar[str] = "response.elicitation_request"

    elicitation_id: str
    method: str = "elicitation/create"
    params: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ElicitationResolved(Event):
    """An elicitation is answered (accept, decline, cancel) or void (None); may come twice."""

    wire_type: ClassVar[str] = "response.elicitation_resolved"

    elicitation_id: str
    action: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyDenied(SessionEvent):
    """A policy refused a tool call."""

    wire_type: ClassVar[str] = "response.policy_denied"

    reason: str | None = None
    phase: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CompactionInProgress(Event):
    """History is being summarised."""

    wire_type: ClassVar[str] = "response.compaction.in_progress"

    started_at: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CompactionCompleted(Event):
    """History is summarised; older items stay in the transcript."""

    wire_type: ClassVar[str] = "response.compaction.completed"

    total_tokens: int | None = None
    summary: str | None = None
    summary_model: str | None = None
    compacted_messages: tuple[Any, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class CompactionFailed(Event):
    """History could not be summarised and is unchanged."""

    wire_type: ClassVar[str] = "response.compaction.failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseError(Event):
    """An error that does not end the response."""

    wire_type: ClassVar[str] = "response.error"

    source: str | None = None
    error: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseRetry(Event):
    """A request to the model failed and is repeated after `delay_seconds`."""

    wire_type: ClassVar[str] = "response.retry"

    source: str | None = None
    error: Mapping[str, Any]
    attempt: int | None = None
    max_attempts: int | None = None
    delay_seconds: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResponseHeartbeat(Event):
    """The harness is alive in a long silence."""

    wire_type: ClassVar[str] = "response.heartbeat"


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputFileDone(Event):
    """The agent produced a file."""

    wire_type: ClassVar[str] = "response.output_file.done"

    file_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ClientTaskCancel(Event):
    """A tool call that the client runs is no longer wanted; None means all of them."""

    wire_type: ClassVar[str] = "response.client_task.cancel"

    call_id: str | None = None
