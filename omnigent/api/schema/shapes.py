"""Answers as pydantic models: they describe what is sent, so an unknown member breaks the description."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, WithJsonSchema

REFERENCE = "x-component"
"""In a model's schema: the name of a component that is not made from a model."""


class Shape(BaseModel):
    """Base of all answers. A member with a default may be missing; one that may be null says so.

    Built when the OpenAPI document is asked for, or a test compares: a server needs none of them.
    """

    model_config = ConfigDict(extra="forbid", defer_build=True)


class PageShape(Shape):
    """What all pages have; the subclasses name their rows."""

    object: Literal["list"]
    data: list[Any]
    first_id: str | None
    last_id: str | None
    has_more: bool


class ErrorObject(Shape):
    """Which error it is, for programs and for people."""

    code: str
    message: str


class ErrorAnswer(Shape):
    """Every error. `detail` repeats or refines it for clients that read that member."""

    error: ErrorObject
    detail: JsonValue = None


class Problem(Shape):
    """One thing that is wrong with a body or query; `loc` is the path to it, `input` what was found there."""

    type: str
    loc: list[str | int]
    msg: str
    input: Any
    ctx: dict[str, Any] = Field(default_factory=dict)


class InvalidAnswer(Shape):
    """A body or query that does not validate; or an idempotency key that was used for something else."""

    error: ErrorObject
    detail: list[Problem] = Field(default_factory=list)


def component(name: str) -> Any:  # a type for annotations
    """A member whose schema is a component of this name."""
    return Annotated[dict[str, Any], WithJsonSchema({REFERENCE: name})]
