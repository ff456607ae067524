"""What the consumer of a sample or of an engine's turn saw."""

from dataclasses import dataclass, field

from omnigent.runner.harnesses.base import (
    ModelError,
    ReasoningDelta,
    Retry,
    SampleEvent,
    TextDelta,
    ToolCall,
    Usage,
)


@dataclass(kw_only=True, slots=True)
class Outcome:
    """The events in order and the error at the end; `waits` are the seconds that retries would have slept."""

    events: list[SampleEvent] = field(default_factory=list)
    error: ModelError | None = None
    waits: list[float] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, TextDelta))

    @property
    def reasoning(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, ReasoningDelta))

    @property
    def calls(self) -> list[ToolCall]:
        return [event for event in self.events if isinstance(event, ToolCall)]

    @property
    def retries(self) -> list[Retry]:
        return [event for event in self.events if isinstance(event, Retry)]

    @property
    def usages(self) -> list[Usage]:
        return [event for event in self.events if isinstance(event, Usage)]

    @property
    def code(self) -> str:
        return self.error.code if self.error else ""
