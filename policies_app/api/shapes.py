"""Policies and decisions as models, for the description of the routes that answer them."""

from typing import Any, Literal

from pydantic import Field

from omnigent.api.schema.shapes import PageShape, Shape


class DefaultPolicyShape(Shape):
    """A server-wide policy. `factory_params` is there when it has any."""

    id: str
    object: Literal["default_policy"]
    name: str
    type: Literal["python", "url"]
    handler: str
    enabled: bool
    created_at: int
    updated_at: int | None
    created_by: str | None
    mode: Literal["enforce", "shadow"]
    approvers: list[str]
    quorum: int
    ask_timeout: float | None
    version: int
    factory_params: dict[str, Any] = Field(default_factory=dict)


class ConfigPolicyShape(Shape):
    """A policy of the operator's config file, which cannot be changed here."""

    id: None
    object: Literal["default_policy"]
    name: str
    type: Literal["python"]
    handler: str
    enabled: Literal[True]
    source: Literal["config"]
    created_at: None
    updated_at: None
    created_by: None
    factory_params: dict[str, Any] = Field(default_factory=dict)


class PolicyList(Shape):
    """All of them; those of the config file come last, as they run last."""

    object: Literal["list"]
    data: list[DefaultPolicyShape | ConfigPolicyShape]


class Deleted(Shape):
    """There was one, and it is gone."""

    deleted: Literal[True]


class HandlerShape(Shape):
    """A handler that policies may name. `params_schema` is empty when it takes no parameters."""

    handler: str
    kind: Literal["python"]
    name: str
    description: str
    params_schema: dict[str, Any]
    internal_only: Literal[False]
    callable_kind: Literal["callable", "factory"]


class RegistryList(Shape):
    """The catalogue."""

    object: Literal["list"]
    data: list[HandlerShape]


class DecisionShape(Shape):
    """One evaluation, as it stands in the log; `created_at` in seconds, `latency_us` in microseconds."""

    seq: int
    decision_id: str
    created_at: float
    session_id: str | None
    root_session_id: str | None
    agent_id: str | None
    actor: str | None
    phase: str
    target: str | None
    verdict: Literal["allow", "deny", "ask"]
    reason: str | None
    policy_id: str | None
    policy_name: str | None
    policy_version: int | None
    level: Literal["session", "agent", "server", "guard", "none"]
    shadow: list[dict[str, Any]]
    steps: list[dict[str, Any]]
    input_digest: str
    input: Any
    elicitation_id: str | None
    latency_us: int
    prev_hash: str
    hash: str


class ImportedDecisionShape(Shape):
    """A decision that came with an archive. `session_id` and `root_session_id` name the sessions here, what
    `decision` names is of the log `origin`; `imported_at` in seconds.
    """

    id: str
    object: Literal["imported_decision"]
    session_id: str
    root_session_id: str
    origin: str
    imported_at: float
    imported_by: str
    decision: DecisionShape


class DecisionPage(PageShape):
    """A page of decisions, the log's own or imported ones; `next_cursor` is for the next page, null on the
    last.
    """

    data: list[DecisionShape] | list[ImportedDecisionShape]
    next_cursor: str | None


class KillSwitchShape(Shape):
    """Something that is stopped."""

    id: str
    object: Literal["kill_switch"]
    kind: Literal["agent", "user", "host"]
    target: str
    reason: str
    created_by: str | None
    created_at: int


class KillSwitchPage(PageShape):
    """A page of kill switches."""

    data: list[KillSwitchShape]
