"""What a runner or a program beside it posts about a conversation that happens elsewhere: `external_*`."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from omnigent.protocol import codec, items
from omnigent.protocol.inputs.errors import InputError

MAX_TITLE = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalAssistantMessage:
    """Store and show an assistant message without running a turn."""

    agent: str
    text: str
    response_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalConversationItem:
    """Store an item of any type; a `source_id` that was seen before is not stored again.

    `pending_id` names the posted message that a transcript has now.
    """

    item: items.ItemData
    response_id: str | None = None
    message_id: str | None = None
    source_id: str | None = None
    pending_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RawConversationItem:
    """The posted form of an external item."""

    item_type: str
    item_data: Mapping[str, Any]
    response_id: str | None = None
    message_id: str | None = None
    source_id: str | None = None
    pending_id: str | None = None


def read_conversation_item(data: Mapping[str, Any]) -> ExternalConversationItem:
    """An item of any type, checked like one of ours."""
    raw = codec.load(RawConversationItem, data)
    return ExternalConversationItem(
        item=items.parse_item(raw.item_type, raw.item_data),
        response_id=raw.response_id,
        message_id=raw.message_id,
        source_id=raw.source_id,
        pending_id=raw.pending_id,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalTextDelta:
    """Show some text; nothing is stored."""

    delta: str
    message_id: str | None = None
    index: int | None = None
    final: bool | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalToolOutputDelta:
    """Show some tool output."""

    call_id: str
    delta: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalReasoningDelta:
    """Show some thinking; `started` announces it first."""

    delta: str
    started: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalSessionStatus:
    """An edge of the status."""

    status: Literal["idle", "running", "waiting", "failed"]
    response_id: str | None = None
    output: str | None = None
    background_task_count: int | None = None
    background_tasks: list[Any] | None = None
    blocked_on: Any = None  # harness-specific; handed through


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalSessionInterrupted:
    """Somebody interrupted the turn elsewhere."""

    response_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalSessionUsage:
    """Totals so far. They replace what was known and never make it smaller."""

    context_tokens: int | None = None
    context_window: int | None = None
    cumulative_cost_usd: float | None = None
    policy_cost_usd: float | None = None
    cumulative_input_tokens: int | None = None
    cumulative_output_tokens: int | None = None
    cumulative_cache_read_input_tokens: int | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        totals = {
            "context_tokens": self.context_tokens,
            "context_window": self.context_window,
            "cumulative_cost_usd": self.cumulative_cost_usd,
            "policy_cost_usd": self.policy_cost_usd,
            "cumulative_input_tokens": self.cumulative_input_tokens,
            "cumulative_output_tokens": self.cumulative_output_tokens,
        }
        if all(value is None for value in totals.values()):
            raise InputError(f"one of {', '.join(totals)} is required")
        totals["cumulative_cache_read_input_tokens"] = self.cumulative_cache_read_input_tokens
        for name, value in totals.items():
            if value is not None and value < 0:
                raise InputError(f"{name}: must not be negative")
        if self.context_window == 0:
            raise InputError("context_window: must be positive")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalElicitationResolved:
    """A prompt was answered elsewhere."""

    elicitation_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalCompactionStatus:
    """Compaction that somebody else does."""

    status: Literal["in_progress", "completed", "failed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalSessionTitle:
    """A title of one line."""

    title: str

    def __post_init__(self) -> None:
        if not 1 <= len(self.title.strip()) <= MAX_TITLE or "\n" in self.title or "\r" in self.title:
            raise InputError(f"title: must be one line of 1 to {MAX_TITLE} characters")


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalSessionTodos:
    """The agent's plan, whole."""

    todos: list[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalModelChange:
    """The model was changed elsewhere."""

    model: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalReasoningEffortChange:
    """The reasoning effort was changed elsewhere."""

    reasoning_effort: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ExternalSubagentStart:
    """A sub-agent was started elsewhere; the same `subagent_id` makes one child."""

    subagent_id: str
    agent_type: str | None = None
    description: str | None = None
    tool_use_id: str | None = None
