"""Sessions: the snapshot, rows of lists, sub-agents, and the small answers about one session."""

from typing import Any, Literal

from pydantic import ConfigDict

from omnigent.api.schema.families import ITEM, STORED_ITEM
from omnigent.api.schema.shapes import PageShape, Shape, component

Status = Literal["idle", "running", "waiting", "failed"]
Usage = dict[str, dict[str, int | float | None]]


class SessionError(Shape):
    """Why the last turn failed."""

    model_config = ConfigDict(extra="allow")

    code: str
    message: str


class Snapshot(Shape):
    """A session with everything that is needed to show it; the stream goes on after `resume_after`."""

    id: str
    agent_id: str | None
    agent_name: str | None
    status: Status
    created_at: int
    updated_at: int
    title: str | None
    labels: dict[str, str]
    kind: str
    parent_session_id: str | None
    root_conversation_id: str
    sub_agent_name: str | None
    project_id: str | None
    archived: bool
    runner_id: str | None
    runner_online: bool | None
    host_id: str | None
    host_online: bool | None
    reasoning_effort: str | None
    model_override: str | None
    harness: str | None
    llm_model: str | None
    workspace: str | None
    git_branch: str | None
    external_session_id: str | None
    terminal_launch_args: list[str] | None
    permission_level: int | None
    active_response_id: str | None
    last_task_error: SessionError | None
    resume_after: int
    context_window: int | None
    last_total_tokens: int | None
    items: list[component(STORED_ITEM)]  # type: ignore[valid-type]  # made by a function
    pending_elicitations: list[dict[str, Any]]
    pending_inputs: list[dict[str, Any]]
    total_cost_usd: float | None
    usage_by_model: Usage | None
    usage_included: bool
    share_workspace_files: bool
    background_task_count: int | None
    background_tasks: list[Any] | None
    model_options: Any
    inference_configured: bool | None
    inference_error: str | None
    terminal_pending: bool | None
    sandbox_status: Any
    mcp_startup: Any
    cost_control_mode_override: str | None
    subagent_routing_override: str | None
    todos: list[Any] | None
    host_resumable: bool | None


class CreatedSnapshot(Snapshot):
    """The snapshot of a new session; after an upload its id comes as `session_id` too."""

    session_id: str = ""


class SessionRow(Shape):
    """A session in a list; what it does not have is left out."""

    id: str
    agent_id: str | None
    agent_name: str | None
    status: Status
    created_at: int
    updated_at: int
    labels: dict[str, str]
    archived: bool
    pending_elicitations_count: int
    comments_count: int
    title: str = ""
    runner_id: str = ""
    host_id: str = ""
    workspace: str = ""
    git_branch: str = ""
    reasoning_effort: str = ""
    external_session_id: str = ""
    parent_session_id: str = ""
    project_id: str = ""
    owner: str = ""
    comments_updated_at: int = 0
    viewer_last_seen: int = 0
    viewer_unread: bool = False
    permission_level: int | None = None
    search_snippet: str = ""


class SessionPage(PageShape):
    """A page of sessions; `search_partial` when there was no time to look everywhere."""

    data: list[SessionRow]
    search_partial: bool = False


class ChildRow(Shape):
    """A sub-agent's session."""

    id: str
    object: Literal["child_session"]
    parent_session_id: str
    title: str | None
    task_summary: str | None
    tool: str | None
    session_name: str | None
    kind: Literal["sub_agent"]
    created_at: int
    updated_at: int
    agent_id: str | None
    agent_name: str | None
    current_task_id: str | None
    current_task_status: Literal["in_progress", "failed", "completed"] | None
    busy: bool
    labels: dict[str, str]
    last_task_error: SessionError | None
    last_message_preview: str | None
    pending_elicitations_count: int
    routed_model: str | None
    routing_decision_id: str | None


class ChildPage(PageShape):
    """A page of sub-agents' sessions."""

    data: list[ChildRow]


class ItemPage(PageShape):
    """A page of a session's items."""

    data: list[component(ITEM)]  # type: ignore[valid-type]  # made by a function


class SessionLabels(Shape):
    """A session's labels by key."""

    id: str
    labels: dict[str, str]


class SessionOwner(Shape):
    """Whose session it is."""

    owner: str | None


class DeletedSession(Shape):
    """A session that is gone, with its sub-agents."""

    id: str
    object: Literal["conversation.deleted"]
    deleted: Literal[True]


class TitleOutcome(Shape):
    """Whether a proposed title was taken, the one that stands, and why it was kept."""

    renamed: bool
    title: str | None
    reason: Literal["not_top_level", "no_seed", "title_changed"] | None


class ModelReset(Shape):
    """Whether the override was cleared; false when it had been changed meanwhile."""

    reset: bool
