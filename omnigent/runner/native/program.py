"""What a harness of this kind implements: how its program is started, read, typed into and asked."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from omnigent.runner.harnesses.base import ApprovalRequest, ToolCall
from omnigent.runner.native.entries import Entry
from omnigent.runner.policy_gate import Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class Launch:
    """With what a program is started. `conversation` is its own id of the one to go on with, empty for a new
    one; `hook` is the command that hands an event of the program to this runner.
    """

    model: str
    instructions: str
    effort: str | None
    conversation: str
    hook: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """A prepared start: the command, its whole environment, and what it reads from descriptors."""

    command: Sequence[str]
    environment: Mapping[str, str]
    conversation: str = ""
    """The program's id of the conversation when it is known before; empty when a hook will tell."""
    descriptors: Mapping[int, bytes] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Where the program keeps the conversation that is on its screen."""

    conversation: str
    transcript: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Link:
    """A record's own id and that of the record which it follows; each is empty when it has none."""

    own: str = ""
    follows: str = ""


class Desk(Protocol):
    """What a program's hooks ask of the session."""

    async def permit(self, call: ToolCall) -> Verdict: ...

    async def review(self, call: ToolCall, output: str) -> Verdict: ...

    async def admit(self, prompt: str) -> Verdict:
        """About a prompt that a person typed at the terminal; the runner's own are admitted already."""
        ...

    async def ask(self, request: ApprovalRequest) -> str:
        """What a person answers: `accept`, `decline` or `cancel`."""
        ...

    def moved(self, place: Place) -> None:
        """The program shows this conversation now."""
        ...


class NativeProgram(Protocol):
    """Made from EngineSettings, one for each session; keeps nothing about its process."""

    terminal: str
    """The name of its terminal."""

    interrupt_key: str

    def prepare(self, launch: Launch) -> Start:
        """Write the files that it reads, off the loop. Raises ModelError when something is missing."""
        ...

    def transcript(self, conversation: str) -> Path | None:
        """Where a conversation that it went on with is kept; None when there is none yet."""
        ...

    def link(self, record: Mapping[str, Any]) -> Link:
        """After which record this one comes; an empty link when the file is in the conversation's order."""
        ...

    def read(self, record: Mapping[str, Any]) -> Sequence[Entry]:
        """What one record of a transcript tells; nothing for records that are of no interest."""
        ...

    def is_ready(self, screen: str) -> bool:
        """Whether it takes a prompt: no dialog is open that would take the keys for an answer."""
        ...

    def dismissal(self, screen: str) -> Sequence[str]:
        """The keys that close what it opens by itself at its start, with nothing changed by them."""
        ...

    def is_working(self, screen: str) -> bool:
        """Whether it says that it works on a prompt."""
        ...

    def holds_text(self, screen: str) -> bool:
        """Whether something stands in its input field, which has to be cleared before typing."""
        ...

    def typed(self, prompt: str) -> str:
        """A prompt as it has to be pasted, so that it is taken as text."""
        ...

    async def hooked(self, event: Mapping[str, Any], desk: Desk) -> Mapping[str, Any]:
        """The answer to an event of one of its hooks."""
        ...


Hooked = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
