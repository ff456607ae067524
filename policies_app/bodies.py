"""What the policy endpoints take, server-wide and of a session: request bodies as strict models."""

from typing import Annotated, Any, Literal, Self

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from policies_app.models import PolicyType
from policies_app.services.default_policies import NewPolicy
from policies_app.services.handlers import DOTTED, HTTPS, MAX_HANDLER

MAX_PARAMS = 65536
"""Bytes of `factory_params` as JSON."""
MAX_APPROVERS = 50
LONGEST_ASK = 365 * 86400.0


def _not_blank(value: str) -> str:
    if not value.strip():
        raise ValueError("must not be blank")
    return value


def _small(value: dict[str, Any]) -> dict[str, Any]:
    try:
        text = orjson.dumps(value)
    except TypeError as error:
        raise ValueError(f"cannot be kept as JSON: {error}") from None
    if len(text) > MAX_PARAMS:
        raise ValueError(f"must not have more than {MAX_PARAMS} bytes as JSON")
    return value


Name = Annotated[str, Field(min_length=1, max_length=256), AfterValidator(_not_blank)]
Handler = Annotated[
    str, Field(min_length=1, max_length=MAX_HANDLER, examples=["omnigent.policies.ask_on_os_tools"])
]
Params = Annotated[dict[str, Any], AfterValidator(_small)]
Approver = Annotated[str, Field(min_length=1, max_length=150)]
Approvers = Annotated[list[Approver], Field(max_length=MAX_APPROVERS)]
Quorum = Annotated[int, Field(strict=True, ge=1, le=MAX_APPROVERS)]
AskTimeout = Annotated[float, Field(strict=True, gt=0, le=LONGEST_ASK, allow_inf_nan=False)]
Flag = Annotated[bool, Field(strict=True)]


class PolicyBody(BaseModel):
    """A policy to be created; unknown keys are ignored. Everything after `factory_params` is ours."""

    model_config = ConfigDict(extra="ignore")

    name: Name
    type: Literal["python", "url"]
    handler: Handler
    factory_params: Params | None = None
    enabled: Flag = True
    mode: Literal["enforce", "shadow"] = "enforce"
    approvers: Approvers = Field(default_factory=list)
    quorum: Quorum = 1
    ask_timeout: AskTimeout | None = None

    @field_validator("handler")
    @classmethod
    def _has_the_form_of_its_type(cls, value: str, info: ValidationInfo) -> str:
        kind: str | None = info.data.get("type")
        if kind == PolicyType.URL and not value.startswith(HTTPS):
            raise ValueError(f"a url handler must start with {HTTPS}")
        if kind == PolicyType.PYTHON and not DOTTED.fullmatch(value):
            raise ValueError("a python handler is a dotted path")
        return value

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.type == "url" and self.factory_params is not None:
            raise ValueError("factory_params are only valid for type 'python'")
        if self.approvers and self.quorum > len(set(self.approvers)):
            raise ValueError("quorum must not be more than there are approvers")
        return self

    def new_policy(self) -> NewPolicy:
        """What the services take."""
        return NewPolicy(**self.model_dump())


class AttachedPolicy(PolicyBody):
    """A policy that comes with a new session; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class PolicyChanges(BaseModel):
    """PATCH of a policy: what is left out or null stays, unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")

    name: Name | None = None
    handler: Handler | None = None
    enabled: Flag | None = None
    mode: Literal["enforce", "shadow"] | None = None

    def wanted(self) -> dict[str, Any]:
        """What shall be different."""
        return self.model_dump(exclude_none=True)
