"""Events about a session: status, input, children, its display, presence, resources."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from omnigent_client.decoding import Record
from omnigent_client.events.base import Event, SessionEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionHeartbeat(Event):
    """Nothing happened; the connection lives."""

    wire_type: ClassVar[str] = "session.heartbeat"

    server_time: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamReset(Event):
    """Events may be missing here: load the snapshot or the items. What follows comes after `resume_after`."""

    wire_type: ClassVar[str] = "stream.reset"

    conversation_id: str = ""
    reason: str = ""
    resume_after: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionStatus(SessionEvent):
    """idle, running, waiting, failed or launching; `error` has code and message when it failed."""

    wire_type: ClassVar[str] = "session.status"

    status: str
    response_id: str | None = None
    error: Mapping[str, Any] | None = None
    background_task_count: int | None = None
    background_tasks: tuple[Any, ...] | None = None
    blocked_on: Any = None  # the harness's own shape


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsumedInput(Record):
    """A stored input. For a message `data` has `role` and `content`."""

    item_id: str
    type: str = "message"
    data: Mapping[str, Any]
    created_by: str | None = None
    cleared_pending_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionInputConsumed(Event):
    """An input was stored and is on its way to the agent."""

    wire_type: ClassVar[str] = "session.input.consumed"

    data: ConsumedInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Interruption(Record):
    """When somebody asked for it (epoch seconds), and which response it was meant for if known."""

    requested_at: int
    response_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionInterrupted(Event):
    """Somebody interrupted; the turn's terminal event follows."""

    wire_type: ClassVar[str] = "session.interrupted"

    data: Interruption


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionCreated(SessionEvent):
    """A sub-agent's session was created; `conversation_id` is the parent."""

    wire_type: ClassVar[str] = "session.created"

    child_session_id: str
    agent_id: str | None = None
    parent_session_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionChildUpdated(SessionEvent):
    """A child's row changed; `child` holds the changed members, or all."""

    wire_type: ClassVar[str] = "session.child_session.updated"

    child_session_id: str
    child: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionTitle(SessionEvent):
    """The title changed."""

    wire_type: ClassVar[str] = "session.title"

    title: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionModel(SessionEvent):
    """The model that the runner really uses changed."""

    wire_type: ClassVar[str] = "session.model"

    model: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionReasoningEffort(SessionEvent):
    """The session's reasoning effort changed."""

    wire_type: ClassVar[str] = "session.reasoning_effort"

    reasoning_effort: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionUsage(SessionEvent):
    """Tokens and cost so far, of the session and all below it; None means no change."""

    wire_type: ClassVar[str] = "session.usage"

    context_tokens: int | None = None
    context_window: int | None = None
    total_cost_usd: float | None = None
    usage_by_model: Mapping[str, Mapping[str, Any]] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionAgentChanged(SessionEvent):
    """The session was switched to another agent."""

    wire_type: ClassVar[str] = "session.agent_changed"

    agent_id: str
    agent_name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionTodos(SessionEvent):
    """The agent's plan changed; the whole list."""

    wire_type: ClassVar[str] = "session.todos"

    todos: tuple[Any, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewer(Record):
    """Somebody who watches; `joined_at` in epoch seconds."""

    user_id: str
    joined_at: int
    idle: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionPresence(SessionEvent):
    """Who watches this tree of sessions now; the whole list."""

    wire_type: ClassVar[str] = "session.presence"

    viewers: tuple[Viewer, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionResourceCreated(Event):
    """A terminal, environment or file came into being."""

    wire_type: ClassVar[str] = "session.resource.created"

    resource: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionResourceDeleted(Event):
    """A resource is gone."""

    wire_type: ClassVar[str] = "session.resource.deleted"

    resource_id: str
    resource_type: str
    session_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionChangedFilesInvalidated(Event):
    """Files in the workspace may have changed."""

    wire_type: ClassVar[str] = "session.changed_files.invalidated"

    session_id: str = ""
    environment_id: str = "default"


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnEvent(Event):
    """Base of the coarse turn events."""

    session_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnStarted(TurnEvent):
    """A turn began."""

    wire_type: ClassVar[str] = "turn.started"


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnCompleted(TurnEvent):
    """A turn ended well."""

    wire_type: ClassVar[str] = "turn.completed"


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnEndedInFailure(TurnEvent):
    """A turn ended with an error."""

    wire_type: ClassVar[str] = "turn.failed"


@dataclass(frozen=True, kw_only=True, slots=True)
class TurnCancelled(TurnEvent):
    """A turn was interrupted."""

    wire_type: ClassVar[str] = "turn.cancelled"
