"""What belongs to a person or to the server: projects, bearers, sharing, costs."""

from typing import Any, Literal

from omnigent.api.schema.shapes import PageShape, Shape


class ProjectShape(Shape):
    """A person's folder for sessions."""

    id: str
    object: Literal["project"]
    name: str
    created_at: int
    updated_at: int
    config: dict[str, Any]


class ProjectPage(PageShape):
    """A page of projects."""

    data: list[ProjectShape]


class DeletedProject(Shape):
    """A project that is gone."""

    id: str
    object: Literal["project.deleted"]
    deleted: Literal[True]


class ProjectOrderShape(Shape):
    """How a person's projects are ordered."""

    sort_mode: Literal["alphabetical", "manual"]
    ordered_project_ids: list[str]


class ProjectName(Shape):
    """What sessions are filed under; a name that only labels hold has no id. `icon` is the client's own."""

    id: str | None
    name: str
    icon: Any


class BearerShape(Shape):
    """A bearer, and the epoch second at which it expires."""

    token: str
    expires_at: int


class SharingShape(Shape):
    """What may be shared on this server."""

    object: Literal["sharing"]
    sharing_mode: Literal["on", "read_only", "restricted_read_only", "off"]
    editable: bool
    options: list[str]
    public_sharing_enabled: bool
    public_sharing_editable: bool
    public_sharing_max_level: Literal["read", "edit"]
    public_sharing_max_level_editable: bool
    public_sharing_max_level_options: list[str]
    default_public_sessions: Literal["off"]
    default_public_sessions_editable: bool
    default_public_sessions_options: list[str]


class DailyCost(Shape):
    """What one UTC day has cost; null has no price."""

    day_utc: str
    cost_usd: float | None


class SessionCost(Shape):
    """What a session and its sub-agents have cost, by model; 0 for a model that has no price."""

    id: str
    created_at: int
    updated_at: int
    title: str | None
    cost_usd: float
    models: dict[str, float]
    unpriced_models: list[str]
    harness: str | None
    other_harnesses: list[str]
    llm_model: str | None
    agent_name: str | None


class UsageReport(Shape):
    """What a person's sessions have cost, as far as it has a price."""

    object: Literal["usage_report"]
    cost_today: float
    cost_last_7d: float
    cost_last_30d: float
    total_cost_usd: float
    daily_costs: list[DailyCost]
    sessions: list[SessionCost]
