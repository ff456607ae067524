"""The steps of a scripted reply, in no vendor's words."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Reason = Literal["stop", "length", "content_filter"]


@dataclass(frozen=True, slots=True)
class Text:
    """Visible text, streamed word by word with `delay` seconds before each."""

    text: str
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Thinking text, streamed like `Text`."""

    text: str
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call; several in a row are parallel calls. Arguments given as text are sent as they are.

    A custom tool, which only the Responses API has, takes text for its input.
    """

    name: str
    arguments: Mapping[str, Any] | str = field(default_factory=dict)
    call_id: str = ""
    is_custom: bool = False

    @property
    def arguments_text(self) -> str:
        return self.arguments if isinstance(self.arguments, str) else json.dumps(self.arguments)


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """What the provider says it counted; `input_tokens` includes what the cache read or wrote."""

    input_tokens: int = 10
    output_tokens: int = 5
    reasoning_tokens: int = 0
    cache_read: int = 0
    cache_written: int = 0


@dataclass(frozen=True, slots=True)
class Stop:
    """Why the answer ends; without it `stop`, or the vendor's word for tool calls after a call."""

    reason: Reason


@dataclass(frozen=True, slots=True)
class Fail:
    """An HTTP error instead of a stream. `kind` is the vendor's error type, `code` OpenAI's error code."""

    status: int
    kind: str = "invalid_request_error"
    message: str = "scripted failure"
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class BreakInside:
    """An error event in the middle of the stream, after which it ends."""

    kind: str
    message: str = "scripted failure in the stream"


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is reset in the middle of a chunk."""


@dataclass(frozen=True, slots=True)
class End:
    """The stream ends cleanly, but without the terminal event."""


@dataclass(frozen=True, slots=True)
class Garbage:
    """Bytes sent as they are."""

    data: bytes = b'event: message_delta\ndata: {"type": "respon\n\n'


@dataclass(frozen=True, slots=True)
class Unanswered:
    """The request is read, and not even the head of an answer is sent until the client leaves."""


@dataclass(frozen=True, slots=True)
class Silence:
    """Nothing more is sent until the client leaves."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing is sent until the test sets the event."""

    until: asyncio.Event


Step = (
    Text
    | Reasoning
    | Call
    | Tokens
    | Stop
    | Fail
    | Unanswered
    | BreakInside
    | Cut
    | End
    | Garbage
    | Silence
    | Hold
)
Reply = Sequence[Step]


def words(text: str) -> list[str]:
    """The tokens of a streamed text: words with the space after them."""
    return re.findall(r"\s*\S+\s*|\s+", text)


def fragments(text: str) -> list[str]:
    """Arguments as they are streamed, cut at odd places."""
    return [text[start : start + 7] for start in range(0, len(text), 7)]
