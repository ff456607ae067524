"""What may be posted to a session, and the answers to it; questions; and what runners ask of the gate."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from omnigent.api.schema.shapes import Shape
from omnigent.protocol.inputs import INPUT_TYPES


class PostedEvent(BaseModel):
    """One event for a session; what `data` holds depends on the type."""

    model_config = ConfigDict(extra="ignore", json_schema_extra={"examples": [{"type": "interrupt"}]})

    type: str = Field(json_schema_extra={"examples": list(INPUT_TYPES)})
    data: dict[str, Any] = Field(default_factory=dict)
    model_override: str | None = None
    tools: list[dict[str, Any]] | None = None
    created_by: str | None = None


class Resolution(Shape):
    """The verdict that stands."""

    action: Literal["accept", "decline", "cancel"] | None
    resolved_by: str | None
    resolved_at: int | None


class Accepted(Shape):
    """An event that is committed. `queued` when a runner will act on it; `resolution` when a verdict was too
    late.
    """

    queued: bool
    item_id: str = ""
    resolution: Resolution = Field(default=None)  # type: ignore[assignment]  # left out, never null
    elicitation_id: str = ""
    recovered: bool = False
    recovery: str = ""
    denied: bool = False
    reason: str | None = None


class Judged(Shape):
    """What the policies say of a call that was only posted to be judged; nothing is stored."""

    verdict: str
    reason: str = ""


class VerdictTaken(Shape):
    """A verdict that counts, or `resolution` of the one before."""

    queued: bool
    resolution: Resolution = Field(default=None)  # type: ignore[assignment]  # left out, never null


class Question(Shape):
    """A question that waits for a person; nothing but its status once it is settled."""

    status: Literal["pending", "resolved"]
    message: str | None = None
    phase: str | None = None
    policy_name: str | None = None
    content_preview: Any = None


class RpcRequest(BaseModel):
    """A JSON-RPC request of a runner: `tools/list` or `tools/call`."""

    model_config = ConfigDict(extra="ignore")

    jsonrpc: str = "2.0"
    id: Any = None
    method: str = ""
    params: dict[str, Any] | None = None


class RpcError(Shape):
    """Why a call was not made, or failed."""

    model_config = ConfigDict(extra="allow")

    code: int
    message: str


class RpcAnswer(Shape):
    """The JSON-RPC answer: a result or an error."""

    jsonrpc: Literal["2.0"]
    id: Any
    result: Any = None
    error: RpcError = Field(default=None)  # type: ignore[assignment]  # left out, never null


class PolicyQuestion(BaseModel):
    """An action of a runner that the policies shall judge."""

    model_config = ConfigDict(extra="ignore")

    class Event(BaseModel):
        """What happens: its phase under `type`, and what is known of it."""

        model_config = ConfigDict(title="JudgedEvent", extra="ignore")

        type: str
        data: Any = None
        target: str | None = None
        context: dict[str, Any] | None = None
        request_data: dict[str, Any] | None = None

    event: Event


class PolicyVerdict(Shape):
    """What the policies say; `data` is the action as they have changed it."""

    result: str
    reason: str = ""
    data: Any = None
