"""Sessions, their list rows, sub-agents, and the answers to what is posted to them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from omnigent_client.decoding import Record
from omnigent_client.records.items import Item


@dataclass(frozen=True, kw_only=True, slots=True)
class Session(Record):
    """A snapshot. Times in epoch seconds; None is "not known" or "not set".

    `items` are the newest 100, oldest first. `stream(id, after=resume_after)` yields what the snapshot does
    not show yet.
    """

    id: str
    agent_id: str
    status: str
    created_at: int
    agent_name: str | None = None
    updated_at: int | None = None
    title: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    runner_id: str | None = None
    runner_online: bool | None = None
    host_id: str | None = None
    host_online: bool | None = None
    items: tuple[Item, ...] = ()
    reasoning_effort: str | None = None
    model_override: str | None = None
    llm_model: str | None = None
    harness: str | None = None
    workspace: str | None = None
    git_branch: str | None = None
    external_session_id: str | None = None
    project_id: str | None = None
    archived: bool = False
    permission_level: int | None = None
    kind: str | None = None
    parent_session_id: str | None = None
    root_conversation_id: str | None = None
    sub_agent_name: str | None = None
    active_response_id: str | None = None
    resume_after: int | None = None
    last_task_error: Mapping[str, Any] | None = None
    pending_elicitations: tuple[Mapping[str, Any], ...] = ()
    pending_inputs: tuple[Mapping[str, Any], ...] = ()
    context_window: int | None = None
    last_total_tokens: int | None = None
    total_cost_usd: float | None = None
    usage_by_model: Mapping[str, Mapping[str, Any]] | None = None
    todos: tuple[Any, ...] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRow(Record):
    """A session in a list, where a session that waits for its sub-agents counts as running."""

    id: str
    agent_id: str
    status: str
    created_at: int
    updated_at: int | None = None
    agent_name: str | None = None
    title: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    runner_id: str | None = None
    host_id: str | None = None
    workspace: str | None = None
    git_branch: str | None = None
    reasoning_effort: str | None = None
    external_session_id: str | None = None
    parent_session_id: str | None = None
    project_id: str | None = None
    permission_level: int | None = None
    owner: str | None = None
    archived: bool = False
    pending_elicitations_count: int = 0
    comments_count: int | None = None
    viewer_last_seen: int | None = None
    viewer_unread: bool | None = None
    search_snippet: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ChildSession(Record):
    """A sub-agent's session as its parent lists it."""

    id: str
    parent_session_id: str | None = None
    title: str | None = None
    task_summary: str | None = None
    tool: str | None = None
    session_name: str | None = None
    kind: str | None = None
    created_at: int | None = None
    updated_at: int | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    current_task_id: str | None = None
    current_task_status: str | None = None
    busy: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    last_task_error: Any = None  # null, a text, or an object with code and message
    last_message_preview: str | None = None
    pending_elicitations_count: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class EventReceipt(Record):
    """What the server did with a posted event. A `denied` message was refused by a policy, for `reason`."""

    queued: bool
    item_id: str | None = None
    pending_id: str | None = None
    denied: bool = False
    reason: str | None = None
    elicitation_id: str | None = None
    resolution: Mapping[str, Any] | None = None
    recovered: bool | None = None
    recovery: str | None = None
    verdict: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Deleted(Record):
    """Something is gone."""

    deleted: bool = True
    id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Retitled(Record):
    """Whether a title was taken, and why not."""

    renamed: bool
    title: str | None = None
    reason: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Elicitation(Record):
    """Something that a person must approve or fill in; `status` is pending or resolved."""

    status: str
    message: str | None = None
    phase: str | None = None
    policy_name: str | None = None
    content_preview: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Imported(Record):
    """A session that came out of an archive, and what could not be brought along."""

    session_id: str | None = None
    id: str | None = None
    missing: Any = None  # the server's own list of what it could not find
