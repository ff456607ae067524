"""What the policy routes of a session answer."""

from typing import Any, Literal

from pydantic import Field

from omnigent.api.schema.shapes import Shape


class SessionPolicyShape(Shape):
    """A stored policy that binds a session: its own, or a server-wide one. `factory_params` is there when it
    has any.
    """

    id: str
    object: Literal["session.policy"]
    name: str
    type: Literal["python", "url"]
    handler: str
    enabled: bool
    source: Literal["session", "admin"]
    created_at: int
    updated_at: int | None
    mode: Literal["enforce", "shadow"]
    approvers: list[str]
    quorum: int
    ask_timeout: float | None
    version: int
    factory_params: dict[str, Any] = Field(default_factory=dict)


class DeclaredPolicyShape(Shape):
    """A policy of the agent (`spec`) or of the operator's config file (`admin`), which no route changes."""

    id: None
    object: Literal["session.policy"]
    name: str
    type: Literal["function"]
    handler: str
    enabled: Literal[True]
    source: Literal["spec", "admin"]
    created_at: int
    updated_at: None
    description: str
    on: list[str]


class SessionPolicies(Shape):
    """All policies of a session, not paged."""

    object: Literal["list"]
    data: list[SessionPolicyShape | DeclaredPolicyShape]


class EffectivePolicy(Shape):
    """A policy of the chain. `type` and `handler` are null for a kill switch, and where the agent's policies
    cannot be read.
    """

    id: str
    name: str
    level: Literal["session", "agent", "server", "guard"]
    source: Literal["session", "spec", "admin", "guard"]
    type: Literal["python", "url", "function"] | None
    handler: str | None
    version: int
    mode: Literal["enforce", "shadow"]
    enabled: bool
    why: str


class EffectivePolicies(Shape):
    """The chain in the order in which it is asked."""

    object: Literal["list"]
    data: list[EffectivePolicy]


class DeletedPolicy(Shape):
    """A policy that is gone."""

    deleted: Literal[True]
