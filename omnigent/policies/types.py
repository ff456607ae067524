"""The nouns of policy evaluation: phases, actions, events, policies and verdicts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal, Self

Operation = Literal["set", "increment", "delete", "append"]
OPERATIONS: tuple[Operation, ...] = ("set", "increment", "delete", "append")


class Phase(StrEnum):
    """When a policy is asked. `response` is internal to the server and has no caller on the wire."""

    REQUEST = "request"
    TOOL_CALL = "tool_call"
    TOOL_RESULT = "tool_result"
    RESPONSE = "response"
    LLM_REQUEST = "llm_request"
    LLM_RESPONSE = "llm_response"

    @property
    def wire(self) -> str:
        """The name at the evaluate endpoint."""
        return f"PHASE_{self.name}"

    @classmethod
    def from_wire(cls, name: str) -> Self | None:
        """The phase an endpoint caller may name; None for unknown ones and for `response`."""
        return next((phase for phase in cls if phase.wire == name and phase is not Phase.RESPONSE), None)


class Action(StrEnum):
    """What a policy answers."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"

    @property
    def wire(self) -> str:
        """The name at the evaluate endpoint."""
        return f"POLICY_ACTION_{self.name}"

    @classmethod
    def parse(cls, value: object) -> Self | None:
        """An action in any case, from text or from an enum whose value is the text."""
        text = getattr(value, "value", value)
        return next((item for item in cls if isinstance(text, str) and item.value == text.lower()), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyEvent:
    """One thing the agent is about to do or has done; `data` has the phase's own shape."""

    phase: Phase
    data: Any = None
    target: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    request_data: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyState:
    """What policies remember about a session; every evaluation sees it as it was at the start."""

    session_state: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class StateUpdate:
    """One change to the session state."""

    key: str
    action: Operation
    value: Any = None


class PolicyLevel(StrEnum):
    """Where a policy comes from, in the order in which they are asked."""

    SESSION = "session"
    AGENT = "agent"
    SERVER = "server"
    GUARD = "guard"


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyRef:
    """A policy ready to run.

    `handler` takes the event (and `config` too when `takes_config`) and returns an answer or None, or, when
    `is_async`, something to await. A `foreign` one is an operator's own code: it runs beside the event loop,
    within `seconds`. The fault of an `advisory` one denies only requests and tool calls. A `shadow` one runs
    and is noted, and decides nothing.
    `condition` is an AND over labels, each with the values that match. `set_labels` None lets the policy
    write any label. `counters` are the reserved state keys that this policy alone may write in any verdict.
    What an `is_budget` one denies is stopped while it runs, too.
    Its ASK takes `quorum` of its `approvers` (of whoever may approve, when empty), within `ask_timeout`.
    """

    name: str
    handler: Callable[..., Any]
    policy_id: str = ""
    level: PolicyLevel = PolicyLevel.SESSION
    version: int = 1
    enabled: bool = True
    shadow: bool = False
    is_async: bool = False
    foreign: bool = False
    advisory: bool = False
    seconds: float = 5.0
    takes_config: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)
    condition: Mapping[str, Sequence[str]] = field(default_factory=dict)
    set_labels: frozenset[str] | None = None
    counters: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    is_budget: bool = False
    ask_timeout: float | None = None
    approvers: tuple[str, ...] = ()
    quorum: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What one policy of a chain said by itself. `failed` tells a fault from an opinion."""

    ref: PolicyRef
    action: Action
    reason: str | None = None
    failed: bool = False
    micros: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The outcome of a chain.

    On DENY and ASK, `policy` and `index` name who decided. `set_labels` and `state_updates` are what all
    policies up to there want written: at once on ALLOW and DENY; on ASK only after a person accepted, and
    the chain is then evaluated again from `index + 1` with `data`. `data` counts when `has_data` is true.
    `shadow_updates` are what shadow policies remember for themselves, whatever the verdict.
    """

    action: Action
    reason: str | None = None
    policy: str | None = None
    index: int | None = None
    has_data: bool = False
    data: Any = None
    set_labels: Mapping[str, str] = field(default_factory=dict)
    state_updates: tuple[StateUpdate, ...] = ()
    ask_timeout: float | None = None
    steps: tuple[Step, ...] = ()
    shadow_updates: tuple[StateUpdate, ...] = ()

    @property
    def deciding(self) -> PolicyRef | None:
        """The policy that decided, None on ALLOW."""
        enforced = [step.ref for step in self.steps if not step.ref.shadow]
        return enforced[-1] if self.policy is not None and enforced else None

    @property
    def deciding_policies(self) -> tuple[str, ...]:
        """Who decided: nobody on ALLOW."""
        return () if self.policy is None else (self.policy,)
