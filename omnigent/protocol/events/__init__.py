"""Everything that a session's stream carries, one dataclass per event, and reading and writing them."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from omnigent.protocol.codec import FrameError
from omnigent.protocol.events.base import (
    Event,
)
from omnigent.protocol.events.resource import (
    SessionChangedFilesInvalidated,
    SessionResourceCreated,
    SessionResourceDeleted,
)
from omnigent.protocol.events.response import (
    ClientTaskCancel,
    CompactionCompleted,
    CompactionFailed,
    CompactionInProgress,
    ElicitationRequest,
    ElicitationResolved,
    FunctionCallOutputDelta,
    OutputFileDone,
    OutputItemDone,
    OutputTextDelta,
    PolicyDenied,
    ReasoningStarted,
    ReasoningSummaryTextDelta,
    ReasoningTextDelta,
    ResponseCancelled,
    ResponseCompleted,
    ResponseCreated,
    ResponseError,
    ResponseFailed,
    ResponseHeartbeat,
    ResponseIncomplete,
    ResponseInProgress,
    ResponseQueued,
    ResponseRetry,
)
from omnigent.protocol.events.response_object import (
    OutputTokensDetails,
    ResponseObject,
    ResponseStatus,
    ResponseUsage,
    response_object,
)
from omnigent.protocol.events.session import (
    ConsumedInput,
    Interruption,
    SessionAgentChanged,
    SessionChildUpdated,
    SessionCreated,
    SessionHeartbeat,
    SessionInputConsumed,
    SessionInterrupted,
    SessionModel,
    SessionPresence,
    SessionReasoningEffort,
    SessionStatus,
    SessionStatusWord,
    SessionTitle,
    SessionTodos,
    SessionUsage,
    StreamReset,
    Viewer,
    message_data,
)
from omnigent.protocol.events.turn import (
    Compaction,
    SessionStateReset,
    TurnCancelled,
    TurnCompleted,
    TurnFailed,
    TurnStarted,
)
from omnigent.protocol.table import Table

__all__ = [
    "EVENT_TYPES",
    "RUNNER_ONLY",
    "SYNTHETIC",
    "TERMINAL",
    "ClientTaskCancel",
    "Compaction",
    "CompactionCompleted",
    "CompactionFailed",
    "CompactionInProgress",
    "ConsumedInput",
    "ElicitationRequest",
    "ElicitationResolved",
    "Event",
    "FrameError",
    "FunctionCallOutputDelta",
    "Interruption",
    "OutputFileDone",
    "OutputItemDone",
    "OutputTextDelta",
    "OutputTokensDetails",
    "PolicyDenied",
    "ReasoningStarted",
    "ReasoningSummaryTextDelta",
    "ReasoningTextDelta",
    "ResponseCancelled",
    "ResponseCompleted",
    "ResponseCreated",
    "ResponseError",
    "ResponseFailed",
    "ResponseHeartbeat",
    "ResponseInProgress",
    "ResponseIncomplete",
    "ResponseObject",
    "ResponseQueued",
    "ResponseRetry",
    "ResponseStatus",
    "ResponseUsage",
    "SessionAgentChanged",
    "SessionChangedFilesInvalidated",
    "SessionChildUpdated",
    "SessionCreated",
    "SessionHeartbeat",
    "SessionInputConsumed",
    "SessionInterrupted",
    "SessionModel",
    "SessionPresence",
    "SessionReasoningEffort",
    "SessionResourceCreated",
    "SessionResourceDeleted",
    "SessionStateReset",
    "SessionStatus",
    "SessionStatusWord",
    "SessionTitle",
    "SessionTodos",
    "SessionUsage",
    "StreamReset",
    "TurnCancelled",
    "TurnCompleted",
    "TurnFailed",
    "TurnStarted",
    "UnknownEvent",
    "Viewer",
    "bind",
    "error_object",
    "message_data",
    "parse",
    "response_object",
    "to_json",
]


class UnknownEvent(FrameError):
    """An event of a type that this end does not know; it is logged and dropped."""


TABLE: Table[Event] = Table(
    "type",
    (
        SessionHeartbeat, StreamReset, SessionStatus, SessionInputConsumed, SessionInterrupted,
        SessionCreated, SessionChildUpdated, SessionTitle, SessionModel, SessionReasoningEffort,
        SessionUsage, SessionAgentChanged, SessionTodos, SessionPresence, SessionResourceCreated,
        SessionResourceDeleted, SessionChangedFilesInvalidated, ResponseCreated, ResponseQueued,
        ResponseInProgress, ResponseCompleted, ResponseFailed, ResponseCancelled, ResponseIncomplete,
        OutputTextDelta, ReasoningStarted, ReasoningTextDelta, ReasoningSummaryTextDelta, OutputItemDone,
        FunctionCallOutputDelta, ElicitationRequest, ElicitationResolved, PolicyDenied,
        CompactionInProgress, CompactionCompleted, CompactionFailed, ResponseError, ResponseRetry,
        ResponseHeartbeat, OutputFileDone, ClientTaskCancel, TurnStarted, TurnCompleted, TurnFailed,
        TurnCancelled, Compaction, SessionStateReset,
    ),
    unknown=UnknownEvent,
)  # fmt: skip

EVENT_TYPES: Mapping[str, type[Event]] = TABLE.classes
"""Every event type and its class."""

TERMINAL = frozenset({"response.completed", "response.failed", "response.cancelled", "response.incomplete"})
"""Each response ends with exactly one of these."""

RUNNER_ONLY = frozenset({"compaction", "session.state_reset"})
"""Sent by a runner to the server and not shown to clients."""

SYNTHETIC = frozenset({"session.heartbeat", "stream.reset"})
"""Made for one connection; never in the log, no `id:` on the wire."""


def parse(mapping: Mapping[str, Any]) -> Event:
    """The event in a decoded JSON object; members that the class does not name are dropped.

    Raises FrameError, for a type it does not know UnknownEvent.
    """
    return TABLE.load(mapping)


def to_json(event: Event) -> bytes:
    """One line of compact JSON: `type` first, then every member, nulls included.

    Raises FrameError when the event holds what JSON cannot say.
    """
    return TABLE.encode(event)


def bind(event: Event, session_id: str) -> Event:
    """The event as one of this session, whatever its sender wrote into the member that names the session."""
    member = event.session_member
    if member is None or getattr(event, member) == session_id:
        return event
    change: dict[str, Any] = {member: session_id}
    return dataclasses.replace(event, **change)


def error_object(
    code: str,
    message: str,
    *,
    title: str | None = None,
    cause: str | None = None,
    remediation: str | None = None,
    undelivered: Any = None,  # what the harness could not deliver; its own shape
) -> dict[str, Any]:
    """The `error` of a failed status or response, with all its members."""
    return {
        "code": code,
        "message": message,
        "title": title,
        "cause": cause,
        "remediation": remediation,
        "undelivered": undelivered,
    }
