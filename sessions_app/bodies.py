"""What the session endpoints take: request bodies and query strings as strict models."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from omnigent.api.pagination import PageQuery
from policies_app.bodies import AttachedPolicy

Title = Annotated[str, Field(max_length=200)]
Label = Annotated[str, Field(min_length=1, max_length=256)]
LaunchArgument = Annotated[str, Field(max_length=4096)]
Word = Annotated[str, Field(max_length=256)]

MAX_POLICIES = 50
"""So many may be given to a session: each of them runs before every action."""


def _different_names(policies: list[AttachedPolicy]) -> list[AttachedPolicy]:
    names = [policy.name for policy in policies]
    twice = [name for at, name in enumerate(names) if name in names[:at]]
    if twice:
        raise ValueError(f"two policies are named '{twice[0]}'")
    return policies


Policies = Annotated[list[AttachedPolicy], Field(max_length=MAX_POLICIES), AfterValidator(_different_names)]


class GitOptions(BaseModel):
    """A work tree for the session, made from its workspace."""

    model_config = ConfigDict(extra="ignore")

    branch_name: Annotated[str, Field(min_length=1, max_length=256)]
    base_branch: Word | None = None
    existing_worktree: bool = False
    existing_branch: bool = False


class InitialItem(BaseModel):
    """An item that the session starts with."""

    model_config = ConfigDict(extra="ignore")

    type: str
    data: dict[str, Any] = Field(default_factory=dict)


class PlacedSession(BaseModel):
    """What every new session may be given, a fork too: settings, and where it runs."""

    title: Title | None = None
    reasoning_effort: str | None = None
    model_override: str | None = None
    terminal_launch_args: Annotated[list[LaunchArgument], Field(max_length=256)] | None = None
    host_id: str | None = None
    workspace: Annotated[str, Field(max_length=4096)] | None = None
    git: GitOptions | None = None

    @model_validator(mode="after")
    def _git_needs_a_host(self) -> Self:
        if self.git is not None and not self.host_id:
            raise ValueError("git requires host_id")
        return self


class NewSessionFields(PlacedSession):
    """What a new session may be given, however its agent comes."""

    labels: dict[Label, str] | None = None
    harness_override: Annotated[str, Field(max_length=64)] | None = None
    initial_items: list[InitialItem] | None = None
    parent_session_id: str | None = None
    sub_agent_name: Word | None = None
    project_id: str | None = None
    policies: Policies | None = None


class CreateSession(NewSessionFields):
    """POST /v1/sessions as JSON; unknown keys are ignored."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={"anyOf": [{"required": ["agent_id"]}, {"required": ["project_id"]}]},
    )

    # Declared last: what may stand in for it is known by then.
    agent_id: Annotated[str, Field(validate_default=True)] = ""

    @field_validator("agent_id")
    @classmethod
    def _needs_an_agent_or_a_project(cls, value: str, info: ValidationInfo) -> str:
        if not value and not info.data.get("project_id"):
            raise PydanticCustomError("missing", "Field required")
        return value


class UploadMetadata(NewSessionFields):
    """The `metadata` part of POST /v1/sessions as multipart; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class ForkSession(PlacedSession):
    """POST /v1/sessions/{id}/fork; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    agent_id: str | None = None
    up_to_response_id: Annotated[str, Field(max_length=128)] | None = None


class SwitchAgent(BaseModel):
    """POST /v1/sessions/{id}/switch-agent; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    agent_id: str


class UpdateSession(BaseModel):
    """PATCH /v1/sessions/{id}; unknown keys are refused, null leaves a field alone."""

    model_config = ConfigDict(extra="forbid")

    title: Title | None = None
    runner_id: str | None = None
    labels: dict[Label, str] | None = None
    reasoning_effort: str | None = None
    model_override: str | None = None
    archived: bool | None = None
    external_session_id: Word | None = None
    terminal_launch_args: Annotated[list[LaunchArgument], Field(max_length=256)] | None = None
    silent: bool | None = None
    share_workspace_files: bool | None = None
    delete_worktree: bool | None = None
    project_id: str | None = None
    # Known to clients, and not served here: naming one is an error in words instead of an unknown key.
    cost_control_mode_override: str | None = None
    subagent_routing_override: str | None = None
    collaboration_mode: str | None = None
    permission_mode: str | None = None
    approval_mode: str | None = None


class ListSessions(PageQuery):
    """GET /v1/sessions."""

    agent_id: str | None = None
    agent_name: str | None = None
    sort_by: Annotated[str, StringConstraints(pattern="^(created_at|updated_at)$")] = "created_at"
    search_query: str | None = None
    include_archived: bool = False
    kind: Annotated[str, StringConstraints(pattern="^(default|sub_agent|any)$")] = "default"
    visibility: Literal["all", "mine", "shared", "archived"] = "all"
    project: str | None = None
    pinned: bool | None = None


class ListItems(PageQuery):
    """GET /v1/sessions/{id}/items."""

    limit: int = Field(default=100, ge=1, le=1000)
    order: Annotated[str, StringConstraints(pattern="^(asc|desc)$")] = "asc"


class ListChildren(PageQuery):
    """GET /v1/sessions/{id}/child_sessions; the filter applies when both of its parts are given."""

    tool: str | None = None
    session_name: str | None = None


class GetSession(BaseModel):
    """GET /v1/sessions/{id}."""

    model_config = ConfigDict(extra="ignore")

    include_items: bool = True
    include_liveness: bool = True
    include_usage: bool = True


class DeleteSession(BaseModel):
    """DELETE /v1/sessions/{id}."""

    model_config = ConfigDict(extra="ignore")

    delete_branch: bool = False


class Verdict(BaseModel):
    """POST /v1/sessions/{id}/elicitations/{eid}/resolve; `content` holds scalars and lists of strings."""

    model_config = ConfigDict(extra="ignore")

    action: Annotated[str, StringConstraints(pattern="^(accept|decline|cancel)$")]
    content: dict[str, str | bool | int | float | list[str] | None] | None = None
    meta: dict[str, Any] | None = Field(default=None, alias="_meta")


class CreateTerminal(BaseModel):
    """POST /v1/sessions/{id}/resources/terminals."""

    model_config = ConfigDict(extra="ignore")

    terminal: Annotated[str, Field(min_length=1, max_length=64)]
    session_key: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    cwd: LaunchArgument | None = None
    sandbox: Word | None = None


class AttachTerminal(BaseModel):
    """WS /v1/sessions/{id}/resources/terminals/{tid}/attach."""

    model_config = ConfigDict(extra="ignore")

    read_only: bool = False


class LaunchOnHost(BaseModel):
    """POST /v1/hosts/{id}/runners; with `git` the workspace is the repository of a work tree."""

    model_config = ConfigDict(extra="ignore")

    session_id: str
    workspace: Annotated[str, Field(min_length=1, max_length=4096)]
    git: GitOptions | None = None


class CreateDirectory(BaseModel):
    """POST /v1/hosts/{id}/directories."""

    model_config = ConfigDict(extra="ignore")

    path: LaunchArgument


class ListHostDirectory(BaseModel):
    """GET /v1/hosts/{id}/filesystem; the cursors are paths of entries."""

    model_config = ConfigDict(extra="ignore")

    limit: int = Field(default=20, ge=1, le=1000)
    after: LaunchArgument | None = None
    before: LaunchArgument | None = None


class SkillQuery(BaseModel):
    """GET /v1/skills: of which session, or of which host's directory."""

    model_config = ConfigDict(extra="ignore")

    session_id: str | None = None
    host_id: str | None = None
    harness: str = ""
    path: str = "~"


class ListWorktrees(BaseModel):
    """GET /v1/hosts/{id}/worktrees."""

    model_config = ConfigDict(extra="ignore")

    path: LaunchArgument
