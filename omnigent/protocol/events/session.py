"""Events about a session: status, input, children, labels of its display, presence."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from omnigent.protocol.events.base import Event, SessionEvent

SessionStatusWord = Literal["idle", "running", "waiting", "failed", "launching"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionHeartbeat(Event):
    """First on connect, then after every 15 s of silence; never in the log."""

    type: ClassVar[str] = "session.heartbeat"

    server_time: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class StreamReset(Event):
    """The cursor cannot be resumed: load the snapshot and go on after its `resume_after`."""

    type: ClassVar[str] = "stream.reset"
    session_member: ClassVar[str | None] = "conversation_id"

    conversation_id: str = ""
    reason: str = ""
    resume_after: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionStatus(SessionEvent):
    """The session's status changed; `error` is an object with code and message when it failed."""

    type: ClassVar[str] = "session.status"

    status: SessionStatusWord
    response_id: str | None = None
    error: dict[str, Any] | None = None
    background_task_count: int | None = None
    background_tasks: list[Any] | None = None
    blocked_on: Any = None  # harness-specific; handed through


@dataclass(frozen=True, kw_only=True, slots=True)
class ConsumedInput:
    """A stored input; `data` is that of `message_data` for messages, the item's own data otherwise."""

    item_id: str
    type: str = "message"
    data: dict[str, Any]
    created_by: str | None = None
    cleared_pending_id: str | None = None


def message_data(
    *,
    role: str,
    content: list[Any],
    agent: str | None = None,
    user_authored: bool | None = None,
    stream_message_id: str | None = None,
) -> dict[str, Any]:
    """The `data` of a consumed message, with all its members."""
    return {
        "role": role,
        "content": content,
        "agent": agent,
        "user_authored": user_authored,
        "stream_message_id": stream_message_id,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionInputConsumed(Event):
    """An input was stored and is on its way to the agent."""

    type: ClassVar[str] = "session.input.consumed"

    data: ConsumedInput


@dataclass(frozen=True, kw_only=True, slots=True)
class Interruption:
    """When somebody asked for it (epoch seconds), and which response it was meant for if known."""

    requested_at: int
    response_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionInterrupted(Event):
    """Somebody interrupted the turn; its terminal event follows."""

    type: ClassVar[str] = "session.interrupted"

    data: Interruption


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionCreated(SessionEvent):
    """A sub-agent's session was created; `conversation_id` is the parent."""

    type: ClassVar[str] = "session.created"

    child_session_id: str
    agent_id: str | None = None
    parent_session_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionChildUpdated(SessionEvent):
    """A child's row changed; `child` holds the changed members, or all."""

    type: ClassVar[str] = "session.child_session.updated"

    child_session_id: str
    child: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionTitle(SessionEvent):
    """The title changed."""

    type: ClassVar[str] = "session.title"

    title: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionModel(SessionEvent):
    """The model that the runner really uses changed."""

    type: ClassVar[str] = "session.model"

    model: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionReasoningEffort(SessionEvent):
    """The session's reasoning effort changed."""

    type: ClassVar[str] = "session.reasoning_effort"

    reasoning_effort: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionUsage(SessionEvent):
    """Tokens and cost so far, of the whole subtree; null means no change."""

    type: ClassVar[str] = "session.usage"

    context_tokens: int | None = None
    context_window: int | None = None
    total_cost_usd: float | None = None
    usage_by_model: Mapping[str, dict[str, Any]] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionAgentChanged(SessionEvent):
    """The session was switched to another agent."""

    type: ClassVar[str] = "session.agent_changed"

    agent_id: str
    agent_name: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionTodos(SessionEvent):
    """The agent's plan changed; the whole list."""

    type: ClassVar[str] = "session.todos"

    todos: list[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Viewer:
    """Somebody who watches; `joined_at` in epoch seconds."""

    user_id: str
    joined_at: int
    idle: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionPresence(SessionEvent):
    """Who watches this tree of sessions now; the whole list."""

    type: ClassVar[str] = "session.presence"

    viewers: tuple[Viewer, ...] = ()
