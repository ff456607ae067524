"""What there is to show of a session, before anybody decides how it looks."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """Words of a person or of the agent. `who` names a person, if known."""

    role: Literal["user", "assistant"]
    text: str
    who: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Thought:
    """Reasoning of the model."""

    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """A tool call; `arguments` is the model's JSON text, `output` None when it did not come to one."""

    name: str
    arguments: str
    output: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """Somebody must decide. `fields` describes what a form wants, one line each."""

    message: str
    preview: str | None = None
    policy: str | None = None
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Note:
    """Something that happened, in a line."""

    text: str
    is_bad: bool = False


Entry = Said | Thought | Ran | Asked | Note
