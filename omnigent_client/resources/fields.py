"""The keyword arguments of methods that have many: what a session is made of, changed by, filtered by."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

Order = Literal["asc", "desc"]


class GitOptions(TypedDict, total=False):
    """A git worktree for a new session, on a new branch off `workspace`; `branch_name` is required."""

    branch_name: str
    base_branch: str
    existing_worktree: bool
    existing_branch: bool


class InitialItem(TypedDict):
    """An item that a session starts with."""

    type: str
    data: Mapping[str, Any]


class NewSession(TypedDict, total=False):
    """What a new session may be given. `host_id="auto"` lets the server pick one of the caller's hosts."""

    title: str | None
    labels: Mapping[str, str] | None
    reasoning_effort: str | None
    model_override: str | None
    harness_override: str | None
    terminal_launch_args: Sequence[str] | None
    host_id: str | None
    workspace: str | None
    git: GitOptions | None
    initial_items: Sequence[InitialItem] | None
    parent_session_id: str | None
    sub_agent_name: str | None
    project_id: str | None
    idempotency_key: str | None


class SessionChanges(TypedDict, total=False):
    """What of a session can be changed; None and what is left out stay as they are.

    `title=""` removes the title, `runner_id=""` the runner, `project_id=""` files it nowhere;
    `reasoning_effort="default"` and `model_override="default"` go back to the agent's own.
    """

    title: str | None
    runner_id: str | None
    labels: Mapping[str, str] | None
    reasoning_effort: str | None
    model_override: str | None
    archived: bool | None
    delete_worktree: bool | None
    share_workspace_files: bool | None
    project_id: str | None
    external_session_id: str | None
    terminal_launch_args: Sequence[str] | None
    idempotency_key: str | None


class ForkOptions(TypedDict, total=False):
    """What a fork may differ in; see `NewSession`. `title` defaults to "Fork of …"."""

    title: str | None
    agent_id: str | None
    up_to_response_id: str | None
    model_override: str | None
    reasoning_effort: str | None
    host_id: str | None
    workspace: str | None
    git: GitOptions | None
    terminal_launch_args: Sequence[str] | None
    idempotency_key: str | None


class SessionFilters(TypedDict, total=False):
    """What a list of sessions is narrowed to and sorted by; `limit` is the size of a page, 1 to 1000."""

    limit: int | None
    after: str | None
    before: str | None
    agent_id: str | None
    agent_name: str | None
    order: Order | None
    sort_by: Literal["created_at", "updated_at"] | None
    search_query: str | None
    include_archived: bool | None
    kind: Literal["default", "sub_agent", "any"] | None
    visibility: Literal["all", "mine", "shared", "archived"] | None
    project: str | None
    pinned: bool | None


class PageFilters(TypedDict, total=False):
    """Which part of a list; `limit` is the size of a page, 1 to 1000."""

    limit: int | None
    after: str | None
    before: str | None
    order: Order | None


class PolicyChanges(TypedDict, total=False):
    """What of a policy can be changed; None and what is left out stay as they are."""

    name: str | None
    handler: str | None
    enabled: bool | None
    idempotency_key: str | None


class CommentChanges(TypedDict, total=False):
    """What of a comment can be changed; `status` is draft or addressed."""

    body: str | None
    status: str | None
    idempotency_key: str | None
