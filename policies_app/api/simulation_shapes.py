"""What the simulator answers as models, for the description of its routes."""

from typing import Any, Literal

from omnigent.api.schema.shapes import Shape

Said = Literal["allow", "deny", "ask"]
LevelName = Literal["session", "agent", "server", "guard"]


class SimulatedStep(Shape):
    """What one policy said by itself; `micros` is how long it took."""

    id: str
    name: str
    level: LevelName
    version: int
    mode: Literal["enforce", "shadow"]
    verdict: Said
    reason: str | None
    failed: bool
    micros: int


class SimulatedUpdate(Shape):
    """What the policies want to remember."""

    key: str
    action: Literal["set", "increment", "delete", "append"]
    value: Any


class NotCalledShape(Shape):
    """A url policy that was left out."""

    id: str
    name: str
    level: LevelName


class SimulationShape(Shape):
    """The verdict on one event. `data` is the action as the policies changed it, if `has_data`."""

    object: Literal["policy_simulation"]
    verdict: Said
    reason: str | None
    policy: str | None
    policy_id: str | None
    has_data: bool
    data: Any
    state_updates: list[SimulatedUpdate]
    labels: dict[str, str]
    steps: list[SimulatedStep]
    not_called: list[NotCalledShape]


class SaidOf(Shape):
    """A verdict with its reason."""

    verdict: Said
    reason: str | None


class Differences(Shape):
    """How many verdicts differ, and in what."""

    allow_to_deny: int
    deny_to_allow: int
    now_asks: int
    ask_to_allow: int
    ask_to_deny: int
    unchanged: int


class BacktestExample(Shape):
    """A decision that would be another."""

    decision_id: str
    session_id: str | None
    created_at: float
    phase: str
    target: str | None
    before: SaidOf
    after: SaidOf


class BacktestExamples(Shape):
    """Up to 20 of each kind, the oldest first."""

    allow_to_deny: list[BacktestExample]
    deny_to_allow: list[BacktestExample]
    now_asks: list[BacktestExample]
    ask_to_allow: list[BacktestExample]
    ask_to_deny: list[BacktestExample]


class BacktestShape(Shape):
    """What a draft says of what was decided. `decisions` = `evaluated` + `skipped` (no input was kept) +
    `continued` (they go on with an action that was asked about before). `redacted` inputs were evaluated
    without their secrets. `left_out` older rows were over the limit. Times are epoch seconds.
    """

    object: Literal["policy_backtest"]
    since: float
    until: float | None
    decisions: int
    evaluated: int
    skipped: int
    continued: int
    redacted: int
    failed: int
    forgotten_sessions: int
    left_out: int
    is_partial: bool
    counts: Differences
    examples: BacktestExamples
    seconds: float


class ShadowExample(Shape):
    """A decision that a shadow policy would have taken otherwise."""

    decision_id: str
    session_id: str | None
    target: str | None
    before: SaidOf
    after: SaidOf


class ShadowExamples(Shape):
    """Up to 20 of each kind, the newest first."""

    allow_to_deny: list[ShadowExample]
    deny_to_allow: list[ShadowExample]
    now_asks: list[ShadowExample]
    ask_to_allow: list[ShadowExample]
    ask_to_deny: list[ShadowExample]


class SaidCounts(Shape):
    """How often it said what."""

    allow: int
    deny: int
    ask: int


class ShadowShape(Shape):
    """What a policy said in shadow mode. `decisions` are those in which it was asked."""

    object: Literal["policy_shadow"]
    policy_id: str
    days: int
    decisions: int
    said: SaidCounts
    failed: int
    is_partial: bool
    counts: Differences
    examples: ShadowExamples
