"""What a transcript shows: one class per kind of entry, each with its template."""

from dataclasses import dataclass
from typing import ClassVar

from django.utils.safestring import SafeString

CLIP_CHARS = 2400
CLIP_LINES = 24


@dataclass(frozen=True, kw_only=True, slots=True)
class Clip:
    """The beginning of a long text; `hidden_lines` and `hidden_chars` tell what is left out."""

    text: str
    hidden_lines: int = 0
    hidden_chars: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Argument:
    """One argument of a call as shown."""

    name: str
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UserMessage:
    """What a person wrote, shown exactly as written."""

    template: ClassVar[str] = "sessions/partials/item_user.html"
    item_id: str
    at: int
    author: str
    text: str
    attachments: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentMessage:
    """What the agent answered."""

    template: ClassVar[str] = "sessions/partials/item_agent.html"
    item_id: str
    at: int
    author: str
    html: SafeString
    is_interrupted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ToolCall:
    """One call and, once it is there, its output; `state` is running, done or unanswered."""

    template: ClassVar[str] = "sessions/partials/item_tool.html"
    item_id: str
    output_id: str = ""
    at: int
    call_id: str
    name: str
    headline: str
    arguments: tuple[Argument, ...]
    output: Clip | None = None
    state: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Reasoning:
    """The thinking that a model let us see."""

    template: ClassVar[str] = "sessions/partials/item_reasoning.html"
    item_id: str
    at: int
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Delegation:
    """A sub-agent was set to work (`outcome` is delegated), or came back: completed, failed or cancelled."""

    template: ClassVar[str] = "sessions/partials/item_subagent.html"
    item_id: str
    at: int
    child_id: str
    agent: str
    task: str
    outcome: str
    html: SafeString


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """From here on the model reads a summary of what was said before; the transcript keeps all of it."""

    template: ClassVar[str] = "sessions/partials/item_compaction.html"
    item_id: str
    at: int
    html: SafeString
    model: str
    tokens: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Failure:
    """An error of a turn, in the words the user can act on."""

    template: ClassVar[str] = "sessions/partials/item_error.html"
    item_id: str
    at: int
    title: str
    code: str
    message: str
    cause: str
    remediation: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """A quiet line between the messages; `detail` folds out."""

    template: ClassVar[str] = "sessions/partials/item_note.html"
    item_id: str
    at: int
    text: str
    detail: str = ""


Entry = UserMessage | AgentMessage | ToolCall | Reasoning | Delegation | Summary | Failure | Note


def clip(text: str) -> Clip:
    """At most CLIP_LINES lines and CLIP_CHARS characters of `text`."""
    lines = text.split("\n", CLIP_LINES)
    head = "\n".join(lines[:CLIP_LINES])[:CLIP_CHARS]
    rest = text[len(head) :]
    if not rest.strip():
        return Clip(text=text.rstrip("\n"))
    return Clip(text=head, hidden_lines=rest.strip("\n").count("\n") + 1, hidden_chars=len(rest))
