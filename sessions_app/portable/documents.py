"""The documents of an archive as strict models: the manifest, and one line of each kind."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from policies_app.bodies import AttachedPolicy
from sessions_app.portable import layout

LARGEST = 2**53
"""What numbers in JSON are good for."""


def _moment(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError(layout.A_MOMENT)
    return layout.moment(value)


def _plain_path(value: str) -> str:
    if ".." in value.replace("\\", "/").split("/"):
        raise ValueError("parent path segments are not permitted")
    return value


def _no_nul(value: str) -> str:
    if "\0" in value:
        raise ValueError("must not contain NUL characters")
    return value


Count = Annotated[int, Field(ge=0, le=LARGEST)]
Cost = Annotated[float, Field(ge=0, le=LARGEST, allow_inf_nan=False)]
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Moment = Annotated[datetime, BeforeValidator(_moment)]
Word = Annotated[str, Field(max_length=256)]
Person = Annotated[str, Field(max_length=150)]


AgentName = Annotated[str, Field(pattern=r"^a[1-9][0-9]{0,9}$")]
SessionName = Annotated[str, Field(pattern=r"^s[1-9][0-9]{0,9}$")]
FileName = Annotated[str, Field(pattern=r"^f[1-9][0-9]{0,9}$")]
PolicyName = Annotated[str, Field(pattern=r"^p[1-9][0-9]{0,9}$")]
DecisionName = Annotated[str, Field(pattern=r"^d[1-9][0-9]{0,9}$")]
ItemName = Annotated[str, Field(pattern=r"^i[1-9][0-9]{0,9}$")]


class Document(BaseModel):
    """Every document: no coercion, no unknown keys."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ListedMember(Document):
    """A member in the manifest."""

    name: Annotated[str, Field(max_length=100)]
    size: Annotated[Count, Field(alias="bytes")]
    sha256: Digest


class Missing(Document):
    """Something that belongs to the sessions and is not in the archive, or not restored."""

    kind: Annotated[str, Field(max_length=64)]
    id: Annotated[str, Field(max_length=64)] | None
    name: Annotated[str, Field(max_length=300)] | None
    reason: Annotated[str, Field(max_length=1000)]


class Counts(Document):
    """How many lines of each kind there are."""

    agents: Count
    sessions: Annotated[int, Field(ge=1, le=layout.MAX_SESSIONS)]
    files: Annotated[int, Field(ge=0, le=layout.MAX_FILES)]
    items: Count
    comments: Count
    policies: Annotated[int, Field(ge=0, le=layout.MAX_POLICIES)] = 0
    decisions: Count = 0


class Manifest(Document):
    """The last member; what a reader does not use may be anything."""

    format: str
    version: int
    created_at: Moment
    server_version: Annotated[str, Field(max_length=64)]
    source_ids: dict[str, str]
    counts: Counts
    missing: Annotated[list[Missing], Field(max_length=layout.MAX_SESSIONS + layout.MAX_FILES)]
    members: Annotated[list[ListedMember], Field(max_length=layout.MAX_MEMBERS)]


class AgentLine(Document):
    """An agent of these sessions: of the operator's its id, of others the bundle unless it is lost."""

    id: AgentName
    name: Annotated[str, Field(min_length=1, max_length=256)]
    digest: Digest
    builtin_id: Annotated[str, Field(min_length=1, max_length=64)] | None
    bundle: Annotated[str, Field(max_length=100)] | None


class Settings(Document):
    """What a person has set for a session; empty is the agent's own."""

    reasoning_effort: Annotated[str, Field(max_length=16)]
    model_override: Word
    harness_override: Annotated[str, Field(max_length=64)]
    terminal_launch_args: (
        Annotated[list[Annotated[str, Field(max_length=4096)]], Field(max_length=256)] | None
    )


class Usage(Document):
    """What a session has used itself, and the size of its context."""

    by_model: dict[Word, dict[Annotated[str, Field(max_length=64)], Count | Cost | None]] | None
    context_tokens: Count | None
    context_window: Count | None
    policy_cost_usd: Cost | None
    reported_model: Word


class SessionLine(Document):
    """A session; `items` counts its items."""

    id: SessionName
    parent: SessionName | None
    agent: AgentName | None
    sub_agent_name: Word
    title: Annotated[str, Field(max_length=300)]
    auto_title: Annotated[str, Field(max_length=300)]
    archived: bool
    labels: dict[Annotated[str, Field(min_length=1, max_length=256)], str]
    settings: Settings
    usage: Usage
    items: Count
    created_at: Moment
    updated_at: Moment


class FileLine(Document):
    """A file; its bytes are the blob of that SHA-256."""

    id: FileName
    session: SessionName
    filename: Annotated[str, Field(min_length=1, max_length=255)]
    content_type: Annotated[str, Field(min_length=1, max_length=100)]
    bytes: Count
    sha256: Digest
    created_at: Moment
    created_by: Person


class ItemLine(Document):
    """An item; `data` is its payload with all members of its type."""

    id: ItemName
    session: SessionName
    position: Annotated[int, Field(ge=1, le=LARGEST)]
    type: Annotated[str, Field(max_length=32)]
    status: Literal["completed", "in_progress", "incomplete", "failed"]
    response_id: Annotated[str, Field(max_length=128)]
    created_at: Moment
    created_by: Person
    data: dict[str, Any]


class CommentLine(Document):
    """A comment on a place in a file."""

    session: SessionName
    path: Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_plain_path)]
    start_index: Count
    end_index: Count
    body: Annotated[str, Field(min_length=1, max_length=65536)]
    status: Literal["draft", "addressed"]
    anchor_content: Annotated[str, Field(max_length=65536)] | None
    created_at: Moment
    updated_at: Moment
    created_by: Person


class PolicyLine(AttachedPolicy):
    """A policy of a session; those of one session stand in the order in which they run."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    id: PolicyName
    session: SessionName
    created_at: Moment
    updated_at: Moment | None
    created_by: Person


Id = Annotated[str, Field(min_length=1, max_length=64), AfterValidator(_no_nul)]
Name = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_no_nul)]


class LoggedDecision(Document):
    """A row of a decision log, as its own server lists it: every id in it is of that server."""

    seq: Annotated[int, Field(ge=1, le=2**63 - 1)]
    decision_id: Id
    created_at: Annotated[float, Field(ge=0, le=layout.LAST_EPOCH, allow_inf_nan=False)]
    session_id: Id | None
    root_session_id: Id | None
    agent_id: Id | None
    actor: Annotated[Person, Field(min_length=1), AfterValidator(_no_nul)] | None
    phase: Annotated[str, Field(min_length=1, max_length=16), AfterValidator(_no_nul)]
    target: Name | None
    verdict: Literal["allow", "deny", "ask"]
    reason: Annotated[str, Field(min_length=1), AfterValidator(_no_nul)] | None
    policy_id: Id | None
    policy_name: Name | None
    policy_version: Annotated[int, Field(ge=0, le=2**31 - 1)] | None
    level: Literal["session", "agent", "server", "guard", "none"]
    shadow: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    input_digest: Digest
    input: Any
    elicitation_id: Id | None
    latency_us: Annotated[int, Field(ge=0, le=2**63 - 1)]
    prev_hash: Digest
    hash: Digest


class DecisionLine(Document):
    """A decision about a session of the archive. `origin` names the log whose row it is."""

    id: DecisionName
    session: SessionName
    origin: Annotated[str, Field(pattern=r"^log_[0-9a-f]{32}$")]
    decision: LoggedDecision


def words(error: ValidationError) -> str:
    """The first problem of a document, with its place."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part)[:100] for part in first["loc"])
    return f"{place}: {first['msg']}" if place else first["msg"]
