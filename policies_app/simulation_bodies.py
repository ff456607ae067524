"""What the simulator takes: one event to try policies on, or a draft to try on what was decided."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from policies_app.bodies import AttachedPolicy, Flag

MAX_DRAFTS = 50
MAX_DECISIONS = 100_000
MAX_ID = 200
LONGEST_BACKTEST = 60.0

SessionId = Annotated[str, Field(min_length=1, max_length=MAX_ID)]
ChainName = Literal["session", "drafts", "both"]
PhaseName = Literal["request", "tool_call", "tool_result", "response", "llm_request", "llm_response"]


class DraftPolicy(AttachedPolicy):
    """A policy that is not stored. It runs and counts, whatever `enabled` and `mode` say."""


class SimulationBody(BaseModel):
    """One event, as `/policies/evaluate` takes it, and the policies to try on it.

    `chain` is what of both is asked; without it whatever is given. In `both`, a draft with the name of a
    server-wide policy takes its place, and others stand where a new server-wide policy would.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"anyOf": [{"required": ["session_id"]}, {"required": ["policies"]}]},
    )

    event: dict[str, Any]
    session_id: SessionId | None = None
    policies: Annotated[list[DraftPolicy], Field(max_length=MAX_DRAFTS)] = Field(default_factory=list)
    chain: ChainName | None = None
    calls_urls: Flag = False

    @model_validator(mode="after")
    def _has_what_its_chain_needs(self) -> Self:
        if self.chain is None:
            if self.session_id is None and not self.policies:
                raise ValueError("give session_id, policies, or both")
            return self
        if self.chain != "drafts" and self.session_id is None:
            raise ValueError(f"chain '{self.chain}' needs a session_id")
        if self.chain != "session" and not self.policies:
            raise ValueError(f"chain '{self.chain}' needs policies")
        return self

    @property
    def asks_session(self) -> bool:
        """Whether the session's own chain is asked."""
        return self.session_id is not None and self.chain != "drafts"

    @property
    def asks_drafts(self) -> bool:
        """Whether the drafts are asked."""
        return bool(self.policies) and self.chain != "session"


class BacktestBody(BaseModel):
    """A draft, and the newest decisions to try it on.

    What the draft says is compared with what was decided. With `replaces`, a policy's id, it is compared as
    if the draft had been asked in that policy's stead.
    """

    model_config = ConfigDict(extra="forbid")

    policy: DraftPolicy
    days: Annotated[int, Field(strict=True, ge=1, le=365)]
    limit: Annotated[int, Field(strict=True, ge=1, le=MAX_DECISIONS)] = 10_000
    session_id: SessionId | None = None
    phases: Annotated[list[PhaseName], Field(min_length=1)] | None = None
    replaces: SessionId | None = None
    max_seconds: Annotated[float, Field(strict=True, gt=0, le=LONGEST_BACKTEST, allow_inf_nan=False)] = 20.0


class ShadowQuery(BaseModel):
    """How far back to look."""

    model_config = ConfigDict(extra="ignore")

    days: Annotated[int, Field(ge=1, le=365)] = 7
