"""What a program's transcript tells, in no vendor's words. Source ids are the same whenever it is read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class UserSaid:
    """A prompt that the program has taken up: typed by a runner, or by a person at the terminal."""

    text: str
    source_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """Something for the conversation; `data` is what `external_conversation_item` calls item_data."""

    item_type: str
    data: Mapping[str, Any]
    source_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Thought:
    """Some thinking, which is only shown."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sampled:
    """Tokens of one answer of the model, told again, perhaps with more, under the same `answer_id`.

    `input_tokens` includes what the cache read or wrote.
    """

    answer_id: str
    model: str
    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int = 0
    context_window: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """The program waits for the next prompt; `message` says what failed."""

    kind: Literal["completed", "interrupted", "failed"]
    message: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Dropped:
    """The program gave a prompt back without taking it up; every one that waits when `text` is empty."""

    text: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """One of the other things that a session mirrors: an event type with its data."""

    event_type: str
    data: Mapping[str, Any] = field(default_factory=dict)


Entry = UserSaid | Item | Thought | Sampled | Ended | Dropped | Told
