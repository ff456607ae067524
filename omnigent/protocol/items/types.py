"""The data of each item type: one dataclass per type, with the members that are stored and served."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class ItemData:
    """Base of all item data. Where a class has `agent`, JSON calls it `model`: the agent's name."""

    type: ClassVar[str] = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Message(ItemData):
    """What a person or the agent said; `is_meta` marks a note to the model that people do not see."""

    type: ClassVar[str] = "message"

    role: Literal["user", "assistant"]
    content: list[Any]
    agent: str | None = field(default=None, metadata={"key": "model"})
    user_authored: bool | None = None
    is_meta: bool | None = None
    interrupted: bool | None = None
    stream_message_id: str | None = None
    subagent_return_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionCall(ItemData):
    """A complete tool call; `arguments` is JSON text as the model wrote it."""

    type: ClassVar[str] = "function_call"

    agent: str | None = field(default=None, metadata={"key": "model"})
    name: str
    arguments: str
    call_id: str
    namespace: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FunctionCallOutput(ItemData):
    """What a tool call gave back."""

    type: ClassVar[str] = "function_call_output"

    call_id: str
    output: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reasoning(ItemData):
    """The model's thinking, when somebody stores it explicitly."""

    type: ClassVar[str] = "reasoning"

    agent: str | None = field(default=None, metadata={"key": "model"})
    summary: list[Any]
    content: list[Any] | None = None
    encrypted_content: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Error(ItemData):
    """What went wrong in a turn."""

    type: ClassVar[str] = "error"

    source: Literal["llm", "execution", "tool", "harness"]
    code: str
    message: str
    level: str | None = None
    title: str | None = None
    cause: str | None = None
    remediation: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Compaction(ItemData):
    """A summary that stands for everything up to `last_item_id` when history goes to a model.

    `model` here is the model that wrote the summary.
    """

    type: ClassVar[str] = "compaction"

    summary: str
    last_item_id: str | None = None
    model: str | None = None
    token_count: int | None = None
    compacted_messages: list[Any] | None = None
    window_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ResourceEvent(ItemData):
    """A resource or sub-agent came or went."""

    type: ClassVar[str] = "resource_event"

    event_type: str
    resource_id: str
    resource_type: str
    resource: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SlashCommand(ItemData):
    """A skill or command that a person called by name."""

    type: ClassVar[str] = "slash_command"

    agent: str | None = field(default=None, metadata={"key": "model"})
    kind: Literal["skill", "command"]
    name: str
    arguments: str = ""
    output: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TerminalCommand(ItemData):
    """Something typed into, or shown by, the agent's own terminal."""

    type: ClassVar[str] = "terminal_command"

    kind: Literal["input", "output"]
    input: str | None = None
    stdout: str | None = None
    stderr: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RoutingDecision(ItemData):
    """Which model a router chose."""

    type: ClassVar[str] = "routing_decision"

    model: str | None = None
    applied: bool | None = None
    rationale: str | None = None
    agent: str | None = None
    harness: str | None = None
    scope: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class NativeTool(ItemData):
    """An item of a vendor's own tool, kept as it is."""

    type: ClassVar[str] = "native_tool"

    item: dict[str, Any]
