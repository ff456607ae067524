"""What people and client programs post: messages, interrupts, approvals, results, commands."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from omnigent.protocol import codec, items
from omnigent.protocol.inputs.errors import InputError

STABLE_ID = re.compile(r"[0-9a-f]{32}")
ACTIONS = ("accept", "decline", "cancel")


@dataclass(frozen=True, kw_only=True, slots=True)
class MessageInput:
    """A message; `stable_id` makes posting it again harmless.

    With `dispatch` it is a parent's to its sub-agent, and the parent is told how that ends.
    """

    item: items.Message
    stable_id: str | None = None
    dispatch: bool = False


def read_message(data: Mapping[str, Any]) -> MessageInput:
    """Role, content and an assistant message's agent come from outside; the rest is the server's."""
    stable_id = data.get("stable_id")
    if stable_id is not None and not (isinstance(stable_id, str) and STABLE_ID.fullmatch(stable_id)):
        raise InputError("stable_id: must be 32 lowercase hexadecimal digits")
    dispatch = data.get("dispatch", False)
    if not isinstance(dispatch, bool):
        raise InputError("dispatch: must be true or false")
    known = {key: data[key] for key in ("role", "content", "agent", "model") if key in data}
    if known.get("role") == "user":
        known = {key: known[key] for key in ("role", "content") if key in known}
    item = items.parse_item("message", known)
    if not isinstance(item, items.Message):
        raise InputError("not a message")
    return MessageInput(item=item, stable_id=stable_id, dispatch=dispatch)


@dataclass(frozen=True, kw_only=True, slots=True)
class Interrupt:
    """Cancel the running turn."""

    response_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """A verdict. Without an id or with an odd action it has no effect, and is accepted all the same."""

    elicitation_id: str | None = None
    action: str | None = None
    content: Mapping[str, Any] | None = None
    meta: Mapping[str, Any] | None = None

    @property
    def is_effective(self) -> bool:
        """Whether this says something about some elicitation."""
        return self.elicitation_id is not None and self.action is not None


def read_approval(data: Mapping[str, Any]) -> Approval:
    """Never refuses; what has the wrong type is as if it were absent."""
    elicitation_id, action = data.get("elicitation_id"), data.get("action")
    content, meta = data.get("content"), data.get("_meta")
    return Approval(
        elicitation_id=elicitation_id if isinstance(elicitation_id, str) else None,
        action=action if isinstance(action, str) and action in ACTIONS else None,
        content=content if isinstance(content, Mapping) else None,
        meta=meta if isinstance(meta, Mapping) else None,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Compact:
    """Summarise the history now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StopSession:
    """Interrupt, and stop the runner process."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RetrySession:
    """Bring the runner back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolResult:
    """What a tool that the client runs gave back."""

    call_id: str
    output: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SlashCommand:
    """Call a skill by name."""

    kind: Literal["skill"]
    name: str
    arguments: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class McpElicitation:
    """Ask a person to fill in a form."""

    message: str
    requested_schema: Mapping[str, Any] = field(default_factory=dict, metadata={"key": "requestedSchema"})


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredItem:
    """An item to store as it is; `evaluate_policy` asks for a verdict on a call instead of storing it."""

    item: items.ItemData
    evaluate_policy: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class CallFlags:
    """What a posted function_call may say beside its data."""

    evaluate_policy: bool = False


def read_call(data: Mapping[str, Any]) -> StoredItem:
    """A function call, to store or only to judge."""
    flags = codec.load(CallFlags, data)
    return StoredItem(item=items.parse_item("function_call", data), evaluate_policy=flags.evaluate_policy)
