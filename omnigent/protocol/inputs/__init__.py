"""Bodies of `POST /v1/sessions/{id}/events`: the envelope, and one payload class per event type."""

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from omnigent.protocol import codec, items
from omnigent.protocol.codec import FrameError
from omnigent.protocol.inputs.envelope import Envelope, SessionEvent, read_envelope, read_event
from omnigent.protocol.inputs.errors import EnvelopeError, InputError
from omnigent.protocol.inputs.external import (
    ExternalAssistantMessage,
    ExternalCompactionStatus,
    ExternalConversationItem,
    ExternalElicitationResolved,
    ExternalModelChange,
    ExternalReasoningDelta,
    ExternalReasoningEffortChange,
    ExternalSessionInterrupted,
    ExternalSessionStatus,
    ExternalSessionTitle,
    ExternalSessionTodos,
    ExternalSessionUsage,
    ExternalSubagentStart,
    ExternalTextDelta,
    ExternalToolOutputDelta,
    read_conversation_item,
)
from omnigent.protocol.inputs.payloads import (
    Approval,
    Compact,
    Interrupt,
    McpElicitation,
    MessageInput,
    RetrySession,
    SlashCommand,
    StopSession,
    StoredItem,
    ToolResult,
    read_approval,
    read_call,
    read_message,
)

__all__ = [
    "INPUT_TYPES",
    "Approval",
    "Compact",
    "Envelope",
    "EnvelopeError",
    "ExternalAssistantMessage",
    "ExternalCompactionStatus",
    "ExternalConversationItem",
    "ExternalElicitationResolved",
    "ExternalModelChange",
    "ExternalReasoningDelta",
    "ExternalReasoningEffortChange",
    "ExternalSessionInterrupted",
    "ExternalSessionStatus",
    "ExternalSessionTitle",
    "ExternalSessionTodos",
    "ExternalSessionUsage",
    "ExternalSubagentStart",
    "ExternalTextDelta",
    "ExternalToolOutputDelta",
    "InputError",
    "Interrupt",
    "McpElicitation",
    "MessageInput",
    "Payload",
    "RetrySession",
    "SessionEvent",
    "SlashCommand",
    "StopSession",
    "StoredItem",
    "ToolResult",
    "is_external",
    "read_envelope",
    "read_event",
    "read_payload",
]

Payload = (
    MessageInput
    | Interrupt
    | Approval
    | Compact
    | StopSession
    | RetrySession
    | ToolResult
    | SlashCommand
    | McpElicitation
    | StoredItem
    | ExternalAssistantMessage
    | ExternalConversationItem
    | ExternalTextDelta
    | ExternalToolOutputDelta
    | ExternalReasoningDelta
    | ExternalSessionStatus
    | ExternalSessionInterrupted
    | ExternalSessionUsage
    | ExternalElicitationResolved
    | ExternalCompactionStatus
    | ExternalSessionTitle
    | ExternalSessionTodos
    | ExternalModelChange
    | ExternalReasoningEffortChange
    | ExternalSubagentStart
)
Read = Callable[[Mapping[str, Any]], Payload]


def plain(cls: type[Payload]) -> Read:
    """The reader of a payload whose class says everything."""
    return functools.partial(codec.load, cls)


def stored(type: str) -> Read:
    """The reader of an item that is stored as it is."""
    return lambda data: StoredItem(item=items.parse_item(type, data))


READERS: Mapping[str, Read] = MappingProxyType(
    {
        "message": read_message,
        "interrupt": plain(Interrupt),
        "approval": read_approval,
        "compact": plain(Compact),
        "function_call_output": plain(ToolResult),
        "slash_command": plain(SlashCommand),
        "stop_session": plain(StopSession),
        "retry_session": plain(RetrySession),
        "mcp_elicitation": plain(McpElicitation),
        "function_call": read_call,
        **{
            type: stored(type)
            for type in (
                "error",
                "reasoning",
                "compaction",
                "native_tool",
                "resource_event",
                "routing_decision",
                "terminal_command",
            )
        },
        "external_assistant_message": plain(ExternalAssistantMessage),
        "external_conversation_item": read_conversation_item,
        "external_output_text_delta": plain(ExternalTextDelta),
        "external_tool_output_delta": plain(ExternalToolOutputDelta),
        "external_output_reasoning_delta": plain(ExternalReasoningDelta),
        "external_session_status": plain(ExternalSessionStatus),
        "external_session_interrupted": plain(ExternalSessionInterrupted),
        "external_session_usage": plain(ExternalSessionUsage),
        "external_elicitation_resolved": plain(ExternalElicitationResolved),
        "external_compaction_status": plain(ExternalCompactionStatus),
        "external_session_title": plain(ExternalSessionTitle),
        "external_session_todos": plain(ExternalSessionTodos),
        "external_model_change": plain(ExternalModelChange),
        "external_reasoning_effort_change": plain(ExternalReasoningEffortChange),
        "external_subagent_start": plain(ExternalSubagentStart),
    }
)

INPUT_TYPES: tuple[str, ...] = tuple(READERS)
"""Every type that may be posted."""


def is_external(type: str) -> bool:
    """Whether only the owner or the session's own runner may post this type."""
    return type.startswith("external_")


def read_payload(event: SessionEvent) -> Payload:
    """Check an event's data against its type. Raises InputError (400) with a text for the client."""
    read = READERS.get(event.type)
    if read is None:
        allowed = ", ".join(INPUT_TYPES)
        raise InputError(f"Unknown event type {event.type[:100]!r}. Allowed types: {allowed}")
    try:
        if items.NUL_ESCAPE not in codec.encode(event.data):
            return read(event.data)
        if is_external(event.type):
            # A mirrored transcript with a hole would be worse than one with a replaced character.
            return read(items.scrub(event.data))
        items.check_text(event.data)
        return read(event.data)
    except (FrameError, InputError, items.InvalidItem) as error:
        raise InputError(f"Invalid data payload for event type '{event.type}': {error}") from None
